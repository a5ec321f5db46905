//! The way to log in to a broker as somebody else, while the node runs.

#[cfg(any(feature = "nats", feature = "kafka"))]
use std::sync::Arc;

#[cfg(feature = "kafka")]
use fanfare_broker::kafka::Kafka;
#[cfg(feature = "nats")]
use fanfare_broker::nats::Nats;

use crate::config::BrokerKind;

/// The broker of a node, where it knows who the node is.
#[derive(Clone)]
pub(crate) enum Logins {
    /// It asks nobody who they are.
    None,
    /// NATS.
    #[cfg(feature = "nats")]
    Nats(Arc<Nats>),
    /// Kafka.
    #[cfg(feature = "kafka")]
    Kafka(Arc<Kafka>),
}

impl Logins {
    /// Uses the login of this configuration, once a connection with it was tried.
    ///
    /// # Errors
    /// Why it is of no use; the one before stays.
    pub(crate) async fn log_in(&self, kind: &BrokerKind) -> Result<(), String> {
        match (self, kind) {
            #[cfg(feature = "nats")]
            (Self::Nats(broker), BrokerKind::Nats(nats)) => {
                let login = super::nats::login(nats).map_err(|error| error.to_string())?;
                broker.log_in(login, super::nats::tls(nats)).await
            }
            #[cfg(feature = "kafka")]
            (Self::Kafka(broker), BrokerKind::Kafka(kafka)) => {
                let properties = super::kafka::properties(kafka).map_err(|error| error.to_string())?;
                broker.log_in(&properties).await
            }
            // Another broker needs a start.
            _ => Ok(()),
        }
    }
}
