//! A consumer whose partitions are assigned by hand.

use std::sync::Arc;

use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::client::{self, Context};
use super::cluster::Cluster;
use super::ids::TopicIds;
use super::places::Ends;
use crate::error::BrokerError;

pub(super) type Consuming = StreamConsumer<Context>;

/// A consumer of these partitions, from the given offsets on, with the ids of the topics as it hears them.
pub(super) fn consumer(cluster: &Cluster, next: &Ends) -> Result<(Consuming, Arc<TopicIds>), BrokerError> {
    let config = client::reading(&cluster.config(), &cluster.options, next.len());
    let failed = |error: KafkaError| BrokerError::Unavailable(format!("no client for reading: {error}"));
    let context = cluster.context();
    let ids = Arc::clone(&context.ids);
    let consumer: Consuming = config.create_with_context(context).map_err(failed)?;
    let list = list(cluster, next).map_err(failed)?;
    consumer.assign(&list).map_err(failed)?;
    Ok((consumer, ids))
}

/// The partitions with the offsets to begin with.
pub(super) fn list(cluster: &Cluster, next: &Ends) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::new();
    for (part, next) in next {
        let next = Offset::Offset(i64::try_from(*next).unwrap_or(i64::MAX));
        list.add_partition_offset(cluster.names.name(*part), part.partition, next)?;
    }
    Ok(list)
}
