//! What the handlers of the HTTP edge work with.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fanfare_telemetry::metrics::{FanoutMetrics, Registry};
use fanfare_token::Verifier;
use tokio::sync::mpsc;

use super::shard::Command;
use crate::config::{CorsConfig, HealthConfig, HubConfig};
use crate::connection::ConnectionId;
use crate::groups::Groups;
use crate::method::Methods;
use crate::pipeline::letters::Letters;
use crate::pipeline::{Ingest, Status};
use crate::seal::Seal;

/// The hubs of a node, found by path without regard to case.
#[derive(Debug, Clone, Default)]
pub struct Hubs(HashMap<String, Arc<HubConfig>>);

impl Hubs {
    /// Takes the configured hubs.
    #[must_use]
    pub fn new(hubs: &[HubConfig]) -> Self {
        Self(hubs.iter().map(|hub| (hub.path.to_ascii_lowercase(), Arc::new(hub.clone()))).collect())
    }

    /// The hub at a path; ASP.NET matches paths so, and its clients rely on it.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&Arc<HubConfig>> {
        self.0.get(path.trim_end_matches('/').to_ascii_lowercase().as_str())
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
    pub letters: Letters,
    /// What clients may call.
    pub methods: Methods,
    /// Seals connection tokens.
    pub seal: Seal,
    /// What pages of other origins may do.
    pub cors: CorsConfig,
    /// The largest body of a published event, in bytes.
    pub event_bytes: usize,
    /// How the reader of the log is doing.
    pub status: Arc<Status>,
    /// From when on the node calls itself degraded.
    pub health: HealthConfig,
    /// Counts.
    pub metrics: Arc<FanoutMetrics>,
    /// All registered metrics.
    pub registry: Registry,
    /// The way to each shard.
    pub shards: Vec<mpsc::Sender<Command>>,
    /// How many connections there may be.
    pub max_connections: usize,
    /// Set once the node stops.
    pub draining: AtomicBool,
}

/// Why no further connection is taken just now; answered with 503.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unwilling {
    /// The node is shutting down.
    Draining,
    /// The log has not been read back yet.
    NotReady,
    /// There are as many connections as are allowed.
    Full,
}

impl Unwilling {
    /// The reason as a metric label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::NotReady => "not_ready",
            Self::Full => "full",
        }
    }

    /// The reason as the client shows it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Draining => "The server is shutting down.",
            Self::NotReady => "The server is not ready.",
            Self::Full => "The server has no room for another connection.",
        }
    }
}

impl App {
    /// Whether another connection can be taken.
    ///
    /// # Errors
    /// [`Unwilling`] with the reason, counted.
    pub fn check_willing(&self) -> Result<(), Unwilling> {
        self.willing().inspect_err(|unwilling| self.metrics.connect_refused(unwilling.label()))
    }

    /// Whether a connection that is open can be taken up again.
    ///
    /// # Errors
    /// [`Unwilling::Draining`], counted.
    pub fn check_not_draining(&self) -> Result<(), Unwilling> {
        match self.willing() {
            Err(Unwilling::Draining) => self.check_willing(),
            _ => Ok(()),
        }
    }

    /// Whether another connection can be taken, uncounted: whether it matters is not known yet.
    ///
    /// # Errors
    /// [`Unwilling`] with the reason.
    pub fn willing(&self) -> Result<(), Unwilling> {
        if self.draining.load(Ordering::Acquire) {
            Err(Unwilling::Draining)
        } else if self.status.not_ready().is_some() {
            Err(Unwilling::NotReady)
        } else if self.groups.connections() >= self.max_connections {
            Err(Unwilling::Full)
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
