//! The relay's target.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use fanfare_event::Encoded;

/// Why an event was not published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Nothing can be published at the moment: the whole relay pauses.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// It failed for a reason that need not affect other events, or its outcome is unknown. The relay retries with the
    /// same event id, and meanwhile continues with events of other orgs.
    #[error("to be tried again: {0}")]
    Retry(String),
    /// The receiver will never accept this event: it is parked with the reason, and its org's stream continues.
    #[error("rejected: {0}")]
    Rejected(String),
}

/// The place of an event in a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The partition.
    pub partition: u32,
    /// The offset in the partition.
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

/// A published event that is kept, in case the broker loses it.
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

/// What is stored at a row's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Its event.
    Itself,
    /// Another event, or the log ends before.
    Another,
    /// Nothing any more.
    Nothing,
}

/// Publishes one event; called again with the same event until it is stored or rejected.
#[async_trait]
pub trait Publisher: Send + Sync + 'static {
    /// Publishes the event and returns once it is stored. Dropping the future may leave the outcome unknown.
    async fn publish(&self, event: &Encoded) -> Result<(), PublishError>;

    /// The same, with the place of the event, if it can be looked up later.
    async fn publish_placed(&self, event: &Encoded) -> Result<Option<Place>, PublishError> {
        self.publish(event).await.map(|()| None)
    }

    /// How long the receiver may still lose acknowledged events: its durability horizon. The relay keeps rows for that
    /// long, and checks whether the events are still stored.
    fn horizon(&self) -> Duration {
        Duration::ZERO
    }

    /// Whether a missing or strange answer suggests that it has, without a request.
    fn may_have_gone_back(&self) -> bool {
        false
    }

    /// Whether the receiver may have lost the end of its log since the last call.
    async fn went_back(&self) -> Result<bool, PublishError> {
        Ok(false)
    }

    /// What is stored at each of these rows' places.
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
