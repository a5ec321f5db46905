//! For how long rows are kept once they are published straight to a broker: as long as that may lose them.

use std::time::Duration;

#[cfg(feature = "nats")]
use fanfare_broker::nats::monitor::{self, Sync, Url};
use fanfare_outbox::BrokerPublisher;

/// The monitoring ports of NATS servers, which say how often files reach the disk; no client is told.
#[derive(Debug, Clone, Default)]
pub struct Monitors {
    #[cfg(feature = "nats")]
    urls: Vec<Url>,
}

impl Monitors {
    /// Reads their URLs.
    ///
    /// # Errors
    /// What would be right.
    #[cfg(feature = "nats")]
    pub fn parse(texts: &[String]) -> Result<Self, String> {
        let urls = texts.iter().map(|text| monitor::url(text)).collect::<Result<_, _>>();
        urls.map(|urls| Self { urls }).map_err(|error| format!("{error}, such as http://nats-0.nats:8222"))
    }

    /// A build without NATS asks none.
    ///
    /// # Errors
    /// If there are any.
    #[cfg(not(feature = "nats"))]
    pub fn parse(texts: &[String]) -> Result<Self, String> {
        if texts.is_empty() { Ok(Self::default()) } else { Err("this build has no client of NATS".to_owned()) }
    }

    /// For how long their servers may lose what they have answered for; none if there are none.
    #[cfg(feature = "nats")]
    async fn horizon(&self) -> Option<Duration> {
        if self.urls.is_empty() {
            return None;
        }
        let told = monitor::ask_all(&self.urls).await;
        for (server, told) in self.urls.iter().zip(&told) {
            match told {
                Sync::Unknown(_) => tracing::warn!(%server, "{told}"),
                Sync::Always | Sync::Every(_) => tracing::info!(%server, "{told}"),
            }
        }
        Some(monitor::horizon(&told))
    }

    #[cfg(not(feature = "nats"))]
    async fn horizon(&self) -> Option<Duration> {
        None
    }
}

/// A publisher that keeps what it publishes for as long as the configuration says, else as the servers say on their
/// monitoring ports, else by the kind of the broker.
pub async fn keeping(publisher: BrokerPublisher, set: Option<Duration>, monitors: &Monitors) -> BrokerPublisher {
    let needed = monitors.horizon().await;
    if let (Some(set), Some(needed)) = (set, needed)
        && set < needed
    {
        let (horizon_seconds, needed_seconds) = (set.as_secs(), needed.as_secs());
        tracing::warn!(horizon_seconds, needed_seconds, "horizon_seconds is less than what the servers may lose");
    }
    match set.or(needed) {
        Some(horizon) => publisher.horizon(horizon),
        None => publisher.horizon_of_broker(),
    }
}
