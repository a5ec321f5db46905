//! Apache Kafka as the broker.
//!
//! ```text
//! publish -> wire -> producer -> events.{service}, state.{service}, {prefix}.deadletter, {prefix}.nodes
//! events.*, state.* -> reader (all partitions, by hand, no group) -> wire -> records
//!                        \-> places: is it still the log that was read?
//! ```
//!
//! Each node reads all partitions of all topics by itself and commits nothing: its progress is a [`Position`].
//! The lag of a partition is what [`Broker::head`] covers beyond [`Reader::position`].

mod assigned;
mod check;
mod client;
mod cluster;
mod durability;
mod given;
mod ids;
mod letters;
mod login;
mod names;
mod nodes;
mod options;
mod places;
mod producer;
mod reader;
mod scan;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rdkafka::message::Message as _;
use tokio::sync::{Mutex, watch};

pub use self::names::NameError;
pub use self::options::{OpenError, Options};

use self::cluster::{Cluster, Log, ask};
use self::letters::Order;
use self::names::Part;
use self::places::Anchors;
use self::producer::{Outgoing, Producer};
use self::reader::{Beginning, LogReader};
use self::wire::Raw;
use crate::broker::{Broker, Reader};
use crate::condition::Condition;
use crate::error::{BrokerError, PublishError};
use crate::letter::DeadLetter;
use crate::message::{Message, Published, Record, Stream};
use crate::node_record::{NodeReader, NodeRecord};
use crate::position::Position;

/// How long no request is sent to a cluster that could not be reached.
const AWAY: Duration = Duration::from_millis(300);

/// The topics of a Kafka cluster.
///
/// Opening does not connect, and fails only if the options are wrong. The first call checks the topics.
pub struct Kafka {
    cluster: Arc<Cluster>,
    producer: Producer,
    checked: Mutex<Checked>,
    closed: watch::Sender<bool>,
}

/// Whether the topics have passed their check.
enum Checked {
    No,
    Failed(Instant, BrokerError),
    Yes,
}

impl Kafka {
    /// Takes the options; connecting starts in the background.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        let cluster = Arc::new(Cluster::new(options)?);
        let producer = Producer::new(Arc::clone(&cluster))?;
        Ok(Self { cluster, producer, checked: Mutex::new(Checked::No), closed: watch::Sender::new(false) })
    }

    /// Continues once the topics were checked. The first caller checks, the others wait for it.
    async fn checked(&self) -> Result<(), BrokerError> {
        if *self.closed.borrow() {
            return Err(BrokerError::Closed);
        }
        let mut checked = self.checked.lock().await;
        match &*checked {
            Checked::Yes => return Ok(()),
            Checked::Failed(when, error) if when.elapsed() < AWAY => return Err(error.clone()),
            Checked::Failed(..) | Checked::No => {}
        }
        let outcome = check::check(&self.cluster).await;
        *checked = match &outcome {
            Ok(()) => Checked::Yes,
            Err(error) => Checked::Failed(Instant::now(), error.clone()),
        };
        outcome
    }

    /// A cluster that was unreachable may come back with other topics.
    async fn check_again_if_away<T>(&self, answer: Result<T, BrokerError>) -> Result<T, BrokerError> {
        if let Err(BrokerError::Unavailable(_)) = &answer {
            let mut checked = self.checked.lock().await;
            if matches!(*checked, Checked::Yes) {
                *checked = Checked::No;
            }
        }
        answer
    }

    async fn asked<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Cluster) -> Result<T, BrokerError> + Send + 'static,
    ) -> Result<T, BrokerError> {
        self.checked().await?;
        let answer = ask(&self.cluster, question).await;
        self.check_again_if_away(answer).await
    }

    async fn write(&self, record: Outgoing<'_>) -> Result<producer::Written, PublishError> {
        if let Err(error) = self.checked().await {
            return Err(PublishError::NotStored(error.to_string()));
        }
        self.producer.write(record).await
    }

    fn reader(&self, begin: Beginning) -> Result<Box<dyn Reader>, BrokerError> {
        let reader = LogReader::new(Arc::clone(&self.cluster), self.closed.subscribe(), begin)?;
        Ok(Box::new(reader))
    }
}

#[async_trait]
impl Broker for Kafka {
    async fn publish(&self, message: Message) -> Result<Published, PublishError> {
        self.cluster.options.limits.check(&message)?;
        let service = wire::service(&message.topic);
        let Some(topic) = self.cluster.names.of(message.stream, service) else {
            let known = self.cluster.options.services.join(", ");
            let reason = format!("the service {service:?} of {} has no topic, only these have: {known}", message.topic);
            return Err(PublishError::Invalid(reason));
        };
        let key = wire::record_key(&message);
        let written = self
            .write(Outgoing {
                topic: &self.cluster.names.topics[topic].name,
                key: &key,
                headers: wire::record_headers(&message),
                body: (!message.is_tombstone()).then_some(&message.body[..]),
            })
            .await?;
        let partition = self.cluster.names.number(Part { topic, partition: written.partition });
        Ok(Published { partition, offset: written.offset, duplicate: false, conflicting: false })
    }

    async fn head(&self) -> Result<Position, BrokerError> {
        self.asked(places::head).await
    }

    fn horizon(&self) -> Duration {
        self.cluster.promises().1.unwrap_or(durability::Disk::System).horizon()
    }

    async fn state(&self) -> Result<Box<dyn Reader>, BrokerError> {
        let begin = |cluster: &Cluster| {
            let Log { mut parts, incarnation } = cluster.log()?;
            parts.retain(|part| cluster.names.topics[part.topic].stream == Stream::State);
            let (mut next, mut ends) = (cluster.starts(&parts)?, cluster.ends(&parts)?);
            ends.retain(|part, end| next[part] < *end);
            next.retain(|part, _| ends.contains_key(part));
            let position = Position::start(incarnation);
            Ok(Beginning { position, next, anchors: Anchors::new(), ends, follow: false })
        };
        self.reader(self.asked(begin).await?)
    }

    async fn read(&self, after: &Position) -> Result<Box<dyn Reader>, BrokerError> {
        let position = after.clone();
        let begin = move |cluster: &Cluster| {
            let anchors = places::anchors(cluster, &position)?;
            let ends = places::compare(cluster, &anchors, &position)?.ends;
            let position = places::stamped(cluster, position)?;
            let anchors = places::anchors(cluster, &position)?;
            let next = |part: &Part| position.offset(cluster.names.number(*part)).map_or(0, |read| read + 1);
            let next = ends.keys().map(|part| (*part, next(part))).collect();
            Ok(Beginning { position, next, anchors, ends, follow: true })
        };
        self.reader(self.asked(begin).await?)
    }

    async fn window(&self, age: Duration, records: u64) -> Result<Position, BrokerError> {
        self.asked(move |cluster| places::window(cluster, age, records)).await
    }

    async fn dead_letter(&self, letter: DeadLetter) -> Result<(), PublishError> {
        let letter = letter.cut();
        let key = letters::key(&letter);
        self.write(letters::outgoing(&self.cluster.names.letters, &key, &letter)).await?;
        Ok(())
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, BrokerError> {
        let mut newest = self.asked(move |cluster| letters::read(cluster, Order::Newest, limit)).await?;
        letters::by_place_within_partitions(&mut newest);
        Ok(newest)
    }

    async fn dead_letters_before(
        &self,
        before: Option<(u32, u64)>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, BrokerError> {
        self.asked(move |cluster| letters::read(cluster, Order::Place(before), limit)).await
    }

    async fn record_at(&self, partition: u32, offset: u64) -> Result<Option<Record>, BrokerError> {
        self.asked(move |cluster| record_at(cluster, partition, offset)).await
    }

    async fn tell_nodes(&self, record: NodeRecord) -> Result<(), PublishError> {
        record.check(&self.cluster.options.limits)?;
        let key = nodes::key(&record);
        self.write(nodes::outgoing(&self.cluster.names.nodes, &key, &record)).await?;
        Ok(())
    }

    async fn read_nodes(&self) -> Result<Box<dyn NodeReader>, BrokerError> {
        let told = self.asked(nodes::Told::open).await?;
        Ok(Box::new(told.until(self.closed.subscribe(), &self.cluster)))
    }

    async fn condition(&self) -> Condition {
        let (risks, disk) = self.cluster.promises();
        Condition { risks, disk: disk.map(|disk| disk.to_string()), ..Condition::default() }
    }

    async fn close(&self) {
        self.closed.send_replace(true);
        self.producer.flush().await;
    }
}

fn record_at(cluster: &Cluster, number: u32, offset: u64) -> Result<Option<Record>, BrokerError> {
    let parts = cluster.partitions()?;
    let Some(part) = cluster.names.part(number).filter(|part| parts.contains(part)) else { return Ok(None) };
    let (starts, ends) = (cluster.starts(&[part])?, cluster.ends(&[part])?);
    if starts.get(&part).is_none_or(|start| offset < *start) || ends.get(&part).is_none_or(|end| offset >= *end) {
        return Ok(None);
    }
    let topic = &cluster.names.topics[part.topic];
    let mut found = None;
    scan::scan(cluster, &topic.name, &BTreeMap::from([(part.partition, offset)]), |message| {
        if u64::try_from(message.offset()).is_ok_and(|at| at == offset) {
            let raw = Raw {
                stream: topic.stream,
                service: &topic.service,
                key: message.key(),
                headers: message.headers(),
                body: message.payload(),
            };
            let id = || format!("{}/{}/{offset}", topic.name, part.partition);
            let time = message.timestamp().to_millis().unwrap_or(0);
            found = Some(Record { partition: number, offset, time, message: wire::message(&raw, id) });
        }
        false
    })?;
    Ok(found)
}
