//! The answers of `GET /nodes`, `/routes`, `/users/{user}` and `/whoami`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How one node is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeState {
    /// Its id.
    pub node: String,
    /// The version of its program.
    pub version: String,
    /// For how long it runs, in seconds.
    pub uptime_seconds: u64,
    /// Whether it takes new connections.
    pub ready: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// Why it is degraded.
    pub degraded: Vec<String>,
    /// Whether it is about to stop.
    pub draining: bool,
    /// How many connections are open.
    pub connections: u64,
    /// How many it takes at most.
    pub capacity: u64,
    /// Its connections by transport.
    pub transports: BTreeMap<String, u64>,
    /// How many connections have ended since it runs, by reason.
    pub closes: BTreeMap<String, u64>,
    /// How many were refused since it runs, by reason.
    pub refused: BTreeMap<String, u64>,
    /// How many events it could not use since it runs, by reason.
    #[serde(default)]
    pub letters: BTreeMap<String, u64>,
    /// How much memory it takes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub memory_bytes: Option<u64>,
    /// The digest of its routes.
    pub routes: String,
    /// Whether its route files differ from the routes in use.
    pub routes_refused: bool,
    /// Where it is in the log.
    pub log: LogState,
    /// Its counters since it started.
    pub counters: Counters,
}

/// Where a node is in the log.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LogState {
    /// The broker: `embedded`, `nats` or `kafka`.
    pub broker: String,
    /// Whether it can be reached.
    pub connected: bool,
    /// Risks that the broker loses what it has acknowledged.
    pub risks: Vec<String>,
    /// When what it has acknowledged is on a disk, if it tells.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub disk: Option<String>,
    /// The last record of each partition, added up.
    pub head: u64,
    /// The last record that the node has read, added up the same way.
    pub position: u64,
    /// How many records are not read.
    pub lag_records: u64,
    /// For how long there has been something that is not read.
    pub lag_seconds: f64,
}

/// Counters of a node since it started.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counters {
    /// Events read from the log.
    pub events_read: u64,
    /// Notifications that routes made.
    pub notifications: u64,
    /// Notifications given to tabs.
    pub deliveries: u64,
    /// Tabs that were ended as they took nothing.
    pub slow_consumers: u64,
    /// Events that could not be used.
    pub dead_letters: u64,
    /// Deliveries that would have crossed orgs.
    pub isolation_drops: u64,
}

/// How all nodes are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeStates {
    /// The node that was asked.
    pub asked: String,
    /// Each that answered, by its id.
    pub nodes: Vec<NodeState>,
    /// Those that have a lease and did not answer.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub missing: Vec<Missing>,
    /// Those whose lease has ended recently.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub gone: Vec<Gone>,
}

/// A node that has a lease and did not answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Missing {
    /// Its id.
    pub node: String,
    /// Where it was asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<String>,
    /// Why there is no answer.
    pub reason: String,
    /// How long ago its lease was last read, in seconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lease_seconds: Option<u64>,
}

/// A node whose lease has ended: it left, or was gone for as long as a lease lasts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gone {
    /// Its id.
    pub node: String,
    /// How long ago its lease was last read, in seconds.
    pub lease_seconds: u64,
    /// How long ago it ended.
    pub ended_seconds: u64,
    /// Whether it died: it had not renewed its lease, and others ended it.
    pub died: bool,
}

/// The routes of the node that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutesPage {
    /// Their digest.
    pub digest: String,
    /// How many there are.
    pub count: usize,
    /// A line for each, as `fanfare check --explain` has it.
    pub routes: Vec<String>,
    /// The key of the next page; none at the end.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
}

/// Which tokens of a user are refused, as the node that was asked knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserState {
    /// The user's id.
    pub user: String,
    /// The newest logouts that are remembered.
    pub logouts: Vec<UserLogout>,
    /// Everybody's tokens issued until then are refused, as RFC 3339 writes it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub everyone: Option<String>,
}

/// A logout of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserLogout {
    /// Tokens that were issued until then are refused; of a session all are.
    pub at: String,
    /// The session, if only one was logged out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session: Option<String>,
    /// The realm, if it was one of several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub realm: Option<String>,
}

/// The caller, and what its token allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhoAmI {
    /// The node that was asked.
    pub node: String,
    /// `read`, or `change`.
    pub rights: super::Rights,
    /// Until when the bearer is good, as RFC 3339 writes it.
    pub until: String,
}
