//! The differences between SQLite and PostgreSQL. All other statements are in `table` and `lease` and the same for
//! both.

use crate::error::OutboxError;

/// The kind of database behind an `Any` pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// Creates the table of leases, which both shapes of outboxes share.
    pub(crate) const LEASES: &str = "CREATE TABLE IF NOT EXISTS fanfare_outbox_lease (
        name TEXT PRIMARY KEY,
        holder TEXT NOT NULL,
        token BIGINT NOT NULL,
        expires_at BIGINT NOT NULL
    )";

    pub(crate) fn of(backend: &str) -> Result<Self, OutboxError> {
        match backend {
            "SQLite" => Ok(Self::Sqlite),
            "PostgreSQL" => Ok(Self::Postgres),
            other => Err(OutboxError::UnsupportedDatabase(other.to_owned())),
        }
    }

    /// How a writing transaction begins.
    ///
    /// By default SQLite takes the write lock at the first write. If another connection, such as the relay's, wrote
    /// since the transaction's first read, the write then fails at once instead of waiting.
    pub(crate) fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }

    /// The database's clock in milliseconds since the epoch: all holders of a lease must use one clock.
    pub(crate) fn now(self) -> &'static str {
        match self {
            Self::Sqlite => "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
            Self::Postgres => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
        }
    }

    /// The part of a column before the first dash.
    pub(crate) fn before_dash(self, column: &str) -> String {
        match self {
            Self::Sqlite => format!("substr({column}, 1, instr({column}, '-') - 1)"),
            Self::Postgres => format!("split_part({column}, '-', 1)"),
        }
    }

    /// Statements that create the tables; each may be run again.
    pub(crate) fn schema(self) -> [String; 3] {
        let (lock, seq, bytes) = match self {
            // The transaction began with the write lock.
            Self::Sqlite => ("SELECT 1", "INTEGER PRIMARY KEY AUTOINCREMENT", "BLOB"),
            // Two processes that create a table at the same time disturb each other even with IF NOT EXISTS.
            Self::Postgres => (
                "SELECT CAST(1 AS BIGINT) FROM pg_advisory_xact_lock(6072613)",
                "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
                "BYTEA",
            ),
        };
        [
            lock.to_owned(),
            format!(
                "CREATE TABLE IF NOT EXISTS fanfare_outbox (
                    seq {seq},
                    ordering_key TEXT NOT NULL,
                    source TEXT NOT NULL,
                    event_id TEXT NOT NULL,
                    event_type TEXT NOT NULL,
                    headers TEXT NOT NULL,
                    body {bytes} NOT NULL,
                    event_key TEXT,
                    created_at BIGINT NOT NULL,
                    attempts BIGINT NOT NULL DEFAULT 0,
                    parked_reason TEXT,
                    published_at BIGINT,
                    place TEXT,
                    UNIQUE (source, event_id)
                )"
            ),
            Self::LEASES.to_owned(),
        ]
    }

    /// Statements that upgrade a table of an earlier version, given its columns.
    pub(crate) fn additions(has_published_at: bool) -> Vec<&'static str> {
        let mut statements = Vec::new();
        if !has_published_at {
            statements.push("ALTER TABLE fanfare_outbox ADD COLUMN published_at BIGINT");
            statements.push("ALTER TABLE fanfare_outbox ADD COLUMN place TEXT");
        }
        statements.push(
            "CREATE INDEX IF NOT EXISTS fanfare_outbox_waiting ON fanfare_outbox (seq) \
             WHERE parked_reason IS NULL AND published_at IS NULL",
        );
        statements.push("DROP INDEX IF EXISTS fanfare_outbox_unsent");
        statements
    }

    /// Counts columns named `published_at` in the table.
    pub(crate) fn count_published_at(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT COUNT(*) FROM pragma_table_info('fanfare_outbox') WHERE name = 'published_at'",
            Self::Postgres => {
                "SELECT COUNT(*) FROM pg_attribute \
                 WHERE attrelid = CAST('fanfare_outbox' AS regclass) AND attname = 'published_at' AND NOT attisdropped"
            }
        }
    }
}
