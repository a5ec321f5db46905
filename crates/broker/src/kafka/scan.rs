//! Reads a part of one topic up to its end, on a thread that may block.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::{Offset, TopicPartitionList};

use super::client::{self, Context};
use super::cluster::Cluster;
use super::names::Part;
use super::places::Ends;
use crate::error::BrokerError;

/// How long one poll waits.
const POLL: Duration = Duration::from_millis(100);

/// Reads the topic's partitions from the given offsets to their ends at the time of the call. `take` returns for each
/// record whether its partition is read further.
pub(super) fn scan(
    cluster: &Cluster,
    topic: &str,
    from: &BTreeMap<i32, u64>,
    mut take: impl FnMut(&BorrowedMessage<'_>) -> bool,
) -> Result<(), BrokerError> {
    let what = || format!("reading {topic}");
    let failed = |error: &KafkaError| client::broker_error(&what(), error, &cluster.connections);
    if from.is_empty() {
        return Ok(());
    }
    let mut config = client::reading(&cluster.config(), &cluster.options, from.len());
    config.set("enable.partition.eof", "true");
    let context: Context = cluster.context();
    let consumer: BaseConsumer<Context> = config.create_with_context(context).map_err(|error| failed(&error))?;
    let mut list = TopicPartitionList::new();
    for (partition, offset) in from {
        let offset = Offset::Offset(i64::try_from(*offset).unwrap_or(i64::MAX));
        list.add_partition_offset(topic, *partition, offset).map_err(|error| failed(&error))?;
    }
    consumer.assign(&list).map_err(|error| failed(&error))?;
    let mut open: BTreeSet<i32> = from.keys().copied().collect();
    let mut progress = Instant::now();
    while !open.is_empty() {
        match consumer.poll(POLL) {
            None => {
                if progress.elapsed() > cluster.timeout() {
                    let code = rdkafka::error::RDKafkaErrorCode::OperationTimedOut;
                    return Err(client::code_error(&what(), code, &cluster.connections));
                }
                continue;
            }
            Some(Ok(message)) => {
                if open.contains(&message.partition()) && !take(&message) {
                    open.remove(&message.partition());
                }
            }
            // There is one topic, so the number identifies the partition.
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                open.remove(&partition);
            }
            Some(Err(error)) => {
                if let Some(fault) = fatal(&error) {
                    return Err(BrokerError::Unavailable(format!("{}: {fault}", what())));
                }
                continue;
            }
        }
        progress = Instant::now();
    }
    Ok(())
}

/// An error that waiting does not fix.
fn fatal(error: &KafkaError) -> Option<String> {
    use rdkafka::error::RDKafkaErrorCode as Code;
    let code = error.rdkafka_error_code()?;
    let stopped = matches!(code, Code::AutoOffsetReset | Code::OffsetOutOfRange | Code::TopicAuthorizationFailed);
    (stopped || client::is_missing(code)).then(|| code.to_string())
}

/// Of partitions that were read up to an offset: those without a record between it and their end.
///
/// Compaction and the markers of transactions leave holes. Waiting for records does not reveal a hole at the end.
pub(super) fn holes(cluster: &Cluster, next: &Ends, ends: &Ends) -> Result<Ends, BrokerError> {
    let mut by_topic: BTreeMap<usize, BTreeMap<i32, u64>> = BTreeMap::new();
    for (part, next) in next {
        by_topic.entry(part.topic).or_default().insert(part.partition, *next);
    }
    let mut holes = Ends::new();
    for (topic, from) in by_topic {
        let mut found = BTreeSet::new();
        scan(cluster, &cluster.names.topics[topic].name, &from, |message| {
            let part = Part { topic, partition: message.partition() };
            let before_end =
                ends.get(&part).is_some_and(|end| message.offset() < i64::try_from(*end).unwrap_or(i64::MAX));
            if before_end {
                found.insert(part);
            }
            false
        })?;
        let empty = from.keys().map(|partition| Part { topic, partition: *partition });
        holes.extend(empty.filter(|part| !found.contains(part)).filter_map(|part| Some((part, *ends.get(&part)?))));
    }
    Ok(holes)
}
