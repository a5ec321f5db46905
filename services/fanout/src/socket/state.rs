//! The state that the handlers of the HTTP edge share.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use fanfare_telemetry::metrics::{self, FanoutMetrics, Registry};
use fanfare_token::Verifier;
use http::StatusCode;
use tokio::sync::mpsc;

use super::answer::SOON;
use super::authorizers::Authorizers;
use super::connections::Listings;
use super::edge::Edge;
use super::listen::Unserved;
use super::page::Page;
use super::peers::Peers;
use super::refresh::Passing;
use super::seat::Seat;
use super::shard::Command;
use crate::config::{Config, CorsConfig, HealthConfig, HubConfig};
use crate::connection::ConnectionId;
use crate::groups::Groups;
use crate::limit::{ConnectRefusal, Pressure, Who};
use crate::method::Methods;
use crate::nodes::Nodes;
use crate::operator::configuration::Configuration;
use crate::pipeline::letters::DeadLetterAdmin;
use crate::pipeline::{EventBytes, EventPaths, Ingest, NotReady, Status};
use crate::route::Routes;
use crate::seal::Seal;
use crate::shard::SharedBounds;

/// The hubs of a node, found by path without regard to case. They may be replaced while the node runs.
#[derive(Debug, Default)]
pub struct Hubs(RwLock<HashMap<String, Arc<HubConfig>>>);

impl Hubs {
    /// Takes the configured hubs.
    #[must_use]
    pub fn new(hubs: &[HubConfig]) -> Self {
        Self(RwLock::new(by_path(hubs)))
    }

    /// Uses new hubs. A connection keeps the hub that it came to, except for its methods.
    pub fn replace(&self, hubs: &[HubConfig]) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = by_path(hubs);
    }

    /// The hub at a path; ASP.NET matches paths so, and its clients rely on it.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<Arc<HubConfig>> {
        let hubs = self.0.read().unwrap_or_else(PoisonError::into_inner);
        hubs.get(path.trim_end_matches('/').to_ascii_lowercase().as_str()).cloned()
    }
}

fn by_path(hubs: &[HubConfig]) -> HashMap<String, Arc<HubConfig>> {
    hubs.iter().map(|hub| (hub.path.to_ascii_lowercase(), Arc::new(hub.clone()))).collect()
}

/// A node as such.
#[derive(Debug, Clone)]
pub struct About {
    /// When it was started.
    pub started: Instant,
    /// The name of its broker.
    pub broker: &'static str,
    /// The org of a platform with only one.
    pub single_org: Option<String>,
}

impl About {
    /// A node of this configuration that is started now.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let single_org = config.single_org.clone();
        Self { started: Instant::now(), broker: config.broker.kind.name(), single_org }
    }
}

/// The state of the HTTP edge.
#[derive(Debug)]
pub struct App {
    /// The hubs.
    pub hubs: Hubs,
    /// Verifies bearer tokens; without it no issuer is trusted, and tokens are not looked at.
    pub verifier: Option<Verifier>,
    /// The state shared with the pipeline.
    pub groups: Arc<Groups>,
    /// Takes published events.
    pub ingest: Ingest,
    /// The dead letters, for the operator.
    pub letters: DeadLetterAdmin,
    /// This node among the others.
    pub nodes: Nodes,
    /// How connections are asked for, here and at other nodes.
    pub listings: Listings,
    /// What became of the newest events.
    pub paths: Arc<EventPaths>,
    /// The methods.
    pub methods: Methods,
    /// The authorizers.
    pub authorizers: Authorizers,
    /// Seals connection tokens.
    pub seal: Seal,
    /// The limits of one client.
    pub edge: Edge,
    /// CORS.
    pub cors: CorsConfig,
    /// The page at `/`.
    pub page: Page,
    /// The largest body of a published event, in bytes.
    pub event_bytes: EventBytes,
    /// How much one connection may hold and be sent.
    pub connection_bounds: Arc<SharedBounds>,
    /// How the reader of the log is doing.
    pub status: Arc<Status>,
    /// From when on the node calls itself degraded.
    pub health: HealthConfig,
    /// The other nodes.
    pub peers: Peers,
    /// How many refreshes are passed on at a time.
    pub passing: Passing,
    /// Counts.
    pub metrics: Arc<FanoutMetrics>,
    /// All registered metrics.
    pub registry: Registry,
    /// The way to each shard.
    pub shards: Vec<mpsc::Sender<Command>>,
    /// The static part of the node's state for operators.
    pub about: About,
    /// The current routes.
    pub routes: Routes,
    /// The configuration as operators see it.
    pub shown: Mutex<Configuration>,
    /// How close the process is to its limit of memory.
    pub pressure: Mutex<Pressure>,
    /// Set once the node stops.
    pub draining: AtomicBool,
}

impl App {
    /// The configuration as it is shown.
    pub(super) fn configuration(&self) -> Configuration {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows this from now on.
    pub fn show(&self, configuration: Configuration) {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = configuration;
    }

    /// All metrics as text.
    pub fn metrics_text(&self) -> String {
        self.look_at_gauges();
        metrics::encode(&self.registry)
    }

    /// Updates metrics that change without an event, such as when a node is too far behind.
    pub(super) fn look_at_gauges(&self) {
        self.metrics.set_tcp_connections(self.edge.public.open());
        self.metrics.set_ready(self.not_ready().is_none());
    }
}

/// Why new connections are refused just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotAccepting {
    /// The node is shutting down.
    Draining,
    /// The log has not been read back yet.
    NotReady,
    /// The process has used nearly all the memory that it may.
    Memory,
    /// There are as many connections as are allowed, or they come too fast.
    Limit(ConnectRefusal),
}

impl NotAccepting {
    /// The reason as a metric label.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::NotReady => "not_ready",
            Self::Memory => "memory",
            Self::Limit(ConnectRefusal::NodeFull) => "full",
            Self::Limit(ConnectRefusal::UserFull) => "user_connections",
            Self::Limit(ConnectRefusal::OrgFull) => "org_connections",
            Self::Limit(ConnectRefusal::AddressFull) => "address_connections",
            Self::Limit(ConnectRefusal::NodeRate(_)) => "rate",
            Self::Limit(ConnectRefusal::UserRate(_)) => "user_rate",
            Self::Limit(ConnectRefusal::AddressRate(_)) => "address_rate",
        }
    }

    /// The reason as the client shows it.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Draining => "The server is shutting down.",
            Self::NotReady => "The server is not ready.",
            Self::Memory => "The server has no memory for another connection.",
            Self::Limit(limit) => match limit {
                ConnectRefusal::NodeFull => "The server has no room for another connection.",
                ConnectRefusal::UserFull => "You have as many connections as one user may have.",
                ConnectRefusal::OrgFull => "Your organization has as many connections as it may have.",
                ConnectRefusal::AddressFull => "Your address has as many connections as it may have.",
                ConnectRefusal::NodeRate(_) => "The server is taking too many connections just now.",
                ConnectRefusal::UserRate(_) => "You open connections too fast.",
                ConnectRefusal::AddressRate(_) => "Your address opens connections too fast.",
            },
        }
    }

    /// The status: whether the node cannot, or the client should not.
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Draining
            | Self::NotReady
            | Self::Memory
            | Self::Limit(ConnectRefusal::NodeFull | ConnectRefusal::NodeRate(_)) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Limit(_) => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// When it is worth to try again, if that is known.
    pub(super) fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Draining | Self::NotReady | Self::Memory | Self::Limit(ConnectRefusal::NodeFull) => Some(SOON),
            Self::Limit(
                ConnectRefusal::NodeRate(wait) | ConnectRefusal::UserRate(wait) | ConnectRefusal::AddressRate(wait),
            ) => Some(wait),
            Self::Limit(_) => None,
        }
    }
}

impl App {
    /// Whether the node takes connections at all, and has room for one of `who`.
    ///
    /// # Errors
    /// [`NotAccepting`] with the reason, counted.
    pub(super) fn check_accepting(&self, who: Who) -> Result<(), NotAccepting> {
        let checked = self.accepts().and_then(|()| self.edge.seats.check(who).map_err(NotAccepting::Limit));
        checked.inspect_err(|refusal| self.count(*refusal))
    }

    /// Pays for a connection of `who` that is new.
    ///
    /// # Errors
    /// [`NotAccepting`] if they come too fast, counted.
    pub(super) fn pay(&self, who: Who) -> Result<(), NotAccepting> {
        self.edge.seats.pay(who).map_err(NotAccepting::Limit).inspect_err(|refusal| self.count(*refusal))
    }

    /// Takes a seat for a connection; several requests that may open the same share one.
    ///
    /// # Errors
    /// [`NotAccepting`] with the reason, uncounted: whether it matters is not known yet.
    pub(super) fn take_seat(&self, who: Who, shared_as: Option<ConnectionId>) -> Result<Seat, NotAccepting> {
        self.accepts()?;
        let seats = &self.edge.seats;
        let taken = match shared_as {
            Some(id) => seats.take_shared(id, who),
            None => seats.take(who),
        };
        taken.map_err(NotAccepting::Limit)
    }

    /// Whether an open connection can be resumed with another socket.
    ///
    /// # Errors
    /// [`NotAccepting::Draining`], counted.
    pub(super) fn check_not_draining(&self) -> Result<(), NotAccepting> {
        match self.accepts() {
            Err(NotAccepting::Draining) => Err(NotAccepting::Draining).inspect_err(|refusal| self.count(*refusal)),
            _ => Ok(()),
        }
    }

    /// Why the node should get no new tab just now; none if it should.
    pub(super) fn not_ready(&self) -> Option<NotReady> {
        let only = |reason| Some(NotReady { reason, fault: None, progress: None });
        if self.draining.load(Ordering::Acquire) {
            return only("draining");
        }
        let is_short = || self.pressure() == Pressure::Critical;
        self.status.not_ready().or_else(|| if is_short() { only("memory") } else { None })
    }

    /// Why the node is degraded, in words.
    pub(super) fn degraded(&self) -> Vec<String> {
        let has_many = self.health.are_many(self.groups.connections(), self.edge.capacity.connections);
        let mut degraded = self.status.degraded(has_many, &self.health);
        match self.pressure() {
            Pressure::None => {}
            Pressure::High => degraded.push("little memory: resumes read the broker".to_owned()),
            Pressure::Critical => degraded.push("very little memory: no further connection is taken".to_owned()),
        }
        degraded
    }

    /// How close the process is to its limit of memory.
    pub(super) fn pressure(&self) -> Pressure {
        *self.pressure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process has come closer to its limit of memory, or gone away from it.
    pub(crate) fn set_pressure(&self, pressure: Pressure) {
        *self.pressure.lock().unwrap_or_else(PoisonError::into_inner) = pressure;
        self.metrics.set_memory_pressure(pressure as u8);
    }

    /// Counts a refusal.
    pub(super) fn count(&self, refusal: NotAccepting) {
        self.metrics.connect_refused(refusal.label());
    }

    /// Counts a TCP connection of a listener that was not served to its end, and logs those whose handshake failed.
    pub(super) fn unserved(&self, listener: &'static str, reason: &Unserved, peer: SocketAddr) {
        self.metrics.http_refused(reason.label());
        if let Unserved::NoTls(no_tls) = reason
            && !no_tls.is_silent()
            && self.edge.may_say(no_tls.label())
        {
            tracing::warn!(listener, %peer, reason = %no_tls, "a TLS handshake failed");
        }
    }

    /// Whether the node takes connections at all, uncounted.
    fn accepts(&self) -> Result<(), NotAccepting> {
        if self.draining.load(Ordering::Acquire) {
            Err(NotAccepting::Draining)
        } else if self.status.not_ready().is_some() {
            Err(NotAccepting::NotReady)
        } else if self.pressure() == Pressure::Critical {
            Err(NotAccepting::Memory)
        } else {
            Ok(())
        }
    }

    /// Hands a command to the shard that owns a connection. A shard that has ended takes no more.
    pub async fn send(&self, id: ConnectionId, command: Command) {
        if self.shards[id.shard(self.shards.len())].send(command).await.is_err() {
            tracing::debug!("a request came too late: the shards have ended");
        }
    }
}
