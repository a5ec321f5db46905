//! Opens Kafka as configured.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fanfare_broker::kafka::{Kafka, Options};
use fanfare_event::Registry;

use super::text;
use crate::command::node::StartError;
use crate::config::{BrokerConfig, KafkaConfig};

/// Opens the client; the cluster need not be there yet. Every service of the schemas has its topics.
pub(super) fn open(config: &BrokerConfig, kafka: &KafkaConfig, registry: &Registry) -> Result<Arc<Kafka>, StartError> {
    let services: BTreeSet<_> = registry.event_types().map(|known| known.name().service().to_owned()).collect();
    let options = Options {
        prefix: config.prefix.clone(),
        events: kafka.events.clone(),
        state: kafka.state.clone(),
        create: kafka.create,
        partitions: kafka.partitions,
        replication: kafka.replication,
        strict: kafka.strict,
        retention: config.retention,
        retention_bytes: config.retention_bytes,
        window: config.window,
        properties: properties(kafka)?,
        ..Options::new(kafka.servers.clone(), services.into_iter().collect())
    };
    let broker = Kafka::open(options).map_err(|error| StartError::Broker(error.to_string()))?;
    Ok(Arc::new(broker))
}

/// The settings of librdkafka.
pub(super) fn properties(kafka: &KafkaConfig) -> Result<BTreeMap<String, String>, StartError> {
    kafka.properties.iter().map(|(name, value)| Ok((name.clone(), text(value)?))).collect()
}
