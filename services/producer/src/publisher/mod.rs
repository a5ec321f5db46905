//! A producer's publisher: directly to the broker, or over HTTP to a node.

#[cfg(any(feature = "nats", feature = "kafka"))]
mod file;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "nats")]
mod nats;
mod settings;

use crate::{Producer, Service, Settings};
use fanfare_broker::Broker;
use fanfare_broker::address::{Address, Kind};
use fanfare_outbox::{BrokerPublisher, HttpPublisher, HttpPublisherError, Publisher};
pub use settings::BrokerSettings;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// Why there is no publisher.
#[derive(Debug, thiserror::Error)]
pub enum PublisherError {
    /// The publisher for the fan-out cannot be created.
    #[error(transparent)]
    Http(#[from] HttpPublisherError),
    /// The program was built without this broker's client.
    #[error(
        "this build has no client of {0}; build it with its feature `{1}`, which `cargo build --release` and \
         `make run BROKER={1}` do"
    )]
    NotBuilt(&'static str, &'static str),
    /// A secret's file cannot be used.
    #[error("{path}: {reason}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No client can be created with the settings.
    #[error("the broker cannot be used: {0}")]
    Broker(String),
}

/// Publishes to the configured broker, else to the fan-out with the producer's own tokens.
///
/// # Errors
/// If an address is invalid or a file cannot be used. An unreachable broker is no error: the relay waits for it.
pub fn publisher(
    producer: &Producer,
    service: &Service,
    settings: &Settings,
) -> Result<Box<dyn Publisher>, PublisherError> {
    if let Some(address) = &settings.broker.broker_url {
        let broker = open_broker(address, services(service), &settings.broker)?;
        let publisher = BrokerPublisher::new(broker);
        return Ok(Box::new(match settings.broker.broker_horizon {
            Some(horizon) => publisher.horizon(horizon),
            None => publisher.horizon_of_broker(),
        }));
    }
    let tokens = producer.clone();
    let publisher = HttpPublisher::new(settings.fanout_url.as_str(), move || {
        tokens.identity().token().map(|token| token.to_string()).map_err(|error| error.to_string())
    })?;
    Ok(Box::new(publisher))
}

/// Opens the client of a broker, which need not be reachable yet. On Kafka, topics are named after the services.
///
/// # Errors
/// If a file cannot be used, or this build lacks the client.
// Which of these are used depends on the features of the build.
#[cfg_attr(not(all(feature = "nats", feature = "kafka")), allow(unused_variables))]
pub fn open_broker(
    address: &Address,
    services: Vec<String>,
    settings: &BrokerSettings,
) -> Result<Arc<dyn Broker>, PublisherError> {
    let servers = address.servers.clone();
    match address.kind {
        #[cfg(feature = "nats")]
        Kind::Nats => nats::open(servers, settings),
        #[cfg(feature = "kafka")]
        Kind::Kafka => kafka::open(servers, services, settings),
        #[cfg(not(feature = "nats"))]
        Kind::Nats => Err(PublisherError::NotBuilt("NATS", "nats")),
        #[cfg(not(feature = "kafka"))]
        Kind::Kafka => Err(PublisherError::NotBuilt("Kafka", "kafka")),
    }
}

/// The first parts of the event types that the service publishes, which are in the names of topics.
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
