//! Kafka, as the settings say.

use std::collections::BTreeSet;
use std::sync::Arc;

use fanfare_broker::kafka::{Kafka, Options};
use fanfare_broker::{Broker, properties};

use super::{BrokerSettings, PublisherError, file};
use crate::Service;

/// Opens the client; the cluster need not be there yet.
pub(super) fn open(
    servers: Vec<String>,
    service: &Service,
    settings: &BrokerSettings,
) -> Result<Arc<dyn Broker>, PublisherError> {
    let mut options = Options {
        prefix: settings.broker_prefix.clone(),
        events: settings.broker_events.clone(),
        state: settings.broker_state.clone(),
        create: settings.broker_create,
        publish_only: true,
        ..Options::new(servers, services(service))
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

/// The first parts of the event types that the service publishes: topics are named after them.
fn services(service: &Service) -> Vec<String> {
    let first = |pattern: &&str| pattern.split('.').next().unwrap_or_default().to_owned();
    service.publishes.iter().map(first).collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_named_after_what_a_service_publishes() {
        let auth = Service { name: "auth", port: 1, publishes: &["auth.*", "system.Alert", "auth.RolesChanged"] };
        assert_eq!(services(&auth), ["auth", "system"]);
    }
}
