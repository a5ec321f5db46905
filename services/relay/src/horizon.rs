//! How long rows are kept after they are published directly to a broker: as long as it may lose them.

use std::time::Duration;

#[cfg(feature = "nats")]
use fanfare_broker::nats::monitor::{self, Sync, Url};
use fanfare_outbox::BrokerPublisher;

/// The monitoring ports of NATS servers, which report how often files are synced; clients cannot find out.
#[derive(Debug, Clone, Default)]
pub struct Monitors {
    #[cfg(feature = "nats")]
    urls: Vec<Url>,
}

impl Monitors {
    /// Parses their URLs.
    ///
    /// # Errors
    /// What would be right.
    #[cfg(feature = "nats")]
    pub fn parse(texts: &[String]) -> Result<Self, String> {
        let urls = texts.iter().map(|text| monitor::url(text)).collect::<Result<_, _>>();
        urls.map(|urls| Self { urls }).map_err(|error| format!("{error}, such as http://nats-0.nats:8222"))
    }

    /// A build without NATS asks no server.
    ///
    /// # Errors
    /// If there are any.
    #[cfg(not(feature = "nats"))]
    pub fn parse(texts: &[String]) -> Result<Self, String> {
        if texts.is_empty() { Ok(Self::default()) } else { Err("this build has no client of NATS".to_owned()) }
    }

    /// How long their servers may lose acknowledged events; none if there are none.
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

/// A publisher that keeps published events for the configured time, else for the time that the servers' monitoring
/// ports imply, else for the default of the broker's kind.
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
