//! The producer's side of the outbox.

use std::sync::Arc;
use std::time::Duration;

use fanfare_event::{Encoded, MAX_BODY, Registry};
use sqlx::{Any, AnyPool, AssertSqlSafe, Transaction};
use tokio::sync::Notify;

use crate::dialect::Dialect;
use crate::error::OutboxError;
use crate::shape::Shape;
use crate::table::Table;

/// The outbox of one database; clones share it.
#[derive(Debug, Clone)]
pub struct Outbox {
    pub(crate) table: Table,
    pub(crate) woken: Arc<Notify>,
}

/// An event that the receiver rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// The row's number, for [`Outbox::unpark`].
    pub seq: i64,
    /// The event's source.
    pub source: String,
    /// The event's id.
    pub event_id: String,
    /// The event's type.
    pub event_type: String,
    /// The reason for the rejection.
    pub reason: String,
    /// When it was appended, in milliseconds since the epoch.
    pub created_at: i64,
    /// The number of attempts.
    pub attempts: i64,
}

impl Outbox {
    /// Creates the outbox's tables in this database if they do not exist.
    pub async fn install(pool: AnyPool) -> Result<Self, OutboxError> {
        let dialect = Dialect::of(pool.acquire().await?.backend_name())?;
        if dialect == Dialect::Sqlite {
            write_ahead(&pool).await?;
        }
        let mut tx = pool.begin_with(dialect.begin()).await?;
        for statement in dialect.schema() {
            sqlx::query(AssertSqlSafe(statement)).execute(&mut *tx).await?;
        }
        let columns: i64 = sqlx::query_scalar(dialect.count_published_at()).fetch_one(&mut *tx).await?;
        for statement in Dialect::additions(columns > 0) {
            sqlx::query(statement).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(Self { table: Table { pool, dialect, shape: Arc::new(Shape::Encoded) }, woken: Arc::new(Notify::new()) })
    }

    /// Opens a table that services in other languages fill with JSON (docs/publishing.md has its columns), and creates
    /// the table of leases if it does not exist.
    ///
    /// Events cannot be appended through it.
    pub async fn open_json(pool: AnyPool, table: &str, registry: Registry) -> Result<Self, OutboxError> {
        let shape = Shape::json(table, registry)?;
        let dialect = Dialect::of(pool.acquire().await?.backend_name())?;
        let missing = |error: sqlx::Error| match error {
            sqlx::Error::Database(reason) => {
                OutboxError::Table { table: table.to_owned(), reason: reason.message().to_owned() }
            }
            other => other.into(),
        };
        let probe = sqlx::query(AssertSqlSafe(shape.probe())).execute(&pool).await;
        probe.map_err(missing)?;
        let leases = sqlx::query("SELECT COUNT(*) FROM fanfare_outbox_lease").execute(&pool).await;
        if leases.is_err() {
            sqlx::query(Dialect::LEASES).execute(&pool).await?;
        }
        Ok(Self { table: Table { pool, dialect, shape: Arc::new(shape) }, woken: Arc::new(Notify::new()) })
    }

    /// Begins a writing transaction.
    ///
    /// Prefer this to the pool's own `begin`: on SQLite it takes the write lock first, so that a write of the relay
    /// between a read and a write of this transaction cannot make it fail.
    pub async fn begin(&self) -> Result<Transaction<'static, Any>, OutboxError> {
        Ok(self.table.pool.begin_with(self.table.dialect.begin()).await?)
    }

    /// Appends an event in the transaction of the change that it reports.
    ///
    /// Events of one org are published in the order in which they were appended, so append while holding the lock that
    /// orders the changes. An event without a `traceparent` gets that of the current span.
    pub async fn append(&self, tx: &mut Transaction<'_, Any>, event: &Encoded) -> Result<(), OutboxError> {
        if !matches!(*self.table.shape, Shape::Encoded) {
            return Err(OutboxError::NotOurs(self.table.shape.lease()));
        }
        event.attributes.validate()?;
        if event.body.len() > MAX_BODY {
            return Err(OutboxError::TooLarge { size: event.body.len(), limit: MAX_BODY });
        }
        let stored = match fanfare_telemetry::traceparent() {
            Some(traceparent) if event.attributes.traceparent.is_none() => {
                let mut traced = event.clone();
                traced.attributes.traceparent = Some(traceparent);
                self.table.insert(tx, &traced).await?
            }
            _ => self.table.insert(tx, event).await?,
        };
        if stored {
            return Ok(());
        }
        let attributes = &event.attributes;
        Err(OutboxError::DuplicateEvent { source_name: attributes.source.clone(), id: attributes.id.clone() })
    }

    /// Notifies the relay of this process that a transaction was committed, so that it need not wait for its next poll.
    pub fn wake(&self) {
        self.woken.notify_one();
    }

    /// The rejected events, oldest first.
    pub async fn parked(&self, limit: u32) -> Result<Vec<Parked>, OutboxError> {
        self.table.parked(limit).await
    }

    /// Makes the relay retry a rejected event; false if no such event is parked.
    pub async fn unpark(&self, seq: i64) -> Result<bool, OutboxError> {
        let unparked = self.table.unpark(seq).await?;
        self.wake();
        Ok(unparked)
    }

    /// The number of events that wait to be published.
    pub async fn pending(&self) -> Result<u64, OutboxError> {
        Ok(self.table.backlog().await?.unsent)
    }
}

/// Turns write-ahead logging on, so that readers and the writer do not wait for each other.
async fn write_ahead(pool: &AnyPool) -> Result<(), OutboxError> {
    const ATTEMPTS: u32 = 50;
    for attempt in 1.. {
        match sqlx::query("PRAGMA journal_mode = WAL").execute(pool).await {
            Ok(_) => break,
            // SQLite does not wait by itself while another process makes the same switch.
            Err(sqlx::Error::Database(error)) if attempt < ATTEMPTS && error.message().contains("locked") => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
