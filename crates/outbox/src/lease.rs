//! The lease that allows one relay to work at a time.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Row as _};
use tokio::time::{Instant, timeout};

use crate::error::OutboxError;
use crate::table::Table;

/// The right to relay the events of one database.
///
/// The database's clock decides when it is free. How long it is certainly held is measured here, from before the
/// request, so the two clocks need not agree, only run at about the same speed.
#[derive(Debug)]
pub(crate) struct Lease {
    table: Table,
    name: String,
    holder: String,
    length: Duration,
}

/// A lease that is held.
#[derive(Debug)]
pub(crate) struct Held {
    /// Grows with every new holder, so that a former holder cannot renew what it has lost.
    pub(crate) token: i64,
    /// Until when it is certainly held.
    pub(crate) until: Instant,
}

impl Lease {
    pub(crate) fn new(table: Table, length: Duration) -> Self {
        Self { name: table.shape.lease(), table, holder: uuid::Uuid::now_v7().to_string(), length }
    }

    /// Takes the lease if it is free.
    pub(crate) async fn acquire(&self) -> Result<Option<Held>, OutboxError> {
        let asked = Instant::now();
        let now = self.table.dialect.now();
        let sql = format!(
            "INSERT INTO fanfare_outbox_lease (name, holder, token, expires_at) VALUES ($3, $1, 1, {now} + $2)
            ON CONFLICT (name) DO UPDATE SET
                holder = excluded.holder,
                token = fanfare_outbox_lease.token + 1,
                expires_at = excluded.expires_at
            WHERE fanfare_outbox_lease.expires_at <= {now}
            RETURNING token"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(&self.holder).bind(self.length_ms()).bind(&self.name);
        let row = self.in_time(query.fetch_optional(&self.table.pool)).await?;
        let token = row.map(|row| row.try_get("token")).transpose()?;
        Ok(token.map(|token| Held { token, until: asked + self.length }))
    }

    /// Extends the lease; false if it was lost.
    pub(crate) async fn renew(&self, held: &mut Held) -> Result<bool, OutboxError> {
        let asked = Instant::now();
        let sql = format!(
            "UPDATE fanfare_outbox_lease SET expires_at = {} + $1 WHERE name = $4 AND holder = $2 AND token = $3",
            self.table.dialect.now()
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(self.length_ms()).bind(&self.holder).bind(held.token);
        let query = query.bind(&self.name);
        let renewed = self.in_time(query.execute(&self.table.pool)).await?.rows_affected() == 1;
        if renewed {
            held.until = asked + self.length;
        }
        Ok(renewed)
    }

    /// Releases the lease, so that the next relay need not wait until it expires.
    pub(crate) async fn release(&self, held: &Held) -> Result<(), OutboxError> {
        let sql = "UPDATE fanfare_outbox_lease SET expires_at = 0 WHERE name = $3 AND holder = $1 AND token = $2";
        let query = sqlx::query(sql).bind(&self.holder).bind(held.token).bind(&self.name);
        self.in_time(query.execute(&self.table.pool)).await?;
        Ok(())
    }

    pub(crate) fn length(&self) -> Duration {
        self.length
    }

    fn length_ms(&self) -> i64 {
        i64::try_from(self.length.as_millis()).unwrap_or(i64::MAX)
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, OutboxError> {
        // There is no use in waiting longer than the lease.
        Ok(timeout(self.length, work).await.map_err(|_| OutboxError::Timeout(self.length))??)
    }
}
