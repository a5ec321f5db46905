//! What a Kafka broker is told at opening.

use std::collections::BTreeMap;
use std::time::Duration;

use super::names::NameError;
use crate::limits::Limits;

/// How to reach a Kafka cluster, how its topics are named, and what they must be like.
#[derive(Clone)]
pub struct Options {
    /// The servers to begin with, as `host:port`.
    pub servers: Vec<String>,
    /// What the topic of dead letters is called before `.deadletter`; default `fanfare`.
    pub prefix: String,
    /// What the topics of events are called before the service's name; default `events`.
    pub events: String,
    /// What the topics of states are called before the service's name; default `state`.
    pub state: String,
    /// The services whose topics are read and written: the first parts of the messages' topics.
    pub services: Vec<String>,
    /// Whether topics that are missing are made; default true.
    pub create: bool,
    /// How many partitions a topic has that is made; default 6.
    pub partitions: u32,
    /// How many servers keep each partition of a topic that is made; the cluster's default if absent.
    pub replication: Option<u16>,
    /// Whether what may lose acknowledged messages is refused, not only told; default false.
    pub strict: bool,
    /// How long a topic of events that is made keeps them; default 24 hours.
    pub retention: Duration,
    /// How many bytes a topic of events that is made keeps, over all its partitions; default 1 GiB.
    pub retention_bytes: u64,
    /// The replay window: a topic of events that keeps them for a shorter time is refused. Default 10 minutes.
    pub window: Duration,
    /// Whether only [`crate::Broker::publish`] is used, so that there is no need for a topic of dead letters.
    pub publish_only: bool,
    /// Settings of librdkafka, passed on as they are, for instance `security.protocol`.
    pub properties: BTreeMap<String, String>,
    /// The largest message. A larger one is refused.
    pub limits: Limits,
    /// Records in one batch of a reader, at most; default 512.
    pub batch_records: usize,
    /// Bytes in one batch of a reader, at most; default 1 MiB, always at least one record.
    pub batch_bytes: usize,
    /// Bytes that a reader fetches ahead, at most, shared among its partitions; default 32 MiB.
    pub ahead_bytes: usize,
    /// How often a reader looks for new partitions and at what became of the old ones; default 4 s.
    pub look_interval: Duration,
    /// How long a call waits for the cluster before it is called unavailable; default 5 s.
    pub request_timeout: Duration,
    /// How long a publish waits for its answer before its outcome is unknown; default 10 s.
    pub delivery_timeout: Duration,
    /// Whether the cluster is librdkafka's mock, which tells no settings of topics.
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

/// Why a Kafka broker cannot be opened, whatever the cluster says.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A topic cannot be named as it should be.
    #[error(transparent)]
    Name(#[from] NameError),
    /// There is no server to begin with.
    #[error("no server is given: at least one host:port is needed")]
    NoServer,
    /// There is no service.
    #[error("no service is given: at least one is needed, as the topics are named after them")]
    NoService,
    /// A property that is not to be changed.
    #[error("the property {0} is set by Fanfare itself: order, replay and the count of records rest on it")]
    Reserved(String),
    /// librdkafka does not take a property.
    #[error("the Kafka property {name}: {reason}")]
    Property {
        /// The property.
        name: String,
        /// What librdkafka says.
        reason: String,
    },
    /// librdkafka cannot make a client of these options.
    #[error("no Kafka client can be made: {0}")]
    Client(String),
}
