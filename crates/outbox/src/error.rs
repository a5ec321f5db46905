//! Errors of the outbox's tables.

/// An error of the outbox.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The database failed or refused; the transaction should be rolled back.
    #[error("the outbox's database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The database did not answer in time.
    #[error("the outbox's database did not answer within {0:?}")]
    Timeout(std::time::Duration),
    /// The database is neither SQLite nor PostgreSQL.
    #[error("the outbox works with SQLite and PostgreSQL, not with {0}")]
    UnsupportedDatabase(String),
    /// A text is not the name of a table.
    #[error("{0:?} is no name of a table: letters, digits and underscores, perhaps with its schema before a dot")]
    TableName(String),
    /// A table that others fill is missing, or lacks columns.
    #[error("the table {table} is not as docs/publishing.md says: {reason}")]
    Table {
        /// The table.
        table: String,
        /// The database's error.
        reason: String,
    },
    /// A caller tried to append to a table that others fill.
    #[error("the table {0} is filled by others")]
    NotOurs(String),
    /// The producer appended an event whose id is already in the outbox.
    #[error("event {id:?} of source {source_name:?} is in the outbox already; every event needs an id of its own")]
    DuplicateEvent {
        /// The source.
        source_name: String,
        /// The id.
        id: String,
    },
    /// The producer appended an event that no node would accept.
    #[error("the event has {size} bytes, but an event may have {limit} at most")]
    TooLarge {
        /// The body's size.
        size: usize,
        /// The largest body.
        limit: usize,
    },
    /// The producer appended an event with invalid attributes.
    #[error("the event's attributes are not valid: {0}")]
    InvalidEvent(#[from] fanfare_event::AttributesError),
}

impl OutboxError {
    /// Whether the database did not answer, so that trying again later may help.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Timeout(_) => true,
            Self::Database(error) => matches!(
                error,
                sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Protocol(_)
            ),
            _ => false,
        }
    }
}
