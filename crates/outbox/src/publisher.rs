//! Where the relay publishes to.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

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

/// Where a broker keeps an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The partition.
    pub partition: u32,
    /// The place in the partition.
    pub offset: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.partition, self.offset)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (partition, offset) = text.split_once('-').ok_or(())?;
        let (Ok(partition), Ok(offset)) = (partition.parse(), offset.parse()) else { return Err(()) };
        Ok(Self { partition, offset })
    }
}

/// An event that was published and is kept, lest the broker forgets it.
#[derive(Debug, Clone)]
pub struct PublishedRow {
    /// Its row.
    pub seq: i64,
    /// Where it was stored.
    pub place: Place,
    /// The event.
    pub event: Encoded,
    /// When it was published, by the database's clock in milliseconds.
    pub published_at: i64,
}

/// What is where a row was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Its event.
    Itself,
    /// Something else, or the log ends before.
    Another,
    /// Nothing any more.
    Nothing,
}

/// Publishes one event; called again with the same event until it succeeds or is rejected.
#[async_trait]
pub trait Publisher: Send + Sync + 'static {
    /// Publishes the event and returns once it is stored. Dropping the future may leave the outcome unknown.
    async fn publish(&self, event: &Encoded) -> Result<(), PublishError>;

    /// The same, with the place where it is stored, if there is one to be found again.
    async fn publish_placed(&self, event: &Encoded) -> Result<Option<Place>, PublishError> {
        self.publish(event).await.map(|()| None)
    }

    /// For how long the other side may still lose what it has answered for: its durability horizon. The relay keeps
    /// rows so long, and asks whether they are there.
    fn horizon(&self) -> Duration {
        Duration::ZERO
    }

    /// Whether an answer that failed to come, or one that came, tells that this may be so, without asking anybody.
    fn may_have_gone_back(&self) -> bool {
        false
    }

    /// Whether the other side may have lost the end of what it has answered for since this was asked last.
    async fn went_back(&self) -> Result<bool, PublishError> {
        Ok(false)
    }

    /// What is where each of these was stored.
    async fn look(&self, rows: &[&PublishedRow]) -> Result<Vec<Found>, PublishError> {
        Ok(vec![Found::Itself; rows.len()])
    }
}

#[async_trait]
impl<P: Publisher + ?Sized> Publisher for Box<P> {
    async fn publish(&self, event: &Encoded) -> Result<(), PublishError> {
        (**self).publish(event).await
    }

    async fn publish_placed(&self, event: &Encoded) -> Result<Option<Place>, PublishError> {
        (**self).publish_placed(event).await
    }

    fn horizon(&self) -> Duration {
        (**self).horizon()
    }

    fn may_have_gone_back(&self) -> bool {
        (**self).may_have_gone_back()
    }

    async fn went_back(&self) -> Result<bool, PublishError> {
        (**self).went_back().await
    }

    async fn look(&self, rows: &[&PublishedRow]) -> Result<Vec<Found>, PublishError> {
        (**self).look(rows).await
    }
}
