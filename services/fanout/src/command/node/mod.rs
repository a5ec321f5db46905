//! Puts the parts of a node together.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use fanfare_broker::embedded::OpenError;
use fanfare_broker::watched::Watched;
use fanfare_broker::{Broker, Position};
use fanfare_telemetry::TelemetryError;
use fanfare_telemetry::metrics::{self, FanoutMetrics, Registry as MetricsRegistry};
use fanfare_token::{ConfigError, KeyFileError, SigningKey, Verifier};
use rustls::ClientConfig;
use thiserror::Error;
use tokio::sync::mpsc;

use super::{descriptors, memory, secret};
use crate::config::{Config, Loaded};
use crate::groups::{Groups, MAX_SHARDS, SHARD_INBOX, ShardMessage};
use crate::limit::{MemoryBounds, TooFewFiles, TooLittleMemory};
use crate::method::Methods;
use crate::nodes::{NodeId, Nodes};
use crate::pipeline::letters::DeadLetterAdmin;
use crate::pipeline::{
    DeadLetterWriter, Ingest, Listener, Pipeline, Presence, RecentRecords, Replay, ReplayOptions, Schemas, Status,
    Window,
};
use crate::projection::{Bounds, Projection};
use crate::roster::Rosters;
use crate::route::Routes;
use crate::seal::Seal;
use crate::shard::Context;
use crate::socket::authorizers::Authorizers;
use crate::socket::shard::{self, Shared};
use crate::socket::{About, App, BindError, Edge, Hubs, Listings, Page, PageError, Passing, Peers};

/// For how long resumes go by one look at where the replay window begins.
const START_IS_FRESH: Duration = Duration::from_secs(1);

/// How many new sockets may wait for one shard.
const SHARD_COMMANDS: usize = 1024;

/// Why a node does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The process may have too few open files for its connections.
    #[error(transparent)]
    Files(#[from] TooFewFiles),
    /// The process may use too little memory for what it is to keep.
    #[error(transparent)]
    Memory(#[from] TooLittleMemory),
    /// A port cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The embedded log cannot be opened.
    #[error("the event log cannot be opened: {0}")]
    Log(#[from] OpenError),
    /// The broker's client cannot be made of the configuration.
    #[error("the broker cannot be used: {0}")]
    Broker(String),
    /// The program was built without the broker's client.
    #[error("this build has no client of the broker")]
    NotBuilt,
    /// The page cannot be served.
    #[error(transparent)]
    Page(#[from] PageError),
    /// The log cannot be read.
    #[error("the event log cannot be read: {0}")]
    Read(#[from] fanfare_broker::BrokerError),
    /// The data folder cannot be used.
    #[error("the data folder {path} cannot be used: {source}")]
    Data {
        /// The folder or file.
        path: String,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The development key cannot be had.
    #[error("the development signing key: {0}")]
    Key(#[from] KeyFileError),
    /// The issuers cannot be used.
    #[error(transparent)]
    Issuers(#[from] ConfigError),
    /// The platform's authorizers cannot be asked.
    #[error("the authorizers cannot be asked: {0}")]
    Authorizers(#[from] reqwest::Error),
    /// The schema registry cannot be asked.
    #[error("the schema registry cannot be asked: {0}")]
    Schemas(reqwest::Error),
    /// The HTTP client that asks other nodes cannot be set up.
    #[error("the HTTP client that asks other nodes cannot be set up: {0}")]
    Peers(reqwest::Error),
    /// The certificates and keys cannot be used.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// Metrics cannot be posted as the environment asks.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// A thread cannot be started.
    #[error("a shard cannot be started: {0}")]
    Shard(std::io::Error),
    /// The reader of the log panicked while the node ran.
    #[error("the reader of the log ended with a panic, which is told above; this is a fault of the program")]
    PipelineEnded,
    /// A shard panicked while the node ran.
    #[error("shard {0} ended with a panic, which is told above; this is a fault of the program")]
    ShardEnded(usize),
    /// A shard did not answer for long while the node ran.
    #[error("shard {0} does not answer any more; this is a fault of the program")]
    ShardStuck(usize),
    /// Signals cannot be listened to.
    #[error("signals cannot be received: {0}")]
    Signals(std::io::Error),
}

/// The brokers in this program beside the embedded log.
const FEATURES: [(&str, bool); 3] =
    [("nats", cfg!(feature = "nats")), ("kafka", cfg!(feature = "kafka")), ("jemalloc", cfg!(feature = "jemalloc"))];

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
        let (edge, asking) = edge(&config)?;
        let (memory, page) = (memory::bounds(&config)?, Page::load(&config.page)?);
        let routes = Routes::from(Arc::new(routes));
        let broker = super::broker::open(&config.broker, routes.now().schemas())?;
        let (nodes, seal) = (Nodes::new(node_id(), config.node.advertise.clone()), seal(&config)?);
        let (window, bounds) = (window(&config), bounds(&config, &memory));
        let (metrics_registry, metrics) = metrics(&routes.now().digest());
        let broker = watched(broker, &metrics);
        let (inboxes, receivers): (Vec<_>, Vec<_>) = (0..shard_count()).map(|_| mpsc::channel(SHARD_INBOX)).unzip();
        let (methods, status) = (with_declared(methods, &config), Arc::new(Status::new(config.broker.max_stale)));
        let schemas = Schemas::new(config.schema_registry.as_ref(), &status, &metrics).map_err(StartError::Schemas)?;
        let recent = Arc::new(RecentRecords::new(memory.resumes));
        let groups = Arc::new(Groups::new(Projection::new(Position::start(0), &bounds), inboxes));
        let ingest = Ingest::new(Arc::clone(&broker), routes.clone(), Arc::clone(&groups));
        let replay = replay((&config, bounds), &broker, (&routes, &schemas), &recent);
        let presence = Presence::of(&config.hubs, &nodes);
        let listener = Listener::new(presence.as_ref().map(Presence::rosters), nodes.clone(), Arc::clone(&metrics));
        let verifier = verifier(&config)?;
        let (of_hubs, verifying) = ((&methods, listener.rosters()), verifier.as_ref());
        let context = context(&config, &groups, &seal, of_hubs, verifying, (&metrics, &memory));
        let authorizers = Authorizers::new(&config.authorizers)?;
        let shared = shared(context, replay, &authorizers, &ingest);
        let (shards, commands) = start_shards(&Arc::new(shared), receivers)?;
        let (hubs, event_bytes) = (config.hubs.len(), config.limits.event_bytes);
        let app = Arc::new(App {
            hubs: Hubs::new(&config.hubs),
            verifier,
            groups: Arc::clone(&groups),
            ingest,
            letters: letters(&broker, (&routes, &schemas), event_bytes),
            nodes: nodes.clone(),
            listings: Listings::default(),
            methods: methods.clone(),
            authorizers,
            seal: seal.clone(),
            edge,
            cors: config.cors.clone(),
            page,
            event_bytes,
            status: Arc::clone(&status),
            health: config.health.clone(),
            peers: Peers::new(nodes.clone(), asking).map_err(StartError::Peers)?,
            passing: Passing::default(),
            metrics: Arc::clone(&metrics),
            registry: metrics_registry,
            shards: commands,
            about: About::of(&config),
            routes: routes.clone(),
            shown: Mutex::default(),
            pressure: Mutex::default(),
            draining: AtomicBool::new(false),
        });
        let pipeline = Pipeline {
            letters: DeadLetterWriter::new(Arc::clone(&broker), Arc::clone(&metrics)),
            broker: Arc::clone(&broker),
            schemas,
            routes: routes.clone(),
            groups,
            seal,
            metrics,
            status,
            window,
            event_bytes,
            recent,
            presence,
            throttles: Mutex::default(),
            tells_risks: config.development.is_none(),
        };
        Ok(Self { app, pipeline, broker, shards, hubs, routes, nodes, listener })
    }
}

/// The dead letters as an operator sees them.
fn letters(broker: &Arc<dyn Broker>, (routes, schemas): (&Routes, &Schemas), event_bytes: usize) -> DeadLetterAdmin {
    DeadLetterAdmin::new(Arc::clone(broker), schemas.clone(), routes.clone(), event_bytes)
}

/// The rules of the HTTP edge, and how other nodes are asked over TLS.
fn edge(config: &Config) -> Result<(Edge, ClientConfig), StartError> {
    let edge = Edge::new(config, descriptors::capacity(config)?).map_err(StartError::Tls)?;
    let asking = edge.trust.client().map_err(StartError::Tls)?;
    Ok((edge, asking))
}

/// Seals with the node's secret.
fn seal(config: &Config) -> Result<Seal, StartError> {
    let unusable = |source| StartError::Data { path: secret::path(config).display().to_string(), source };
    secret::of_node(config).map_err(unusable)
}

/// The name of this machine, and chance: several nodes may run on one.
fn node_id() -> NodeId {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    NodeId::new(name.trim(), uuid::Uuid::new_v4().as_u64_pair().1)
}

/// Reads the log again for tabs that return.
fn replay(
    (config, bounds): (&Config, Bounds),
    broker: &Arc<dyn Broker>,
    (routes, schemas): (&Routes, &Schemas),
    recent: &Arc<RecentRecords>,
) -> Replay {
    let options = replay_options(config, bounds);
    let replay = Replay::new(Arc::clone(broker), routes.clone(), Arc::clone(recent), options);
    replay.with_schemas(schemas.clone())
}

/// What the cores of all shards use.
fn context(
    config: &Config,
    groups: &Arc<Groups>,
    seal: &Seal,
    (methods, presence): (&Methods, Option<Arc<Rosters>>),
    verifier: Option<&Verifier>,
    (metrics, memory): (&Arc<FanoutMetrics>, &MemoryBounds),
) -> Context {
    Context {
        groups: Arc::clone(groups),
        seal: seal.clone(),
        queue_bytes: config.limits.queue_bytes,
        shard_bytes: memory.waiting / shard_count(),
        resume_notifications: config.limits.resume_notifications,
        resume_bytes: config.limits.resume_bytes,
        joined_groups: config.limits.joined_groups,
        methods: methods.clone(),
        presence,
        rates: Arc::default(),
        issuer_orgs: verifier.map(Verifier::issuer_orgs).unwrap_or_default(),
        metrics: Arc::clone(metrics),
    }
}

/// What all shards use.
fn shared(context: Context, replay: Replay, authorizers: &Authorizers, ingest: &Ingest) -> Shared {
    Shared { context: Arc::new(context), replay, authorizers: authorizers.clone(), ingest: ingest.clone() }
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

/// The broker, with its readers looked after.
fn watched(broker: Arc<dyn Broker>, metrics: &Arc<FanoutMetrics>) -> Arc<dyn Broker> {
    let metrics = Arc::clone(metrics);
    Arc::new(Watched::new(broker, move |_| metrics.reader_stood_still()))
}

fn window(config: &Config) -> Window {
    Window { age: config.broker.window, records: config.broker.window_events }
}

fn replay_options(config: &Config, bounds: Bounds) -> ReplayOptions {
    let reads_at_once = config.limits.resume_reads;
    ReplayOptions { window: window(config), bounds, reads_at_once, start_is_fresh: START_IS_FRESH }
}

/// The node's metrics, beginning with the digest of its routes.
fn metrics(routes: &str) -> (MetricsRegistry, Arc<FanoutMetrics>) {
    let mut registry = metrics::registry(&FEATURES);
    let metrics = FanoutMetrics::new(&mut registry);
    metrics.set_routes(routes);
    (registry, Arc::new(metrics))
}

/// One shard per core: each is a thread that owns its connections.
fn shard_count() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(MAX_SHARDS)
}

fn bounds(config: &Config, memory: &MemoryBounds) -> Bounds {
    let lifetime = config.token.max_token_lifetime + config.token.leeway;
    Bounds {
        window: config.broker.window,
        window_events: usize::try_from(config.broker.window_events).unwrap_or(usize::MAX),
        token_lifetime: i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX),
        event_bytes: config.limits.event_bytes,
        retained: config.limits.retained_values,
        retained_bytes: memory.retained,
        revocations: config.limits.revocations,
        grants: config.limits.grants,
        orgs: config.limits.grants,
    }
}

/// The methods: an embedder's code, and those that the configuration declares.
fn with_declared(methods: Methods, config: &Config) -> Methods {
    methods.declare(config.methods());
    methods
}

/// The verifier of tokens; none if no issuer is trusted, as on a node with public hubs only.
fn verifier(config: &Config) -> Result<Option<Verifier>, StartError> {
    let mut issuers = config.issuers.clone();
    if let Some(development) = &config.development {
        let key = SigningKey::load_or_create(&development.signing_key)?;
        tracing::warn!("a development signing key is trusted: never in production");
        issuers.push(development.issuer(key.jwk()));
    }
    if issuers.is_empty() {
        return Ok(None);
    }
    Ok(Some(Verifier::new(issuers, config.token.clone())?))
}
