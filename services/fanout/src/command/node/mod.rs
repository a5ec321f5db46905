//! Puts the parts of a node together.

mod error;
mod parts;

use std::sync::Arc;
use std::thread::JoinHandle;

use fanfare_broker::Broker;
use tokio::sync::mpsc;

use super::broker::Logins;
use super::descriptors;
use crate::config::{Config, Loaded};
use crate::groups::{MAX_SHARDS, SHARD_INBOX, ShardMessage};
use crate::method::Methods;
use crate::nodes::Nodes;
use crate::pipeline::{Listener, Pipeline};
use crate::route::Routes;
use crate::socket::shard::{self, Shared};
use crate::socket::{App, Edge, Page, Peers};
pub use error::StartError;
use parts::Parts;

/// How many new sockets may wait for one shard.
const SHARD_COMMANDS: usize = 1024;

/// The threads of the shards, and the way to each.
type Shards = (Vec<JoinHandle<()>>, Vec<mpsc::Sender<shard::Command>>);

/// A node that has been put together.
pub(crate) struct Node {
    /// The state of the HTTP edge.
    pub app: Arc<App>,
    /// The reader of the log; to be run.
    pub pipeline: Pipeline,
    /// The log; to be closed at the end.
    pub broker: Arc<dyn Broker>,
    /// Who the node is to it.
    pub logins: Logins,
    /// The threads that own the connections.
    pub shards: Vec<JoinHandle<()>>,
    /// How many hubs there are.
    pub hubs: usize,
    /// The current routes.
    pub routes: Routes,
    /// This node among the others.
    pub nodes: Nodes,
    /// Takes records of the other nodes.
    pub listener: Listener,
}

impl Node {
    /// Opens the log and starts the shards; `methods` is the code behind the hubs.
    ///
    /// # Errors
    /// [`StartError`] in a plain sentence.
    pub(crate) fn start(loaded: Loaded, methods: Methods) -> Result<Self, StartError> {
        let Loaded { config, routes, .. } = loaded;
        let edge = edge(&config)?;
        let asking = edge.trust.client().map_err(StartError::Tls)?;
        let page = Page::load(&config.page)?;
        let (inboxes, receivers): (Vec<_>, Vec<_>) = (0..shard_count()).map(|_| mpsc::channel(SHARD_INBOX)).unzip();
        let (parts, presence) = Parts::new(config, Routes::from(Arc::new(routes)), methods, inboxes)?;
        parts.metrics.set_limits(&parts.limits(edge.most_connections()));
        let peers = Peers::new(parts.nodes.clone(), asking).map_err(StartError::Peers)?;
        let (shards, commands) = start_shards(&Arc::new(parts.shared()), receivers)?;
        Ok(Self {
            pipeline: parts.pipeline(presence),
            broker: Arc::clone(&parts.broker),
            logins: parts.logins.clone(),
            shards,
            hubs: parts.config.hubs.len(),
            routes: parts.routes.clone(),
            nodes: parts.nodes.clone(),
            listener: Listener::new(parts.rosters.clone(), parts.nodes.clone(), Arc::clone(&parts.metrics)),
            app: Arc::new(parts.into_app(edge, page, peers, commands)),
        })
    }
}

/// The rules of the HTTP edge.
fn edge(config: &Config) -> Result<Edge, StartError> {
    Edge::new(config, descriptors::capacity(config)?).map_err(StartError::Tls)
}

/// Starts a shard for each inbox; with the ways to ask them.
fn start_shards(shared: &Arc<Shared>, inboxes: Vec<mpsc::Receiver<ShardMessage>>) -> Result<Shards, StartError> {
    let (mut shards, mut commands) = (Vec::new(), Vec::new());
    for (index, inbox) in inboxes.into_iter().enumerate() {
        let (sender, receiver) = mpsc::channel(SHARD_COMMANDS);
        let spawned = shard::spawn(index, Arc::clone(shared), inbox, receiver);
        shards.push(spawned.map_err(StartError::Shard)?);
        commands.push(sender);
    }
    Ok((shards, commands))
}

/// One shard per core: each is a thread that owns its connections.
fn shard_count() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(MAX_SHARDS)
}
