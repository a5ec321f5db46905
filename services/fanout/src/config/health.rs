//! `[health]`: when a node calls itself degraded, and the path that load balancers ask.

use std::time::Duration;

use super::hub::{HubConfig, is_path};
use crate::document::section::Section;

/// From when on `/healthz` says `degraded`, and where the hubs' port says whether the node is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthConfig {
    /// From so many open connections on; if absent, from nine tenths of the most that there may be.
    pub degraded_connections: Option<usize>,
    /// From this lag on.
    pub degraded_lag: Duration,
    /// Where load balancers ask on the port of the hubs whether the node is ready.
    pub path: Option<String>,
}

pub(super) const KEYS: &[&str] = &["degraded_connections", "degraded_lag_seconds", "path"];

impl HealthConfig {
    /// Whether so many connections are many, of `most` that there may be.
    #[must_use]
    pub fn are_many(&self, connections: usize, most: usize) -> bool {
        // Nine tenths: early enough to add a node.
        connections > self.degraded_connections.unwrap_or((most - most / 10).max(1))
    }
}

/// Reads `[health]`.
pub(super) fn read(root: &Section<'_>, hubs: &[HubConfig]) -> HealthConfig {
    let Some(section) = root.section("health") else {
        return HealthConfig { degraded_connections: None, degraded_lag: Duration::from_secs(5), path: None };
    };
    let section = section.allow(KEYS);
    let help = "it must be 1 to 1000000; left out, it is nine tenths of the most connections of the node";
    let connections = section.integer_or("degraded_connections", 1..=1_000_000, help.to_owned());
    let lag = section.integer("degraded_lag_seconds", 1..=3600, 5);
    HealthConfig {
        degraded_connections: connections.and_then(|connections| usize::try_from(connections).ok()),
        degraded_lag: Duration::from_secs(lag),
        path: path(&section, hubs),
    }
}

/// Reads `path = "/health"`, which must be nobody else's.
fn path(section: &Section<'_>, hubs: &[HubConfig]) -> Option<String> {
    const TAKEN: [&str; 2] = ["/", "/events"];
    let text = section.string("path")?;
    let path = text.value;
    let is_same = |other: &str| other.eq_ignore_ascii_case(path);
    let of_hub = |hub: &&HubConfig| {
        is_same(&hub.path) || ["negotiate", "refresh"].into_iter().any(|own| is_same(&format!("{}/{own}", hub.path)))
    };
    let fault = if !is_path(path) {
        format!("`{path}` is not a path")
    } else if TAKEN.into_iter().any(is_same) {
        format!("`{path}` is taken")
    } else if let Some(hub) = hubs.iter().find(of_hub) {
        format!("`{path}` is a path of the hub {}", hub.path)
    } else {
        return Some(path.to_owned());
    };
    // A hub may be at the usual path.
    let free =
        ["/health", "/ready"].into_iter().find(|free| !hubs.iter().any(|hub| hub.path.eq_ignore_ascii_case(free)));
    section.document().fault(text.at, fault, free.map(|free| format!("for instance path = \"{free}\"")));
    None
}
