//! Opens the configured broker.

#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "nats")]
mod nats;

mod logins;

use std::path::Path;
use std::sync::Arc;

use fanfare_broker::Broker;
use fanfare_broker::embedded::{Embedded, Options, Window};
#[cfg(feature = "kafka")]
use fanfare_broker::kafka::Kafka;
#[cfg(feature = "nats")]
use fanfare_broker::nats::Nats;
use fanfare_event::Registry;

use super::node::StartError;
#[cfg(any(feature = "nats", feature = "kafka"))]
use crate::config::Secret;
use crate::config::{BrokerConfig, BrokerKind, Loaded};
pub(crate) use logins::Logins;

// Only Kafka uses the schemas: its topics are named after services.
#[cfg_attr(not(feature = "kafka"), allow(unused_variables))]
/// Opens the broker, with the way to log in as somebody else; one outside this process need not be there yet.
pub(crate) fn open(config: &BrokerConfig, registry: &Registry) -> Result<(Arc<dyn Broker>, Logins), StartError> {
    match &config.kind {
        BrokerKind::Embedded(folder) => Ok((embedded(config, folder)?, Logins::None)),
        #[cfg(feature = "nats")]
        BrokerKind::Nats(nats) => {
            let nats = nats::open(config, nats)?;
            Ok((Arc::<Nats>::clone(&nats), Logins::Nats(nats)))
        }
        #[cfg(feature = "kafka")]
        BrokerKind::Kafka(kafka) => {
            let kafka = kafka::open(config, kafka, registry)?;
            Ok((Arc::<Kafka>::clone(&kafka), Logins::Kafka(kafka)))
        }
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
    open(&loaded.config.broker, loaded.registry()).map(|(broker, _)| broker)
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
