//! Nodes' records: a compacted topic of one partition, keyed by the node and the record's name.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, Headers, Message as _, OwnedHeaders};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::watch;

use super::client::{self, Connections, Context};
use super::cluster::{Cluster, Partitions};
use super::ids::TopicIds;
use super::producer::Outgoing;
use super::wire::put;
use crate::error::BrokerError;
use crate::node_record::{NodeReader, NodeRecord};
use crate::token;

/// The header of a name that is too long for a key.
const LONG: &str = "fanfare_what";

/// How often the reader checks whether the topic was recreated, while nothing arrives.
const LOOK: Duration = Duration::from_secs(1);

/// The most records of a batch.
const BATCH: usize = 256;

/// The key of a record.
pub(super) fn key(record: &NodeRecord) -> String {
    let mut key = String::new();
    token::part(&record.node, &mut key);
    key.push('/');
    token::part(&record.what, &mut key);
    key
}

/// A record as it is written.
pub(super) fn outgoing<'a>(topic: &'a str, key: &'a str, record: &'a NodeRecord) -> Outgoing<'a> {
    let mut headers = OwnedHeaders::new_with_capacity(1);
    if token::is_long(&record.what) {
        headers = put(headers, LONG, &record.what);
    }
    Outgoing { topic, key, headers, body: (!record.is_removal()).then_some(&record.body[..]) }
}

/// Decodes a record; none if no node has written it.
fn record(key: Option<&[u8]>, headers: Option<&impl Headers>, body: Option<&[u8]>) -> Option<NodeRecord> {
    let (node, what) = std::str::from_utf8(key?).ok()?.split_once('/')?;
    let long = headers.and_then(|headers| headers.iter().find(|header| header.key == LONG)?.value);
    let long = long.and_then(|long| std::str::from_utf8(long).ok());
    Some(NodeRecord {
        node: token::value(node, None)?,
        what: token::value(what, long)?,
        body: body.map_or_else(Bytes::new, Bytes::copy_from_slice),
    })
}

/// Reads nodes' records.
pub(super) struct Told {
    // Taken when dropped.
    consumer: Option<Arc<StreamConsumer<Context>>>,
    ids: Arc<TopicIds>,
    connections: Arc<Connections>,
    /// Whose logins this follows, and what tells of them.
    cluster: Option<Arc<Cluster>>,
    logins: Option<watch::Receiver<u64>>,
    closed: Option<watch::Receiver<bool>>,
    /// The offset behind the last record that was read.
    next: i64,
    /// Whether the records that existed at the start have been read and their end returned.
    caught_up: bool,
    /// An error that arrived between records, to be returned by the next call.
    trouble: Option<KafkaError>,
    ended: Option<BrokerError>,
}

impl Told {
    /// Starts with the first stored record.
    pub(super) fn open(cluster: &Cluster) -> Result<Self, BrokerError> {
        let topic = &cluster.names.nodes;
        match cluster.partitions_of(topic)? {
            Partitions::Ready(1) => {}
            Partitions::Ready(count) => {
                return Err(BrokerError::Refused(format!("the topic {topic} has {count} partitions; it must have 1")));
            }
            _ => return Err(BrokerError::Unavailable(format!("the topic {topic} is not there"))),
        }
        let start = cluster.starts_of(topic, 1)?.remove(&0).unwrap_or(0);
        let next = i64::try_from(start).unwrap_or(i64::MAX);
        let (consumer, ids) = consumer(cluster, next)?;
        let connections = Arc::clone(&cluster.connections);
        Ok(Self {
            consumer: Some(Arc::new(consumer)),
            ids,
            connections,
            cluster: None,
            logins: None,
            closed: None,
            next,
            caught_up: false,
            trouble: None,
            ended: None,
        })
    }

    /// The same, until this says that the broker is closed, and with another consumer for each other login.
    pub(super) fn until(mut self, closed: watch::Receiver<bool>, cluster: &Arc<Cluster>) -> Self {
        (self.closed, self.logins, self.cluster) = (Some(closed), Some(cluster.logins()), Some(Arc::clone(cluster)));
        self
    }

    /// Goes on with another consumer, as there is another login.
    fn log_in(&mut self) -> Result<(), BrokerError> {
        let Some(cluster) = &self.cluster else { return Ok(()) };
        let (new, ids) = consumer(cluster, self.next)?;
        if let Some(before) = self.consumer.replace(Arc::new(new)) {
            client::end(before);
        }
        (self.ids, self.trouble) = (ids, None);
        Ok(())
    }

    /// The consumer's answer in place of a record: the end was reached, or why there will be no record.
    fn hear(&mut self, error: &KafkaError) -> Result<bool, BrokerError> {
        if matches!(error, KafkaError::PartitionEOF(_)) {
            return Ok(!std::mem::replace(&mut self.caught_up, true));
        }
        match error.rdkafka_error_code() {
            Some(Code::AutoOffsetReset | Code::OffsetOutOfRange | Code::LogTruncation) => {
                Err(BrokerError::OtherIncarnation { reason: format!("the nodes' stream was recreated: {error}") })
            }
            Some(Code::TopicAuthorizationFailed) => {
                Err(client::broker_error("reading nodes' records", error, &self.connections))
            }
            _ => {
                tracing::debug!(%error, "trouble while reading nodes' records");
                Ok(false)
            }
        }
    }

    async fn read(&mut self) -> Result<Vec<NodeRecord>, BrokerError> {
        let mut records = Vec::new();
        loop {
            if let Some(reason) = self.ids.recreated() {
                return Err(BrokerError::OtherIncarnation { reason });
            }
            if let Some(error) = self.trouble.take()
                && self.hear(&error)?
            {
                return Ok(records);
            }
            let Some(consumer) = self.consumer.clone() else { return Err(BrokerError::Closed) };
            let has_some = !records.is_empty();
            let heard = tokio::select! {
                biased;
                () = closed(&mut self.closed) => return Err(BrokerError::Closed),
                () = logged_in(&mut self.logins) => {
                    self.log_in()?;
                    continue;
                }
                message = consumer.recv() => Some(message.map(|message| (message.offset(), taken(&message)))),
                () = std::future::ready(()), if has_some => None,
                // If the new topic is as long as the old one, no read fails: only its id differs, and that wakes no
                // reader.
                () = tokio::time::sleep(LOOK) => continue,
            };
            match heard {
                None => return Ok(records),
                Some(Ok((offset, record))) => {
                    self.next = offset.saturating_add(1);
                    records.extend(record);
                }
                Some(Err(error)) => self.trouble = Some(error),
            }
            // Records that were read are returned first; an error that arrived with them is returned by the next call.
            if records.len() >= BATCH || (!records.is_empty() && self.trouble.is_some()) {
                return Ok(records);
            }
        }
    }
}

fn taken(message: &BorrowedMessage<'_>) -> Option<NodeRecord> {
    record(message.key(), message.headers(), message.payload())
}

/// A consumer of the topic's only partition.
fn consumer(cluster: &Cluster, next: i64) -> Result<(StreamConsumer<Context>, Arc<TopicIds>), BrokerError> {
    let failed = |error: KafkaError| client::broker_error("reading nodes' records", &error, &cluster.connections);
    let mut config = client::reading(&cluster.config(), &cluster.options, 1);
    config.set("enable.partition.eof", "true");
    let context = cluster.context();
    let ids = Arc::clone(&context.ids);
    let consumer: StreamConsumer<Context> = config.create_with_context(context).map_err(failed)?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&cluster.names.nodes, 0, Offset::Offset(next)).map_err(failed)?;
    consumer.assign(&list).map_err(failed)?;
    Ok((consumer, ids))
}

async fn closed(closed: &mut Option<watch::Receiver<bool>>) {
    match closed {
        // Without a broker that could be closed it is gone, which has the same effect.
        Some(closed) => drop(closed.wait_for(|closed| *closed).await),
        None => std::future::pending().await,
    }
}

/// Waits for another login.
async fn logged_in(logins: &mut Option<watch::Receiver<u64>>) {
    if let Some(logins) = logins
        && logins.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

#[async_trait]
impl NodeReader for Told {
    async fn next(&mut self) -> Result<Vec<NodeRecord>, BrokerError> {
        if let Some(error) = &self.ended {
            return Err(error.clone());
        }
        let read = self.read().await;
        if let Err(error) = &read
            && !matches!(error, BrokerError::Unavailable(_))
        {
            self.ended = Some(error.clone());
        }
        read
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if let Some(consumer) = self.consumer.take() {
            client::end(consumer);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_record_comes_back_from_its_key(node in "[^\\p{C}]{1,20}", what in "[^\\p{C}]{1,300}", body in "[a-z]{0,3}") {
            let sent = NodeRecord { node, what, body: Bytes::from(body) };
            let key = key(&sent);
            let out = outgoing("fanfare.nodes", &key, &sent);
            prop_assert_eq!(out.body.is_none(), sent.is_removal());
            prop_assert_eq!(record(Some(key.as_bytes()), Some(&out.headers), out.body), Some(sent));
        }
    }

    #[test]
    fn foreign_records_are_ignored() {
        for key in ["", "lease", "a%61/lease", "a/~00", "a/b/c"] {
            assert_eq!(record(Some(key.as_bytes()), None::<&OwnedHeaders>, None), None, "{key}");
        }
        assert_eq!(record(None, None::<&OwnedHeaders>, None), None);
    }
}
