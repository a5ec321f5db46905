//! The parts that shards, pipeline and HTTP share.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fanfare_broker::watched::Watched;
use fanfare_broker::{Broker, Position};
use fanfare_telemetry::metrics::{self, FanoutMetrics, NodeLimits, Registry as MetricsRegistry};
use fanfare_token::{SigningKey, Verifier};
use tokio::sync::mpsc;

use super::{StartError, shard_count};
use crate::command::broker::{self, Logins};
use crate::command::{memory, secret};
use crate::config::Config;
use crate::groups::{Groups, ShardMessage};
use crate::limit::MemoryBounds;
use crate::method::Methods;
use crate::nodes::{NodeId, Nodes};
use crate::pipeline::letters::DeadLetterAdmin;
use crate::pipeline::{
    DeadLetterWriter, EventBytes, EventPaths, Ingest, Pipeline, Presence, RecentRecords, Replay, ReplayOptions,
    Schemas, Status, Window,
};
use crate::projection::{Bounds, Projection};
use crate::roster::Rosters;
use crate::route::Routes;
use crate::seal::Seal;
use crate::shard::{Context, SharedBounds};
use crate::socket::authorizers::Authorizers;
use crate::socket::shard::{Command, Shared};
use crate::socket::{About, App, Edge, Hubs, Listings, Page, Passing, Peers};

/// For how long resumes go by one look at where the replay window begins.
const START_IS_FRESH: Duration = Duration::from_secs(1);

/// The brokers in this program beside the embedded log.
const FEATURES: [(&str, bool); 3] =
    [("nats", cfg!(feature = "nats")), ("kafka", cfg!(feature = "kafka")), ("jemalloc", cfg!(feature = "jemalloc"))];

/// The parts of a node. A new one is a field that [`Parts::new`] fills and that its users take from here.
pub(super) struct Parts {
    pub config: Config,
    memory: MemoryBounds,
    bounds: Bounds,
    connection_bounds: Arc<SharedBounds>,
    event_bytes: EventBytes,
    pub logins: Logins,
    pub broker: Arc<dyn Broker>,
    pub routes: Routes,
    pub nodes: Nodes,
    seal: Seal,
    registry: MetricsRegistry,
    pub metrics: Arc<FanoutMetrics>,
    status: Arc<Status>,
    methods: Methods,
    schemas: Schemas,
    recent: Arc<RecentRecords>,
    paths: Arc<EventPaths>,
    groups: Arc<Groups>,
    /// Who is in which group; none if no hub tells that.
    pub rosters: Option<Arc<Rosters>>,
    verifier: Option<Verifier>,
    authorizers: Authorizers,
    ingest: Ingest,
}

impl Parts {
    /// What alerts compare with.
    pub(super) fn limits(&self, connections: usize) -> NodeLimits {
        NodeLimits {
            connections,
            retained_values: self.bounds.retained,
            retained_bytes: self.bounds.retained_bytes,
            revocations: self.bounds.revocations,
            grants: self.bounds.grants,
        }
    }

    /// Opens the log and makes all parts; `inboxes` are those of the shards. The pipeline's presence comes beside them.
    pub(super) fn new(
        config: Config,
        routes: Routes,
        methods: Methods,
        inboxes: Vec<mpsc::Sender<ShardMessage>>,
    ) -> Result<(Self, Option<Presence>), StartError> {
        let memory = memory::bounds(&config)?;
        let bounds = bounds(&config, &memory);
        let (broker, logins) = broker::open(&config.broker, routes.now().schemas())?;
        let (nodes, seal) = (Nodes::new(node_id(), config.node.advertise.clone()), seal(&config)?);
        let (registry, metrics) = metrics(&routes.now().digest());
        let broker = watched(broker, &metrics);
        // An embedder's code is there already.
        methods.declare(config.methods());
        let status = Arc::new(Status::new(config.broker.max_stale));
        let schemas = Schemas::new(config.schema_registry.as_ref(), &status, &metrics).map_err(StartError::Schemas)?;
        let groups = Arc::new(Groups::new(Projection::new(Position::start(0), &bounds), inboxes));
        let recent = Arc::new(RecentRecords::new(memory.resumes));
        let presence = Presence::of(&config.hubs, &nodes);
        let parts = Self {
            connection_bounds: Arc::new(SharedBounds::new(config.limits.connection_bounds())),
            event_bytes: config.limits.event_bytes.into(),
            logins,
            paths: Arc::new(EventPaths::new(Arc::clone(&groups), Arc::clone(&recent), schemas.clone())),
            recent,
            rosters: presence.as_ref().map(Presence::rosters),
            verifier: verifier(&config)?,
            authorizers: Authorizers::new(&config.authorizers)?,
            ingest: Ingest::new(Arc::clone(&broker), routes.clone(), Arc::clone(&groups)),
            config,
            memory,
            bounds,
            broker,
            routes,
            nodes,
            seal,
            registry,
            metrics,
            status,
            methods,
            schemas,
            groups,
        };
        Ok((parts, presence))
    }

    /// What all shards use.
    pub(super) fn shared(&self) -> Shared {
        Shared {
            context: Arc::new(self.context()),
            replay: self.replay(),
            authorizers: self.authorizers.clone(),
            ingest: self.ingest.clone(),
        }
    }

    fn context(&self) -> Context {
        Context {
            groups: Arc::clone(&self.groups),
            seal: self.seal.clone(),
            bounds: Arc::clone(&self.connection_bounds),
            shard_bytes: self.memory.waiting / shard_count(),
            methods: self.methods.clone(),
            presence: self.rosters.clone(),
            rates: Arc::default(),
            issuer_orgs: self.verifier.as_ref().map(Verifier::issuer_orgs).unwrap_or_default(),
            metrics: Arc::clone(&self.metrics),
        }
    }

    /// The reader for returning tabs.
    fn replay(&self) -> Replay {
        let options = ReplayOptions {
            window: self.window(),
            bounds: self.bounds.clone(),
            reads_at_once: self.config.limits.resume_reads,
            start_is_fresh: START_IS_FRESH,
        };
        let replay = Replay::new(Arc::clone(&self.broker), self.routes.clone(), Arc::clone(&self.recent), options);
        replay.with_schemas(self.schemas.clone()).with_event_bytes(self.event_bytes.clone())
    }

    fn window(&self) -> Window {
        Window { age: self.config.broker.window, records: self.config.broker.window_events }
    }

    /// The reader of the log; to be run.
    pub(super) fn pipeline(&self, presence: Option<Presence>) -> Pipeline {
        Pipeline {
            letters: DeadLetterWriter::new(Arc::clone(&self.broker), Arc::clone(&self.metrics)),
            broker: Arc::clone(&self.broker),
            schemas: self.schemas.clone(),
            routes: self.routes.clone(),
            groups: Arc::clone(&self.groups),
            seal: self.seal.clone(),
            metrics: Arc::clone(&self.metrics),
            status: Arc::clone(&self.status),
            window: self.window(),
            event_bytes: self.event_bytes.clone(),
            recent: Arc::clone(&self.recent),
            paths: Arc::clone(&self.paths),
            presence,
            throttles: Mutex::default(),
            tells_risks: self.config.development.is_none(),
        }
    }

    /// The state of the HTTP edge; `shards` is the way to each shard.
    pub(super) fn into_app(self, edge: Edge, page: Page, peers: Peers, shards: Vec<mpsc::Sender<Command>>) -> App {
        App {
            hubs: Hubs::new(&self.config.hubs),
            letters: DeadLetterAdmin::new(self.broker, self.schemas, self.routes.clone(), self.event_bytes.clone()),
            about: About::of(&self.config),
            cors: self.config.cors,
            health: self.config.health,
            verifier: self.verifier,
            groups: self.groups,
            ingest: self.ingest,
            nodes: self.nodes,
            listings: Listings::default(),
            paths: self.paths,
            methods: self.methods,
            authorizers: self.authorizers,
            seal: self.seal,
            edge,
            page,
            event_bytes: self.event_bytes,
            connection_bounds: self.connection_bounds,
            status: self.status,
            peers,
            passing: Passing::default(),
            metrics: self.metrics,
            registry: self.registry,
            shards,
            routes: self.routes,
            shown: Mutex::default(),
            pressure: Mutex::default(),
            draining: AtomicBool::new(false),
        }
    }
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

/// The broker, with its readers looked after.
fn watched(broker: Arc<dyn Broker>, metrics: &Arc<FanoutMetrics>) -> Arc<dyn Broker> {
    let metrics = Arc::clone(metrics);
    Arc::new(Watched::new(broker, move |_| metrics.reader_stood_still()))
}

/// The node's metrics, beginning with the digest of its routes.
fn metrics(routes: &str) -> (MetricsRegistry, Arc<FanoutMetrics>) {
    let mut registry = metrics::registry(&FEATURES);
    let metrics = FanoutMetrics::new(&mut registry);
    metrics.set_routes(routes);
    (registry, Arc::new(metrics))
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
