//! Requests to the cluster. All of them block until it answers, at most for the request timeout.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::client::{self, Connections, Context};
use super::durability::Disk;
use super::names::{MAX_PARTITIONS, Names, Part};
use super::options::{OpenError, Options};
use crate::condition::Risk;
use crate::error::BrokerError;

/// How many pending events of a client are handled at once.
const WORDS: usize = 100_000;

/// How long a server may not know a topic, within one request.
const MISSING: Duration = Duration::from_secs(2);

/// How long a partition may be without a leader, within one request. One broker on a busy machine took more than two
/// seconds to lead the partitions of a topic that was just created.
const PASSING: Duration = Duration::from_secs(10);

/// The pause between two such requests.
const PAUSE: Duration = Duration::from_millis(50);

/// The part of a cluster that consists of this Fanfare's topics.
pub(super) struct Cluster {
    pub(super) options: Options,
    pub(super) names: Names,
    pub(super) connections: Arc<Connections>,
    login: Mutex<Login>,
    /// How many logins have taken the place of the first.
    logins: watch::Sender<u64>,
    /// What makes the topics lose what they have acknowledged, and when that is on the disk, as far as they were checked.
    found: Mutex<(Vec<Risk>, Option<Disk>)>,
}

/// What follows from who this process is to the cluster.
struct Login {
    /// What all clients are told.
    config: ClientConfig,
    asking: Arc<Asking>,
}

/// The client that asks.
struct Asking {
    client: BaseConsumer<Context>,
    context: Context,
}

impl Asking {
    fn new(config: &ClientConfig, context: Context) -> Result<Self, OpenError> {
        let mut config = config.clone();
        config.set("allow.auto.create.topics", "false").set("isolation.level", "read_committed");
        let client = config.create_with_context(context.clone()).map_err(client::open_error)?;
        Ok(Self { client, context })
    }

    /// Takes what the client has said meanwhile: faults and ids.
    fn listen(&self) {
        for _ in 0..WORDS {
            let before = self.context.words();
            if self.client.poll(Duration::ZERO).is_none() && self.context.words() == before {
                break;
            }
        }
    }
}

/// The state of a topic's partitions.
pub(super) enum Partitions {
    /// The number of partitions; all have a leader.
    Ready(i32),
    /// Some have no leader; for how long is unknown.
    NotReady,
    /// The topic does not exist.
    Missing,
}

impl Cluster {
    pub(super) fn new(options: Options) -> Result<Self, OpenError> {
        if options.services.is_empty() {
            return Err(OpenError::NoService);
        }
        let names = Names::new(&options.prefix, &options.events, &options.state, &options.services)?;
        let config = client::config(&options)?;
        let context = Context::default();
        let connections = Arc::clone(&context.connections);
        let asking = Arc::new(Asking::new(&config, context)?);
        let login = Mutex::new(Login { config, asking });
        Ok(Self { options, names, connections, login, logins: watch::Sender::new(0), found: Mutex::default() })
    }

    /// What all clients are told.
    pub(super) fn config(&self) -> ClientConfig {
        self.login().config.clone()
    }

    /// The context of another client, which reports its connections to this cluster.
    pub(super) fn context(&self) -> Context {
        self.login().asking.context.another()
    }

    /// Uses another login for all clients to come, and tells those that read.
    pub(super) fn use_login(&self, config: ClientConfig) -> Result<(), OpenError> {
        let asking = Arc::new(Asking::new(&config, self.context())?);
        let before = std::mem::replace(&mut *self.login(), Login { config, asking });
        // What the clients before had to say of their connections is over.
        self.connections.worked();
        self.logins.send_modify(|logins| *logins += 1);
        client::end(before.asking);
        Ok(())
    }

    /// Tells of other logins.
    pub(super) fn logins(&self) -> watch::Receiver<u64> {
        self.logins.subscribe()
    }

    fn login(&self) -> MutexGuard<'_, Login> {
        self.login.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asking(&self) -> Arc<Asking> {
        Arc::clone(&self.login().asking)
    }

    /// Notes the result of checking the topics.
    pub(super) fn set_promises(&self, risks: Vec<Risk>, disk: Option<Disk>) {
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = (risks, disk);
    }

    pub(super) fn promises(&self) -> (Vec<Risk>, Option<Disk>) {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The ids of the servers.
    pub(super) fn servers(&self) -> Result<Vec<i32>, BrokerError> {
        let answer = self.asking().client.fetch_metadata(Some(&self.names.letters), self.timeout());
        let metadata = self.answered("asking for the servers", answer)?;
        Ok(metadata.brokers().iter().map(rdkafka::metadata::MetadataBroker::id).collect())
    }

    /// The smallest number of replicas of a topic's partitions.
    pub(super) fn replicas_of(&self, topic: &str) -> Result<Option<usize>, BrokerError> {
        let answer = self.asking().client.fetch_metadata(Some(topic), self.timeout());
        let metadata = self.answered(&format!("asking for the topic {topic}"), answer)?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        Ok(found.and_then(|found| found.partitions().iter().map(|partition| partition.replicas().len()).min()))
    }

    pub(super) fn timeout(&self) -> Duration {
        self.options.request_timeout
    }

    /// All partitions of the log, and the log's identity: the cluster and the ids of the topics.
    pub(super) fn log(&self) -> Result<Log, BrokerError> {
        let parts = self.partitions()?;
        let asking = self.asking();
        let id = asking.client.client().fetch_cluster_id(self.timeout());
        let Some(mut identity) = id else {
            asking.listen();
            let code = Code::OperationTimedOut;
            return Err(client::code_error("asking for the cluster's id", code, &self.connections));
        };
        let ids = self.names.topics.iter().map(|topic| (&topic.name, asking.context.ids.of(&topic.name)));
        let ids: BTreeMap<&String, Option<String>> = ids.collect();
        let known = ids.values().flatten().count();
        if known != 0 && known != ids.len() {
            return Err(BrokerError::Unavailable("the cluster has not sent the ids of all topics yet".into()));
        }
        for (name, id) in ids {
            identity.push_str(&format!("\n{name}\n{}", id.unwrap_or_default()));
        }
        Ok(Log { parts, incarnation: super::names::hash64(identity.as_bytes()) })
    }

    /// The partitions of one topic.
    pub(super) fn partitions_of(&self, topic: &str) -> Result<Partitions, BrokerError> {
        let what = || format!("asking for the topic {topic}");
        let answer = self.asking().client.fetch_metadata(Some(topic), self.timeout());
        let metadata = self.answered(&what(), answer)?;
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
            return Ok(Partitions::Missing);
        };
        if let Some(error) = found.error() {
            let code = error.into();
            return match code {
                code if client::is_missing(code) => Ok(Partitions::Missing),
                Code::LeaderNotAvailable => Ok(Partitions::NotReady),
                code => Err(client::code_error(&what(), code, &self.connections)),
            };
        }
        if found.partitions().is_empty() || found.partitions().iter().any(|partition| partition.leader() < 0) {
            return Ok(Partitions::NotReady);
        }
        let count = found.partitions().len();
        match i32::try_from(count) {
            Ok(count) if count.unsigned_abs() <= MAX_PARTITIONS => Ok(Partitions::Ready(count)),
            _ => Err(BrokerError::Refused(format!(
                "the topic {topic} has {count} partitions, at most {MAX_PARTITIONS} are read"
            ))),
        }
    }

    pub(super) fn partitions(&self) -> Result<Vec<Part>, BrokerError> {
        let mut parts = Vec::new();
        for (topic, named) in self.names.topics.iter().enumerate() {
            match self.partitions_of(&named.name)? {
                Partitions::Ready(count) => parts.extend((0..count).map(|partition| Part { topic, partition })),
                Partitions::NotReady => {
                    return Err(BrokerError::Unavailable(format!(
                        "a partition of the topic {} has no leader",
                        named.name
                    )));
                }
                Partitions::Missing => return Err(gone(&named.name)),
            }
        }
        Ok(parts)
    }

    /// For each partition the offset of the oldest stored record.
    pub(super) fn starts(&self, parts: &[Part]) -> Result<BTreeMap<Part, u64>, BrokerError> {
        self.edges(parts, Offset::Beginning)
    }

    /// The same for a topic outside the log, by partition.
    pub(super) fn starts_of(&self, topic: &str, count: i32) -> Result<BTreeMap<i32, u64>, BrokerError> {
        let found = self.found((0..count).map(|partition| (topic, partition, Offset::Beginning)))?;
        Ok(found.into_iter().map(|(_, partition, offset)| (partition, offset.unwrap_or(0))).collect())
    }

    /// The offset of the next record of a topic's first partition.
    pub(super) fn ends_of(&self, topic: &str) -> Result<u64, BrokerError> {
        let found = self.found([(topic, 0, Offset::End)])?;
        Ok(found.into_iter().next().and_then(|(.., offset)| offset).unwrap_or(0))
    }

    /// For each partition the offset of the next record.
    pub(super) fn ends(&self, parts: &[Part]) -> Result<BTreeMap<Part, u64>, BrokerError> {
        self.edges(parts, Offset::End)
    }

    fn edges(&self, parts: &[Part], edge: Offset) -> Result<BTreeMap<Part, u64>, BrokerError> {
        let found = self.offsets(parts.iter().map(|part| (*part, edge)))?;
        // Boundaries always exist.
        Ok(found.into_iter().map(|(part, offset)| (part, offset.unwrap_or(0))).collect())
    }

    /// For each partition the first record that the broker stored at a time or later.
    pub(super) fn since(
        &self,
        times: impl IntoIterator<Item = (Part, i64)>,
    ) -> Result<BTreeMap<Part, Option<u64>>, BrokerError> {
        self.offsets(times.into_iter().map(|(part, time)| (part, Offset::Offset(time.max(0)))))
    }

    /// The request takes times, of which two are special: the earliest and the latest.
    fn offsets(
        &self,
        times: impl IntoIterator<Item = (Part, Offset)>,
    ) -> Result<BTreeMap<Part, Option<u64>>, BrokerError> {
        let times = times.into_iter().map(|(part, time)| (self.names.name(part), part.partition, time));
        let found = self.found(times)?.into_iter();
        let part = |(topic, partition, offset): (String, i32, Option<u64>)| {
            Some((Part { topic: self.names.find(&topic)?, partition }, offset))
        };
        Ok(found.filter_map(part).collect())
    }

    fn found<'a>(
        &self,
        times: impl IntoIterator<Item = (&'a str, i32, Offset)>,
    ) -> Result<Vec<(String, i32, Option<u64>)>, BrokerError> {
        const WHAT: &str = "asking for offsets";
        let mut list = TopicPartitionList::new();
        for (topic, partition, time) in times {
            self.answered(WHAT, list.add_partition_offset(topic, partition, time))?;
        }
        if list.count() == 0 {
            return Ok(Vec::new());
        }
        let begun = Instant::now();
        let found = loop {
            let found = self.asking().client.offsets_for_times(list.clone(), self.timeout());
            let (topic, error) = match found {
                Err(error) => (None, error),
                Ok(found) => match first_fault(&found) {
                    Some((topic, error)) => (Some(topic), error),
                    None => break self.answered(WHAT, Ok(found))?,
                },
            };
            let code = error.rdkafka_error_code();
            let missing = code.is_some_and(client::is_missing);
            let patience = match code {
                _ if missing => MISSING,
                Some(code) if is_passing(code) => PASSING,
                _ => Duration::ZERO,
            };
            if begun.elapsed() >= patience {
                return match topic.filter(|_| missing) {
                    Some(topic) => Err(gone(&topic)),
                    None => self.answered(WHAT, Err(error)),
                };
            }
            std::thread::sleep(PAUSE);
        };
        let mut offsets = Vec::with_capacity(found.count());
        for element in found.elements() {
            let offset = match element.offset() {
                Offset::Offset(offset) => u64::try_from(offset).ok(),
                _ => None,
            };
            offsets.push((element.topic().to_owned(), element.partition(), offset));
        }
        Ok(offsets)
    }

    fn answered<T>(&self, what: &str, answer: Result<T, KafkaError>) -> Result<T, BrokerError> {
        self.asking().listen();
        match answer {
            Ok(answer) => {
                self.connections.worked();
                Ok(answer)
            }
            Err(error) => Err(client::broker_error(what, &error, &self.connections)),
        }
    }
}

/// The log as it is now.
pub(super) struct Log {
    pub(super) parts: Vec<Part>,
    pub(super) incarnation: u64,
}

fn first_fault(found: &TopicPartitionList) -> Option<(String, KafkaError)> {
    found.elements().iter().find_map(|element| Some((element.topic().to_owned(), element.error().err()?)))
}

/// Whether a server answers this while it takes over a partition, for instance of a topic that was just created.
fn is_passing(code: Code) -> bool {
    matches!(
        code,
        Code::NotLeaderForPartition
            | Code::LeaderNotAvailable
            | Code::ReplicaNotAvailable
            | Code::OffsetNotAvailable
            | Code::KafkaStorageError
            | Code::UnknownLeaderEpoch
            | Code::FencedLeaderEpoch
    )
}

/// A topic that existed at the start is gone. It may come back, and does with `create`.
fn gone(topic: &str) -> BrokerError {
    BrokerError::Unavailable(format!("the topic {topic} is gone"))
}

/// Sends a request on a thread that may block.
pub(super) async fn ask<T: Send + 'static>(
    cluster: &Arc<Cluster>,
    question: impl FnOnce(&Cluster) -> Result<T, BrokerError> + Send + 'static,
) -> Result<T, BrokerError> {
    let cluster = Arc::clone(cluster);
    let answer = spawn_blocking(move || question(&cluster)).await;
    // A request that panicked is a fault of this crate; its caller may try again.
    answer.unwrap_or_else(|error| Err(BrokerError::Unavailable(format!("a question to the cluster failed: {error}"))))
}
