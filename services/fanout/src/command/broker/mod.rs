//! Opens the configured broker.

#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "nats")]
mod nats;

use std::path::Path;
use std::sync::Arc;

use fanfare_broker::Broker;
use fanfare_broker::embedded::{Embedded, Options, Window};
use fanfare_event::Registry;

use super::node::StartError;
#[cfg(any(feature = "nats", feature = "kafka"))]
use crate::config::Secret;
use crate::config::{BrokerConfig, BrokerKind, Loaded};

// Only Kafka uses the schemas: its topics are named after services.
#[cfg_attr(not(feature = "kafka"), allow(unused_variables))]
/// Opens the broker; one outside this process need not be there yet.
pub(crate) fn open(config: &BrokerConfig, registry: &Registry) -> Result<Arc<dyn Broker>, StartError> {
    match &config.kind {
        BrokerKind::Embedded(folder) => embedded(config, folder),
        #[cfg(feature = "nats")]
        BrokerKind::Nats(nats) => nats::open(config, nats),
        #[cfg(feature = "kafka")]
        BrokerKind::Kafka(kafka) => kafka::open(config, kafka, registry),
        #[cfg(not(feature = "nats"))]
        BrokerKind::Nats(_) => Err(StartError::NotBuilt),
        #[cfg(not(feature = "kafka"))]
        BrokerKind::Kafka(_) => Err(StartError::NotBuilt),
    }
}

/// The log that a configuration names, opened as a node opens it: for programs that write or read it beside one.
///
/// # Errors
/// [`StartError`] if its client cannot be made, or the embedded log cannot be opened.
pub fn open_log(loaded: &Loaded) -> Result<Arc<dyn Broker>, StartError> {
    open(&loaded.config.broker, loaded.registry())
}

fn embedded(config: &BrokerConfig, folder: &Path) -> Result<Arc<dyn Broker>, StartError> {
    let replay = Window { age: config.window, records: config.window_events };
    let defaults = Options::default();
    let options = Options {
        retention_age: config.retention,
        retention_bytes: config.retention_bytes,
        protected: replay,
        dedup: Window { age: replay.age.max(defaults.dedup.age), ..defaults.dedup },
        ..defaults
    };
    Ok(Arc::new(Embedded::open(folder, options)?))
}

/// A secret as text.
#[cfg(any(feature = "nats", feature = "kafka"))]
fn text(secret: &Secret) -> Result<String, StartError> {
    let text = std::str::from_utf8(secret.as_bytes());
    text.map(str::to_owned).map_err(|_| StartError::Broker("a secret is not UTF-8".to_owned()))
}
