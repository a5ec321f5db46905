//! What can go wrong with the outbox's tables.

/// What went wrong with the outbox.
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
    /// The producer appended an event whose id waits in the outbox already.
    #[error("event {id:?} of source {source_name:?} is in the outbox already; every event needs an id of its own")]
    DuplicateEvent {
        /// The source.
        source_name: String,
        /// The id.
        id: String,
    },
    /// The producer appended an event that no node would take.
    #[error("the event has {size} bytes, but an event may have {limit} at most")]
    TooLarge {
        /// The body's size.
        size: usize,
        /// The largest body.
        limit: usize,
    },
    /// The producer appended an event whose attributes are not valid.
    #[error("the event's attributes are not valid: {0}")]
    InvalidEvent(#[from] fanfare_event::AttributesError),
}
