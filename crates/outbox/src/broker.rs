//! Publishing directly to the broker that the fan-out reads from.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fanfare_broker::{Broker, Message, PublishError as BrokerError, Stream};
use fanfare_event::{Encoded, Registry, Value};

use crate::publisher::{Found, Place, PublishError, PublishedRow, Publisher};
use crate::tail::{self, Tail};

/// The longest time for one publication. Brokers have time-outs of their own; this one covers what they miss.
const TIMEOUT: Duration = Duration::from_secs(30);
const TRACEPARENT: &str = "traceparent";

/// Publishes to a broker.
pub struct BrokerPublisher {
    broker: Arc<dyn Broker>,
    registry: Registry,
    timeout: Duration,
    /// As long as the broker says if absent.
    horizon: Option<Duration>,
    tail: Tail,
}

impl BrokerPublisher {
    /// A publisher of events of the built-in schemas.
    #[must_use]
    pub fn new(broker: Arc<dyn Broker>) -> Self {
        let (registry, horizon) = (Registry::builtin(), Some(Duration::ZERO));
        Self { broker, registry, timeout: TIMEOUT, horizon, tail: Tail::default() }
    }

    /// Uses the schemas of this registry instead of the built-in ones.
    #[must_use]
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = registry;
        self
    }

    /// Waits this long for an answer instead of 30 seconds.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Keeps published events this long, and publishes them again if the broker has lost them: at least twice the time
    /// in which the broker writes acknowledged events to its disks. Without this nothing is kept.
    #[must_use]
    pub fn horizon(mut self, horizon: Duration) -> Self {
        self.horizon = Some(horizon);
        self
    }

    /// The same, for as long as this broker may lose what it has answered for: as it says, as soon as it does, else a default
    /// by kind of broker.
    #[must_use]
    pub fn horizon_of_broker(mut self) -> Self {
        self.horizon = None;
        self
    }

    fn message(&self, event: &Encoded) -> Message {
        let attributes = &event.attributes;
        let mut headers = attributes.to_headers();
        if let Some(current) = fanfare_telemetry::traceparent() {
            headers.retain(|(name, _)| name != TRACEPARENT);
            headers.push((TRACEPARENT.to_owned(), current));
        }
        Message {
            stream: if event.key.is_some() { Stream::State } else { Stream::Events },
            org: attributes.org.as_ref().map(ToString::to_string),
            topic: attributes.event_type.as_str().to_owned(),
            key: event.key.clone().or_else(|| self.user(event)),
            id: attributes.dedup_id(),
            headers,
            body: Bytes::copy_from_slice(&event.body),
        }
    }

    /// The user by whom an event without an org is ordered; nodes compare it with the body.
    fn user(&self, event: &Encoded) -> Option<String> {
        if event.attributes.org.is_some() {
            return None;
        }
        // An event that this producer cannot decode has no user here; the fan-out then reports why it cannot be
        // decoded.
        match self.registry.decode(&event.body).ok()?.get("user")? {
            Value::String(user) => Some(user.to_string()),
            _ => None,
        }
    }
}

#[async_trait]
impl Publisher for BrokerPublisher {
    async fn publish(&self, event: &Encoded) -> Result<(), PublishError> {
        self.publish_placed(event).await.map(drop)
    }

    async fn publish_placed(&self, event: &Encoded) -> Result<Option<Place>, PublishError> {
        let before = self.tail.before();
        let publishing = self.broker.publish(self.message(event));
        match tokio::time::timeout(self.timeout, publishing).await {
            Ok(Ok(published)) if published.conflicting => {
                Err(PublishError::Rejected("the id was used before, for another event of this source".to_owned()))
            }
            Ok(Ok(published)) => {
                let place = Place { partition: published.partition, offset: published.offset };
                // A duplicate is stored where the first event with its id is.
                if !published.duplicate {
                    self.tail.stored(&before, place);
                }
                Ok(Some(place))
            }
            Ok(Err(error)) => {
                if matches!(error, BrokerError::NotStored(_) | BrokerError::Unknown(_)) {
                    self.tail.unanswered();
                }
                Err(failure(error))
            }
            // It may have been stored; the same id again is safe.
            Err(_) => Err(PublishError::Retry(format!("the broker did not answer within {:?}", self.timeout))),
        }
    }

    fn horizon(&self) -> Duration {
        self.horizon.unwrap_or_else(|| self.broker.horizon())
    }

    fn may_have_gone_back(&self) -> bool {
        self.tail.is_unsure()
    }

    async fn went_back(&self) -> Result<bool, PublishError> {
        self.tail.asks();
        let head = self.broker.head().await.map_err(|error| tail::unknown(&error))?;
        Ok(self.tail.went_back(&head))
    }

    async fn look(&self, rows: &[&PublishedRow]) -> Result<Vec<Found>, PublishError> {
        tail::look(&self.broker, rows).await
    }
}

/// The relay's reaction: an event that may be stored later keeps its place in the order.
fn failure(error: BrokerError) -> PublishError {
    match error {
        // The broker is unreachable or refuses this producer: other events would fail as well.
        BrokerError::NotStored(reason) => PublishError::Unreachable(reason),
        // Only some topics are affected: other events must not wait for them.
        BrokerError::Refused(reason) | BrokerError::Unknown(reason) => PublishError::Retry(reason),
        BrokerError::Invalid(_) | BrokerError::TooLarge { .. } => PublishError::Rejected(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stops_every_event_stops_the_relay() {
        let reason = || "because".to_owned();
        assert_eq!(failure(BrokerError::NotStored(reason())), PublishError::Unreachable(reason()));
        assert_eq!(failure(BrokerError::Refused(reason())), PublishError::Retry(reason()));
        assert_eq!(failure(BrokerError::Unknown(reason())), PublishError::Retry(reason()));
        assert!(matches!(failure(BrokerError::Invalid(reason())), PublishError::Rejected(_)));
    }
}
