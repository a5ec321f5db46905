//! Kafka, as configured.

use std::sync::Arc;

use fanfare_broker::kafka::{Kafka, Options};
use fanfare_broker::{Broker, properties};

use super::{BrokerSettings, PublisherError, file};

/// Opens the client; the cluster need not be reachable yet.
pub(super) fn open(
    servers: Vec<String>,
    services: Vec<String>,
    settings: &BrokerSettings,
) -> Result<Arc<dyn Broker>, PublisherError> {
    let mut options = Options {
        prefix: settings.broker_prefix.clone(),
        events: settings.broker_events.clone(),
        state: settings.broker_state.clone(),
        create: settings.broker_create,
        publish_only: true,
        ..Options::new(servers, services)
    };
    if let Some(path) = &settings.broker_properties_file {
        options.properties = properties::parse(&file::text(path)?).map_err(|(line, reason)| PublisherError::File {
            path: path.clone(),
            reason: format!("line {line}: {reason}"),
        })?;
    }
    let broker = Kafka::open(options).map_err(|error| PublisherError::Broker(error.to_string()))?;
    Ok(Arc::new(broker))
}
