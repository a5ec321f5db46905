//! Publishing, and its outcomes.

use serde::Deserialize;

use super::request::{Failure, TOO_LARGE, parse};
use super::streams::Kind;
use super::{Shared, partition, subject, wire};
use crate::error::{BrokerError, PublishError};
use crate::message::{Message, Published, Stream};

/// How long a stream keeps a tombstone, on servers that let a message expire. Readers that were away for longer read
/// all state again anyway.
const TOMBSTONE_LIFE: &str = "168h";

/// The server's acknowledgement that a message is stored.
#[derive(Debug, Deserialize)]
struct Ack {
    seq: u64,
    #[serde(default)]
    duplicate: bool,
}

impl Shared {
    pub(super) async fn publish(&self, message: Message) -> Result<Published, PublishError> {
        self.options.limits.check(&message)?;
        check_names(&message)?;
        let expires = self.check_publishing().await.map_err(not_stored)?;
        let kind = match message.stream {
            Stream::Events => Kind::Events,
            Stream::State => Kind::State,
        };
        let mut headers = wire::headers(&message);
        // Another stream may have taken over the subject meanwhile.
        headers.insert("Nats-Expected-Stream", self.name(kind).as_str());
        if message.is_tombstone() && expires {
            headers.insert("Nats-TTL", TOMBSTONE_LIFE);
        }
        let subject = subject::of(&message);
        self.check_size(&message, &subject).await?;
        let ack = self.store(&subject, headers, message.body.clone()).await?;
        let conflicting = ack.duplicate && self.differs(kind, ack.seq, &message).await;
        let partition = partition(message.stream);
        Ok(Published { partition, offset: ack.seq, duplicate: ack.duplicate, conflicting })
    }

    /// Stores a fully prepared message.
    async fn store(
        &self,
        subject: &str,
        headers: async_nats::HeaderMap,
        body: bytes::Bytes,
    ) -> Result<Ack, PublishError> {
        let asked = self.ask(subject, Some(headers), body).await;
        asked.and_then(|answer| parse::<Ack>(subject, &answer)).map_err(|failure| self.outcome(subject, failure))
    }

    /// Stores a message whose acknowledgement does not matter, only its failure.
    pub(super) async fn store_plain(
        &self,
        subject: &str,
        headers: async_nats::HeaderMap,
        body: bytes::Bytes,
    ) -> Result<(), Failure> {
        let answer = self.ask(subject, Some(headers), body).await?;
        parse::<Ack>(subject, &answer).map(|_| ())
    }

    /// Converts a failure into an error of publishing.
    pub(super) fn outcome(&self, subject: &str, failure: Failure) -> PublishError {
        match failure {
            Failure::NotSent(error) => not_stored(error),
            // If answers do not arrive, no other subject works either.
            Failure::Forbidden(said) if self.link.deaf().is_some() => PublishError::NotStored(said),
            Failure::Forbidden(said) => PublishError::Refused(said),
            Failure::Nobody => {
                self.check_again();
                PublishError::NotStored(format!("no stream takes the subject {subject}"))
            }
            Failure::Unknown(said) => PublishError::Unknown(said),
            Failure::Fault(fault) if fault.err_code == TOO_LARGE => {
                PublishError::Invalid(format!("the stream does not take it: {}", fault.description))
            }
            Failure::Fault(fault) => {
                self.check_again();
                PublishError::NotStored(format!("NATS: {} ({})", fault.description, fault.err_code))
            }
        }
    }

    /// Whether the server accepts a message of this size.
    async fn check_size(&self, message: &Message, subject: &str) -> Result<(), PublishError> {
        // What a header costs beyond its name and value, and the headers that are added to the message's own.
        const PER_HEADER: usize = 4;
        const OWN_HEADERS: usize = 160;
        let limit = self.max_payload().await.map_err(not_stored)?;
        let framing = PER_HEADER * message.headers.len() + OWN_HEADERS + subject.len();
        let size = message.body.len() + message.headers_size() + message.id.len() + framing;
        if size > limit {
            return Err(PublishError::TooLarge { part: "message", size, limit });
        }
        Ok(())
    }

    /// The largest message that the server accepts, headers included.
    pub(super) async fn max_payload(&self) -> Result<usize, BrokerError> {
        self.link.client().await.map(|(client, _)| client.max_payload())
    }

    /// Whether the first record stored with this id is another one. False if that can no longer be determined.
    async fn differs(&self, kind: Kind, sequence: u64, message: &Message) -> bool {
        match self.stored(kind, sequence).await {
            Ok(Some(parts)) => {
                let first = wire::record(parts).message;
                first.org != message.org
                    || first.topic != message.topic
                    || (kind == Kind::State && first.key != message.key)
                    || first.body != message.body
            }
            Ok(None) => false,
            Err(error) => {
                tracing::debug!(%error, sequence, "the first record of an id could not be compared");
                false
            }
        }
    }
}

fn check_names(message: &Message) -> Result<(), PublishError> {
    if let Some((name, _)) = message.headers.iter().find(|(name, _)| wire::is_reserved(name)) {
        return Err(PublishError::Invalid(format!(
            "header {name} means something to NATS; names with Nats- are its own"
        )));
    }
    if !subject::has_no_empty_part(&message.topic) {
        return Err(PublishError::Invalid(format!("topic {:?} has an empty part", message.topic)));
    }
    if message.id.trim() != message.id {
        return Err(PublishError::Invalid("id begins or ends with a space, which NATS would cut off".into()));
    }
    Ok(())
}

pub(super) fn not_stored(error: BrokerError) -> PublishError {
    PublishError::NotStored(error.to_string())
}
