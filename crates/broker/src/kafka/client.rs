//! librdkafka's clients: their settings, and the meaning of their errors.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::ids::TopicIds;
use super::options::{OpenError, Options};
use crate::error::BrokerError;
use crate::properties::is_reserved;

/// How much larger a message's record may be than its parts.
pub(super) const FRAMING: usize = 64 * 1024;

/// The largest record that a client writes.
pub(super) fn largest_record(options: &Options) -> usize {
    options.limits.largest_message() + FRAMING
}

/// How often it is looked whether a client is still used that is to end.
const USED: Duration = Duration::from_millis(300);

/// What clients report about their connections.
#[derive(Debug, Default)]
pub(super) struct Connections {
    last_fault: Mutex<Option<(Code, String)>>,
}

impl Connections {
    /// The last fault since a call succeeded.
    pub(super) fn fault(&self) -> Option<(Code, String)> {
        self.last_fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes that a call succeeded.
    pub(super) fn worked(&self) {
        *self.last_fault.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn failed(&self, code: Code, reason: &str) {
        let mut last = self.last_fault.lock().unwrap_or_else(PoisonError::into_inner);
        // That all servers are down is reported last, but says the least.
        if code != Code::AllBrokersDown || last.is_none() {
            *last = Some((code, reason.to_owned()));
        }
    }
}

/// Takes what a client reports outside its answers.
#[derive(Debug, Clone, Default)]
pub(super) struct Context {
    pub(super) connections: Arc<Connections>,
    /// The ids of the topics, as this client learnt them.
    pub(super) ids: Arc<TopicIds>,
    /// How much this client has logged.
    words: Arc<AtomicU64>,
}

impl Context {
    /// The context of another client of the same cluster.
    pub(super) fn another(&self) -> Self {
        Self { connections: Arc::clone(&self.connections), ..Self::default() }
    }

    pub(super) fn words(&self) -> u64 {
        self.words.load(Ordering::Relaxed)
    }
}

impl ClientContext for Context {
    // Everything important is also returned as an error, with a sentence of ours around it. The exception is the ids of
    // topics, which the library reports nowhere else.
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.words.fetch_add(1, Ordering::Relaxed);
        match level {
            RDKafkaLogLevel::Debug => {
                self.ids.hear(message);
                tracing::trace!(facility, "librdkafka: {message}");
            }
            _ => tracing::debug!(?level, facility, "librdkafka: {message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.words.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(%error, "librdkafka: {reason}");
        if let Some(code) = error.rdkafka_error_code() {
            self.connections.failed(code, reason);
        }
    }
}

impl ConsumerContext for Context {}

/// The settings of all clients.
pub(super) fn config(options: &Options) -> Result<ClientConfig, OpenError> {
    if options.servers.is_empty() {
        return Err(OpenError::NoServer);
    }
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", options.servers.join(","))
        .set("client.id", &options.prefix)
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "2000")
        .set("socket.keepalive.enable", "true")
        // A connection that a firewall forgot answers nothing and never closes. By default it is waited for a minute,
        // in which a reader receives nothing.
        .set("socket.timeout.ms", "15000")
        .set("socket.nagle.disable", "true")
        .set("retry.backoff.ms", "50")
        // If no known server can be reached any more, the configured names are resolved again.
        .set("metadata.recovery.strategy", "rebootstrap")
        .set("topic.metadata.refresh.fast.interval.ms", "100");
    for (name, value) in &options.properties {
        if is_reserved(name) {
            return Err(OpenError::Reserved(name.clone()));
        }
        config.set(name, value);
    }
    // Logs the ids of topics; see `ids.rs`.
    let debug = options.properties.get("debug").map_or("topic".to_owned(), |more| format!("topic,{more}"));
    config.set("debug", debug).set_log_level(RDKafkaLogLevel::Debug);
    // librdkafka checks each property's name and value here.
    match config.create_native_config() {
        Ok(_) => Ok(config),
        Err(error) => Err(open_error(error)),
    }
}

/// The settings of a client that reads.
pub(super) fn reading(config: &ClientConfig, options: &Options, partitions: usize) -> ClientConfig {
    let each = (options.ahead_bytes / partitions.max(1) / 1024).clamp(64, 1 << 20);
    let mut config = config.clone();
    config
        // librdkafka requires a name for the group, which is never joined: partitions are assigned explicitly.
        .set("group.id", format!("{}-reader", options.prefix))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "false")
        .set("allow.auto.create.topics", "false")
        .set("check.crcs", "true")
        .set("fetch.wait.max.ms", "250")
        .set("fetch.error.backoff.ms", "50")
        .set("fetch.queue.backoff.ms", "20")
        .set("fetch.message.max.bytes", "524288")
        .set("fetch.max.bytes", (8 << 20).max(largest_record(options)).to_string())
        .set("queued.max.messages.kbytes", each.to_string());
    config
}

/// The settings of the client that writes.
pub(super) fn writing(config: &ClientConfig, options: &Options) -> ClientConfig {
    let mut config = config.clone();
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("delivery.timeout.ms", options.delivery_timeout.as_millis().to_string())
        .set("linger.ms", "1")
        // Producers that know different numbers of partitions would spread a key.
        .set("topic.metadata.refresh.interval.ms", "20000")
        .set("queue.buffering.max.messages", "20000")
        .set("queue.buffering.max.kbytes", (64 << 10).to_string())
        .set("message.max.bytes", largest_record(options).to_string())
        // The partitioner of Java's producers, so that a foreign producer finds the same partition for the same key.
        .set("partitioner", "murmur2_random");
    config
}

/// The largest batch of records that the writing client may send. A cluster that does not accept its size refuses all
/// its records, including those that it would accept one by one.
pub(super) fn largest_batch(config: &ClientConfig, options: &Options) -> Result<u64, OpenError> {
    let native = writing(config, options).create_native_config().map_err(open_error)?;
    let size = native.get("batch.size").map_err(open_error)?;
    let wrong = |_| OpenError::Property { name: "batch.size".into(), reason: format!("{size:?} is no number") };
    size.parse().map_err(wrong)
}

pub(super) fn open_error(error: KafkaError) -> OpenError {
    match error {
        KafkaError::ClientConfig(_, reason, name, _) => OpenError::Property { name, reason },
        other => OpenError::Client(other.to_string()),
    }
}

/// The meaning of an answer. `what` names the call.
pub(super) fn broker_error(what: &str, error: &KafkaError, connections: &Connections) -> BrokerError {
    let Some(code) = error.rdkafka_error_code() else {
        return BrokerError::Unavailable(format!("{what}: {error}"));
    };
    code_error(what, code, connections)
}

/// The meaning of an error code of the cluster.
pub(super) fn code_error(what: &str, code: Code, connections: &Connections) -> BrokerError {
    if let Some(right) = missing_right(code) {
        return BrokerError::Refused(format!("{what}: {right}"));
    }
    // A call that timed out has no reason; why there is no connection was reported separately.
    let (cause, reason) = connections.fault().unwrap_or((code, code.to_string()));
    let reason = format!("{what}: {reason}");
    match cause {
        Code::Authentication | Code::SaslAuthenticationFailed => {
            BrokerError::Refused(format!("{reason}; user, password or mechanism are wrong"))
        }
        Code::SSL if reason.contains("verif") => BrokerError::Refused(format!("{reason}; the certificates are wrong")),
        _ => BrokerError::Unavailable(reason),
    }
}

/// The right that the user lacks.
pub(super) fn missing_right(code: Code) -> Option<&'static str> {
    match code {
        Code::TopicAuthorizationFailed => Some("this user has no right to do that on the topic"),
        Code::ClusterAuthorizationFailed => Some("this user has no right to do that on the cluster"),
        Code::GroupAuthorizationFailed => Some("this user has no right to do that on the group"),
        _ => None,
    }
}

/// Ends a client that is no longer given out, once nobody uses it. That waits for its threads, which may take seconds:
/// not on a thread that serves others.
pub(super) fn end<T: Send + Sync + 'static>(old: Arc<T>) {
    let ending = std::thread::Builder::new().name("kafka-end".into()).spawn(move || {
        while Arc::strong_count(&old) > 1 {
            std::thread::sleep(USED);
        }
        drop(old);
    });
    if let Err(error) = ending {
        tracing::error!(%error, "cannot start the thread that ends a client");
    }
}

/// Whether an error means that a topic does not exist.
pub(super) fn is_missing(code: Code) -> bool {
    matches!(code, Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition | Code::UnknownTopicId)
}
