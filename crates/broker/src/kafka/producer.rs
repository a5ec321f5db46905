//! Publishing: one idempotent producer, which keeps the order also when it retries.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use rdkafka::util::Timeout;

use super::client::{self, Context};
use super::cluster::{Cluster, ask};
use super::options::OpenError;
use crate::error::PublishError;

/// How long it counts that the cluster was found to be away.
const AWAY: Duration = Duration::from_millis(300);

/// A record to write.
pub(super) struct Outgoing<'a> {
    pub(super) topic: &'a str,
    pub(super) key: &'a str,
    pub(super) headers: OwnedHeaders,
    /// None removes the key from a compacted topic.
    pub(super) body: Option<&'a [u8]>,
}

/// The place of a written record.
pub(super) struct Written {
    pub(super) partition: i32,
    pub(super) offset: u64,
}

type Client = FutureProducer<Context>;

/// Writes records.
pub(super) struct Producer {
    cluster: Arc<Cluster>,
    client: Mutex<Arc<Client>>,
    silence: Mutex<Silence>,
    /// When and why the cluster was found to be unreachable. Because of the lock, one publisher checks for all that
    /// wait.
    away: tokio::sync::Mutex<Option<(Instant, String)>>,
}

impl Producer {
    pub(super) fn new(cluster: Arc<Cluster>) -> Result<Self, OpenError> {
        let client = Mutex::new(Arc::new(make(&cluster)?));
        Ok(Self { cluster, client, silence: Mutex::default(), away: tokio::sync::Mutex::new(None) })
    }

    /// Writes a record and waits until all in-sync replicas have it.
    pub(super) async fn write(&self, record: Outgoing<'_>) -> Result<Written, PublishError> {
        self.reachable().await?;
        let size = record.body.map_or(0, <[u8]>::len);
        let mut new = FutureRecord::<str, [u8]>::to(record.topic).key(record.key).headers(record.headers);
        if let Some(body) = record.body {
            new = new.payload(body);
        }
        let client = self.client();
        // A full queue is reported at once: the publisher knows best whether to wait.
        match client.send(new, Timeout::After(Duration::ZERO)).await {
            Ok(delivery) => {
                self.cluster.connections.worked();
                self.silence().end();
                let offset = u64::try_from(delivery.offset);
                let offset = offset.map_err(|_| PublishError::Unknown("the cluster returned no offset".into()))?;
                Ok(Written { partition: delivery.partition, offset })
            }
            Err((error, _)) => {
                self.renew_if_broken(&client, &error).await;
                Err(publish_error(&error, record.topic, size, client::largest_record(&self.cluster.options)))
            }
        }
    }

    /// Waits until all accepted records are answered.
    pub(super) async fn flush(&self) {
        let (client, patience) = (self.client(), self.cluster.options.delivery_timeout);
        // Records that are not written by then have been answered as unknown.
        let _ = tokio::task::spawn_blocking(move || client.flush(patience)).await;
    }

    fn client(&self) -> Arc<Client> {
        Arc::clone(&self.client.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Without a connection a record would wait for one, and nobody could say afterwards whether it was sent.
    async fn reachable(&self) -> Result<(), PublishError> {
        if self.cluster.connections.fault().is_none() {
            return Ok(());
        }
        let mut away = self.away.lock().await;
        if self.cluster.connections.fault().is_none() {
            return Ok(());
        }
        if let Some((_, reason)) = away.as_ref().filter(|(since, _)| since.elapsed() < AWAY) {
            return Err(PublishError::NotStored(reason.clone()));
        }
        match ask(&self.cluster, |cluster| cluster.partitions()).await {
            Ok(_) => {
                *away = None;
                Ok(())
            }
            Err(error) => {
                *away = Some((Instant::now(), error.to_string()));
                Err(PublishError::NotStored(error.to_string()))
            }
        }
    }

    /// Writes with the login of now; what was given to the client before is still answered.
    pub(super) fn log_in(&self) {
        self.renew(&self.client(), "there is another login");
    }

    fn silence(&self) -> MutexGuard<'_, Silence> {
        self.silence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An idempotent producer that lost count of its records refuses all further ones for good. One whose connections
    /// were frozen and killed in turn sent nothing more for a minute, while other clients reached the cluster.
    async fn renew_if_broken(&self, used: &Arc<Client>, error: &KafkaError) {
        if let Some((code, reason)) = used.client().fatal_error() {
            return self.renew(used, &format!("{code}: {reason}"));
        }
        let timed_out = error.rdkafka_error_code() == Some(Code::MessageTimedOut);
        let too_long =
            timed_out && self.silence().is_longer_than(self.cluster.options.delivery_timeout, Instant::now());
        if too_long && ask(&self.cluster, |cluster| cluster.partitions()).await.is_ok() {
            self.renew(used, "nothing it was given was answered, and the cluster is there");
        }
    }

    fn renew(&self, used: &Arc<Client>, reason: &str) {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&client, used) {
            return;
        }
        tracing::warn!(reason, "the producer is recreated");
        self.silence().end();
        match make(&self.cluster) {
            Ok(new) => client::end(std::mem::replace(&mut *client, Arc::new(new))),
            Err(error) => tracing::error!(%error, "cannot create a new producer"),
        }
    }
}

/// Since when a producer has got no answer at all.
#[derive(Debug, Default)]
struct Silence(Option<Instant>);

impl Silence {
    /// Notes that a message timed out; returns whether that has lasted too long.
    fn is_longer_than(&mut self, time: Duration, now: Instant) -> bool {
        let since = *self.0.get_or_insert(now);
        now.saturating_duration_since(since) >= time
    }

    fn end(&mut self) {
        self.0 = None;
    }
}

fn make(cluster: &Cluster) -> Result<Client, OpenError> {
    let config = client::writing(&cluster.config(), &cluster.options);
    config.create_with_context(cluster.context()).map_err(client::open_error)
}

/// The outcome of a record. Only a record that the cluster or the queue certainly did not accept counts as not stored.
pub(super) fn publish_error(error: &KafkaError, topic: &str, size: usize, limit: usize) -> PublishError {
    let Some(code) = error.rdkafka_error_code() else {
        return PublishError::Unknown(error.to_string());
    };
    let not_stored = |reason: &str| PublishError::NotStored(reason.to_owned());
    match code {
        Code::QueueFull => not_stored("too many messages wait to be written"),
        Code::PurgeQueue => not_stored("the broker was closed before the message was sent"),
        Code::MessageSizeTooLarge | Code::InvalidMessageSize => {
            PublishError::TooLarge { part: "the record, with a topic's max.message.bytes below it,", size, limit }
        }
        Code::InvalidRecord => PublishError::Invalid("the cluster refuses the record".into()),
        code if client::is_missing(code) => {
            PublishError::Refused(format!("the topic {topic} or its partition is gone; create it again"))
        }
        Code::TopicAuthorizationFailed => {
            PublishError::Refused(format!("this user has no right to write to the topic {topic}"))
        }
        Code::PolicyViolation | Code::UnsupportedForMessageFormat | Code::InvalidTimestamp => {
            PublishError::Refused(format!("the topic {topic} does not take the record: {code}"))
        }
        code if client::missing_right(code).is_some() => not_stored("this user has no right to write to the cluster"),
        Code::Authentication | Code::SaslAuthenticationFailed | Code::InvalidRequiredAcks => {
            PublishError::NotStored(code.to_string())
        }
        // Sent and not answered in time, written to too few replicas, a producer that lost count, and everything else.
        code => PublishError::Unknown(code.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_counts_from_the_first_message_that_timed_out_to_the_next_answer() {
        let (mut silence, begun) = (Silence::default(), Instant::now());
        let after = |seconds| begun + Duration::from_secs(seconds);
        let limit = Duration::from_secs(10);
        assert!(!silence.is_longer_than(limit, begun));
        assert!(!silence.is_longer_than(limit, after(9)));
        assert!(silence.is_longer_than(limit, after(10)));
        silence.end();
        assert!(!silence.is_longer_than(limit, after(11)));
        assert!(!silence.is_longer_than(limit, after(20)));
        assert!(silence.is_longer_than(limit, after(21)));
    }

    #[test]
    fn only_what_was_surely_not_taken_is_not_stored() {
        let outcome = |code| publish_error(&KafkaError::MessageProduction(code), "events.auth", 7, 5);
        for code in [Code::QueueFull, Code::PurgeQueue, Code::ClusterAuthorizationFailed] {
            assert!(matches!(outcome(code), PublishError::NotStored(_)), "{code}");
        }
        for code in [Code::UnknownTopic, Code::UnknownPartition, Code::TopicAuthorizationFailed] {
            let refused = outcome(code);
            assert!(matches!(&refused, PublishError::Refused(why) if why.contains("events.auth")), "{refused:?}");
        }
        for code in [
            Code::MessageTimedOut,
            Code::PurgeInflight,
            Code::NotEnoughReplicasAfterAppend,
            Code::BrokerTransportFailure,
            Code::OutOfOrderSequenceNumber,
            Code::Fatal,
        ] {
            assert!(matches!(outcome(code), PublishError::Unknown(_)), "{code}");
        }
        let too_large = outcome(Code::MessageSizeTooLarge);
        assert!(matches!(too_large, PublishError::TooLarge { size: 7, limit: 5, .. }), "{too_large}");
    }
}
