//! A reader: one consumer with all partitions assigned explicitly, without a group.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fanfare_failure::jittered;
use rdkafka::Offset;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, Message as _};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::assigned::{self, Consuming};
use super::client;
use super::cluster::{Cluster, ask};
use super::given::Given;
use super::ids::TopicIds;
use super::names::Part;
use super::places::{self, Anchors, Ends};
use super::scan;
use super::wire::{self, Raw};
use crate::broker::Reader;
use crate::error::BrokerError;
use crate::message::Record;
use crate::position::Position;

/// How long nothing may arrive from a partition that has more, before the reader looks for a hole.
const QUIET: Duration = Duration::from_millis(200);

/// The pause between two checks of a cluster that is unreachable or reported trouble.
const PAUSE: Duration = Duration::from_secs(1);

/// How long the cluster may be unreachable before the reader reports it. The reader continues by itself either way.
const GRACE: Duration = Duration::from_secs(8);

type Look = JoinHandle<Result<Looked, BrokerError>>;

/// The result of checking the cluster.
struct Looked {
    ends: Ends,
    holes: Ends,
}

/// Where a reader starts.
pub(super) struct Beginning {
    pub(super) position: Position,
    /// The first offset of each partition.
    pub(super) next: Ends,
    /// What the position covers already.
    pub(super) anchors: Anchors,
    pub(super) ends: Ends,
    /// Whether to continue after the ends, including new partitions.
    pub(super) follow: bool,
}

/// Reads the records of the given partitions.
pub(super) struct LogReader {
    cluster: Arc<Cluster>,
    closed: watch::Receiver<bool>,
    logins: watch::Receiver<u64>,
    // Taken when dropped.
    consumer: Option<Arc<Consuming>>,
    ids: Arc<TopicIds>,
    position: Position,
    follow: bool,
    ends: Ends,
    given: Given,
    /// What the next check compares with the log.
    compared: Anchors,
    look: Option<(Look, Anchors)>,
    next_look: Instant,
    quiet_from: Instant,
    away: Option<Instant>,
    /// Why librdkafka stopped reading a partition.
    stopped: Option<String>,
    trouble: Option<KafkaError>,
    /// An error that waiting does not fix.
    ended: Option<BrokerError>,
}

impl LogReader {
    pub(super) fn new(
        cluster: Arc<Cluster>,
        closed: watch::Receiver<bool>,
        begin: Beginning,
    ) -> Result<Self, BrokerError> {
        let logins = cluster.logins();
        let (consumer, ids) = assigned::consumer(&cluster, &begin.next)?;
        let now = Instant::now();
        Ok(Self {
            next_look: now + jittered(cluster.options.look_interval),
            cluster,
            closed,
            logins,
            consumer: Some(Arc::new(consumer)),
            ids,
            position: begin.position,
            follow: begin.follow,
            ends: begin.ends,
            given: Given::new(begin.anchors.clone()),
            compared: begin.anchors,
            look: None,
            quiet_from: now,
            away: None,
            stopped: None,
            trouble: None,
            ended: None,
        })
    }

    fn next_offset(&self, part: Part) -> u64 {
        self.position.offset(self.cluster.names.number(part)).map_or(0, |read| read + 1)
    }

    /// Partitions that have more records than were returned, each with its next offset.
    fn behind(&self) -> Ends {
        let next = self.ends.iter().map(|(part, end)| (*part, self.next_offset(*part), *end));
        next.filter(|(_, next, end)| next < end).map(|(part, next, _)| (part, next)).collect()
    }

    /// When to check the cluster.
    fn due(&self) -> Instant {
        match self.behind().is_empty() {
            true => self.next_look,
            false => self.next_look.min(self.quiet_from + QUIET),
        }
    }

    fn begin_look(&mut self) {
        let mut behind = self.behind();
        if self.quiet_from + QUIET > Instant::now() {
            behind.clear();
        }
        let (anchors, position, follow) = (self.compared.clone(), self.position.clone(), self.follow);
        let ends = self.ends.clone();
        let cluster = Arc::clone(&self.cluster);
        let look = async move {
            ask(&cluster, move |cluster| {
                let holes = scan::holes(cluster, &behind, &ends)?;
                let ends = match follow {
                    true => places::compare(cluster, &anchors, &position)?.ends,
                    false => ends,
                };
                Ok(Looked { ends, holes })
            })
            .await
        };
        // Everything returned until now was read from the log that is being checked.
        self.look = Some((tokio::spawn(look), self.given.anchors().clone()));
    }

    /// Whether the position moved.
    fn end_look(&mut self, looked: Result<Looked, BrokerError>, seen: Anchors) -> Result<bool, BrokerError> {
        let now = Instant::now();
        self.quiet_from = now + PAUSE;
        let looked = match looked {
            Err(BrokerError::Unavailable(reason)) => {
                self.next_look = now + jittered(PAUSE);
                let since = *self.away.get_or_insert(now);
                return if now - since < GRACE { Ok(false) } else { Err(BrokerError::Unavailable(reason)) };
            }
            Err(BrokerError::Trimmed { mut oldest }) => {
                // The check may have started with an older position, and records that were removed since may have been
                // fetched before. Something is missing only where fetching stopped.
                oldest.merge(&self.position);
                if self.stopped.is_some() && oldest != self.position {
                    return Err(BrokerError::Trimmed { oldest });
                }
                Looked { ends: self.ends.clone(), holes: Ends::new() }
            }
            other => other?,
        };
        self.next_look = now + jittered(self.cluster.options.look_interval);
        self.away = None;
        self.compared = seen;
        if let Some(reason) = self.stopped.take() {
            return Err(BrokerError::Unavailable(format!("reading stopped and has to begin again: {reason}")));
        }
        if self.follow {
            self.assign_new(&looked.ends)?;
            self.ends = looked.ends;
        }
        let before = self.position.clone();
        self.pass_marks();
        for (part, end) in looked.holes {
            if let Some(last) = end.checked_sub(1) {
                self.position.advance_to(self.cluster.names.number(part), last);
            }
        }
        Ok(self.position != before)
    }

    /// New partitions are read from their first record.
    fn assign_new(&mut self, ends: &Ends) -> Result<(), BrokerError> {
        let new: Ends = ends.keys().filter(|part| !self.ends.contains_key(part)).map(|part| (*part, 0)).collect();
        let Some(consumer) = self.consumer.as_ref().filter(|_| !new.is_empty()) else { return Ok(()) };
        tracing::info!(partitions = new.len(), "found new partitions");
        let failed = |error: KafkaError| BrokerError::Unavailable(format!("reading new partitions: {error}"));
        let list = assigned::list(&self.cluster, &new).map_err(failed)?;
        consumer.incremental_assign(&list).map_err(failed)
    }

    /// Moves past the markers of transactions: the consumer skips them silently.
    fn pass_marks(&mut self) {
        let Some(Ok(places)) = self.consumer.as_ref().map(|consumer| consumer.position()) else { return };
        for place in places.elements() {
            let topic = self.cluster.names.find(place.topic());
            if let (Some(topic), Offset::Offset(next)) = (topic, place.offset())
                && let Some(last) = u64::try_from(next).ok().and_then(|next| next.checked_sub(1))
            {
                let number = self.cluster.names.number(Part { topic, partition: place.partition() });
                self.position.advance_to(number, last);
            }
        }
    }

    /// Goes on with another consumer, as there is another login. The one of a reader that ends by itself stays.
    fn log_in(&mut self) -> Result<(), BrokerError> {
        if !self.follow {
            return Ok(());
        }
        let next = self.ends.keys().map(|part| (*part, self.next_offset(*part))).collect();
        let (new, ids) = assigned::consumer(&self.cluster, &next)?;
        if let Some(before) = self.consumer.replace(Arc::new(new)) {
            client::end(before);
        }
        (self.ids, self.trouble, self.quiet_from) = (ids, None, Instant::now());
        Ok(())
    }

    /// Handles a consumer's error.
    fn hear(&mut self, error: &KafkaError) -> Result<(), BrokerError> {
        let Some(code) = error.rdkafka_error_code() else { return Ok(()) };
        match code {
            // No group is joined.
            Code::GroupAuthorizationFailed | Code::PartitionEOF => return Ok(()),
            Code::TopicAuthorizationFailed => {
                return Err(client::broker_error("reading the log", error, &self.cluster.connections));
            }
            Code::AutoOffsetReset | Code::OffsetOutOfRange | Code::LogTruncation => {
                self.stopped = Some(code.to_string());
            }
            code => tracing::debug!(%code, "trouble while reading"),
        }
        // A check finds out what happened to the log. One that is running may have started too early.
        self.next_look = self.next_look.min(Instant::now() + QUIET);
        Ok(())
    }

    /// The record in a message, if it was not returned before.
    fn record(&mut self, message: &BorrowedMessage<'_>) -> Option<Record> {
        if self.ids.recreated().is_some() {
            return None;
        }
        let names = &self.cluster.names;
        let part = Part { topic: names.find(message.topic())?, partition: message.partition() };
        let topic = &names.topics[part.topic];
        let offset = u64::try_from(message.offset()).ok()?;
        let raw = Raw {
            stream: topic.stream,
            service: &topic.service,
            key: message.key(),
            headers: message.headers(),
            body: message.payload(),
        };
        let number = names.number(part);
        if self.position.covers(number, offset) {
            return None;
        }
        let time = self.given.note(part, offset, message.timestamp().to_millis().unwrap_or(0));
        let id = || format!("{}/{}/{offset}", topic.name, part.partition);
        let record = Record { partition: number, offset, time, message: wire::message(&raw, id) };
        self.position.advance(&record);
        Some(record)
    }

    /// The messages that have arrived, from the first one on. Does not wait.
    async fn batch(&mut self, consumer: &Consuming, first: Option<Record>) -> Vec<Record> {
        let (records, bytes) = (self.cluster.options.batch_records, self.cluster.options.batch_bytes);
        let mut size = 0;
        let mut batch = Vec::new();
        let mut next = first;
        loop {
            if let Some(record) = next.take() {
                size += record.message.size();
                batch.push(record);
            }
            if batch.len() >= records || size >= bytes {
                return batch;
            }
            let message = tokio::select! {
                biased;
                message = consumer.recv() => Some(message),
                () = std::future::ready(()) => None,
            };
            match message {
                None => return batch,
                Some(Ok(message)) => next = self.record(&message),
                Some(Err(error)) => {
                    self.trouble = Some(error);
                    return batch;
                }
            }
        }
    }

    async fn step(&mut self) -> Result<Option<Vec<Record>>, BrokerError> {
        if let Some(reason) = self.ids.recreated() {
            return Err(BrokerError::OtherIncarnation { reason });
        }
        if let Some(error) = self.trouble.take() {
            self.hear(&error)?;
        }
        let due = self.due();
        let Some(consumer) = self.consumer.clone() else { return Err(BrokerError::Closed) };
        let message = tokio::select! {
            biased;
            () = closed(&mut self.closed) => return Err(BrokerError::Closed),
            looked = finished(&mut self.look) => {
                let seen = self.look.take().map(|(_, seen)| seen).unwrap_or_default();
                let moved = self.end_look(looked, seen)?;
                return Ok(moved.then(Vec::new));
            }
            () = sleep_until(due), if self.look.is_none() => {
                self.begin_look();
                return Ok(None);
            }
            Ok(()) = self.logins.changed() => {
                self.log_in()?;
                return Ok(None);
            }
            message = consumer.recv() => message,
        };
        let first = match message {
            Ok(message) => self.record(&message),
            Err(error) => {
                self.trouble = Some(error);
                return Ok(None);
            }
        };
        let batch = self.batch(&consumer, first).await;
        self.quiet_from = self.quiet_from.max(Instant::now());
        Ok(Some(batch).filter(|batch| !batch.is_empty()))
    }
}

#[async_trait]
impl Reader for LogReader {
    async fn next(&mut self) -> Result<Vec<Record>, BrokerError> {
        if let Some(error) = &self.ended {
            return Err(error.clone());
        }
        loop {
            // Everything that existed at the call was read.
            if !self.follow && self.behind().is_empty() {
                return Ok(Vec::new());
            }
            match self.step().await {
                Ok(Some(batch)) => return Ok(batch),
                Ok(None) => {}
                Err(error) => {
                    if matches!(error, BrokerError::OtherIncarnation { .. } | BrokerError::Trimmed { .. }) {
                        self.ended = Some(error.clone());
                    }
                    return Err(error);
                }
            }
        }
    }

    fn position(&self) -> &Position {
        &self.position
    }
}

impl Drop for LogReader {
    fn drop(&mut self) {
        if let Some(consumer) = self.consumer.take() {
            client::end(consumer);
        }
    }
}

async fn finished(look: &mut Option<(Look, Anchors)>) -> Result<Looked, BrokerError> {
    match look {
        Some((look, _)) => {
            look.await.unwrap_or_else(|error| Err(BrokerError::Unavailable(format!("a check failed: {error}"))))
        }
        None => std::future::pending().await,
    }
}

async fn closed(closed: &mut watch::Receiver<bool>) {
    // Without a broker that could be closed it is gone, which has the same effect.
    let _ = closed.wait_for(|closed| *closed).await;
}
