//! `[health]`: from when on a node calls itself degraded.

use std::time::Duration;

use crate::document::section::Section;

/// From when on `/healthz` says `degraded`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthConfig {
    /// From so many open connections on; if absent, from nine tenths of the most that there may be.
    pub degraded_connections: Option<usize>,
    /// From this lag behind the stream on.
    pub degraded_lag: Duration,
}

pub(super) const KEYS: &[&str] = &["degraded_connections", "degraded_lag_seconds"];

impl HealthConfig {
    /// Whether so many connections are many, of `most` that there may be.
    #[must_use]
    pub fn are_many(&self, connections: usize, most: usize) -> bool {
        // Nine tenths: early enough to add a node.
        connections > self.degraded_connections.unwrap_or((most - most / 10).max(1))
    }
}

/// Reads `[health]`.
pub(super) fn read(root: &Section<'_>) -> HealthConfig {
    let Some(section) = root.section("health") else {
        return HealthConfig { degraded_connections: None, degraded_lag: Duration::from_secs(5) };
    };
    let section = section.allow(KEYS);
    let help = "it must be 1 to 1000000; left out, it is nine tenths of the most connections of the node";
    let connections = section.integer_or("degraded_connections", 1..=1_000_000, help.to_owned());
    let lag = section.integer("degraded_lag_seconds", 1..=3600, 5);
    HealthConfig {
        degraded_connections: connections.and_then(|connections| usize::try_from(connections).ok()),
        degraded_lag: Duration::from_secs(lag),
    }
}
