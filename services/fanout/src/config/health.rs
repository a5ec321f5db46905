//! `[health]`: from when on a node calls itself degraded.

use std::time::Duration;

use super::section::Section;

/// From when on `/healthz` says `degraded`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthConfig {
    /// From so many open connections on.
    pub degraded_connections: usize,
    /// From this lag behind the stream on.
    pub degraded_lag: Duration,
}

pub(super) const KEYS: &[&str] = &["degraded_connections", "degraded_lag_seconds"];

/// Nine tenths of the most connections: early enough to add a node.
fn default_connections(most: usize) -> usize {
    (most - most / 10).max(1)
}

/// Reads `[health]`; `most` is the most connections of the node.
pub(super) fn read(root: &Section<'_>, most: usize) -> HealthConfig {
    let default = default_connections(most);
    let Some(section) = root.section("health") else {
        return HealthConfig { degraded_connections: default, degraded_lag: Duration::from_secs(5) };
    };
    let section = section.allow(KEYS);
    let connections = section.integer("degraded_connections", 1..=1_000_000, default as u64);
    let lag = section.integer("degraded_lag_seconds", 1..=3600, 5);
    HealthConfig {
        degraded_connections: usize::try_from(connections).unwrap_or(usize::MAX),
        degraded_lag: Duration::from_secs(lag),
    }
}
