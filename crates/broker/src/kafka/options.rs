//! The options with which a Kafka broker is opened.

use std::collections::BTreeMap;
use std::time::Duration;

use super::names::NameError;
use crate::limits::Limits;

/// How to reach a Kafka cluster, how its topics are named, and their required settings.
#[derive(Clone)]
pub struct Options {
    /// The first servers to contact, as `host:port`.
    pub servers: Vec<String>,
    /// The prefix of the topic of dead letters, before `.deadletter`; default `fanfare`.
    pub prefix: String,
    /// The prefix of the topics of events, before the service's name; default `events`.
    pub events: String,
    /// The prefix of the topics of state, before the service's name; default `state`.
    pub state: String,
    /// The services whose topics are read and written: the first parts of the messages' topics.
    pub services: Vec<String>,
    /// Whether missing topics are created; default true.
    pub create: bool,
    /// The number of partitions of a created topic; default 6.
    pub partitions: u32,
    /// The number of replicas of a created topic; the cluster's default if absent.
    pub replication: Option<u16>,
    /// Whether a risk to lose acknowledged messages is refused instead of only reported; default false.
    pub strict: bool,
    /// How long a created topic of events keeps them; default 24 hours.
    pub retention: Duration,
    /// How many bytes a created topic of events keeps, over all its partitions; default 1 GiB.
    pub retention_bytes: u64,
    /// The replay window: a topic of events that keeps them for less time is refused. Default 10 minutes.
    pub window: Duration,
    /// Whether only [`crate::Broker::publish`] is used, so that no topic of dead letters is needed.
    pub publish_only: bool,
    /// Settings of librdkafka, passed on unchanged, for instance `security.protocol`.
    pub properties: BTreeMap<String, String>,
    /// The largest message. A larger one is refused.
    pub limits: Limits,
    /// Records in one batch of a reader, at most; default 512.
    pub batch_records: usize,
    /// Bytes in one batch of a reader, at most; default 1 MiB, always at least one record.
    pub batch_bytes: usize,
    /// Bytes that a reader prefetches, at most, shared among its partitions; default 32 MiB.
    pub ahead_bytes: usize,
    /// How often a reader looks for new partitions and checks the old ones; default 4 s.
    pub look_interval: Duration,
    /// How long a call waits for the cluster before it fails as unavailable; default 5 s.
    pub request_timeout: Duration,
    /// How long a publish waits for its answer before its outcome is unknown; default 10 s.
    pub delivery_timeout: Duration,
    /// Whether the cluster is librdkafka's mock, which returns no settings of topics.
    #[cfg(test)]
    pub(super) is_mock: bool,
}

impl Options {
    /// The defaults, for these servers and services.
    pub fn new(servers: Vec<String>, services: Vec<String>) -> Self {
        Self { servers, services, ..Self::default() }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            prefix: "fanfare".into(),
            events: "events".into(),
            state: "state".into(),
            services: Vec::new(),
            create: true,
            partitions: 6,
            replication: None,
            strict: false,
            retention: Duration::from_secs(24 * 3600),
            retention_bytes: 1 << 30,
            window: Duration::from_secs(600),
            publish_only: false,
            properties: BTreeMap::new(),
            limits: Limits::default(),
            batch_records: 512,
            batch_bytes: 1 << 20,
            ahead_bytes: 32 << 20,
            look_interval: Duration::from_secs(4),
            request_timeout: Duration::from_secs(5),
            delivery_timeout: Duration::from_secs(10),
            #[cfg(test)]
            is_mock: false,
        }
    }
}

/// Values of properties may be secrets, so only their names are shown.
impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("servers", &self.servers)
            .field("prefix", &self.prefix)
            .field("services", &self.services)
            .field("properties", &self.properties.keys())
            .finish_non_exhaustive()
    }
}

/// Why a Kafka broker cannot be opened, whatever the cluster answers.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A topic cannot have its name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// No server is given.
    #[error("no server is given: at least one host:port is needed")]
    NoServer,
    /// No service is given.
    #[error("no service is given: at least one is needed, as the topics are named after them")]
    NoService,
    /// A property that Fanfare sets itself.
    #[error("the property {0} is set by Fanfare itself: order, replay and the count of records depend on it")]
    Reserved(String),
    /// librdkafka refuses a property.
    #[error("the Kafka property {name}: {reason}")]
    Property {
        /// The property.
        name: String,
        /// librdkafka's reason.
        reason: String,
    },
    /// librdkafka cannot create a client with these options.
    #[error("cannot create a Kafka client: {0}")]
    Client(String),
}
