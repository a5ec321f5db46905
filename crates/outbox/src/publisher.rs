//! Where the relay publishes to.

use async_trait::async_trait;
use fanfare_event::Encoded;

/// Why an event was not published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Nothing can be published at the moment: the relay pauses as a whole.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// It failed, for a reason that other events need not share, or its outcome is unknown: the relay tries again with
    /// the same event id, and meanwhile goes on with events of other orgs.
    #[error("to be tried again: {0}")]
    Retry(String),
    /// The other side will never take this event: it is parked with the reason, and its org's stream goes on.
    #[error("rejected: {0}")]
    Rejected(String),
}

/// Publishes one event; called again with the same event until it succeeds or is rejected.
#[async_trait]
pub trait Publisher: Send + Sync + 'static {
    /// Publishes the event and returns once it is stored. Dropping the future may leave the outcome unknown.
    async fn publish(&self, event: &Encoded) -> Result<(), PublishError>;
}

#[async_trait]
impl<P: Publisher + ?Sized> Publisher for Box<P> {
    async fn publish(&self, event: &Encoded) -> Result<(), PublishError> {
        (**self).publish(event).await
    }
}
