//! A complete producer.

use crate::change::Change;
use crate::database::{Database, OpenError};
use crate::identity::{Identity, IdentityError};
use crate::settings::{Origin, Settings};
use crate::{Authenticator, Error, layers, operations, private_file, relay, serve};
use axum::Router;
use fanfare_outbox::{Outbox, OutboxError, Publisher};
use fanfare_telemetry::metrics::{ProducerMetrics, Registry};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long background tasks may take to end; with the 3 seconds of [`serve`] a stop takes less than 5.
const TASKS_END: Duration = Duration::from_millis(1500);

/// A producer's declaration in its own code.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    /// Its name, the first part of its event types.
    pub name: &'static str,
    /// Its default port.
    pub port: u16,
    /// The event types it may publish.
    pub publishes: &'static [&'static str],
}

/// Why a producer cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its folder cannot be created.
    #[error("cannot create the data folder {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// Its database cannot be opened.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The tables of the outbox cannot be created.
    #[error("cannot create the outbox: {0}")]
    Outbox(#[from] OutboxError),
    /// Its identity cannot be created.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A task ended unexpectedly.
    #[error("starting was interrupted: {0}")]
    Interrupted(#[from] tokio::task::JoinError),
}

/// What all parts of a producer share.
#[derive(Clone)]
pub struct Producer(Arc<Shared>);

struct Shared {
    folder: PathBuf,
    origins: Vec<Origin>,
    database: Database,
    identity: Identity,
    source: Arc<str>,
    outbox: Outbox,
    metrics: ProducerMetrics,
    registry: Registry,
    tasks: TaskTracker,
}

impl Producer {
    /// Opens the folder, the database with its outbox, and the identity.
    ///
    /// # Errors
    /// [`StartError`] says what is wrong and where.
    pub async fn open(service: Service, settings: &Settings) -> Result<Self, StartError> {
        let folder = settings.data(&service);
        private_file::create_folder(&folder).map_err(|source| StartError::Folder { path: folder.clone(), source })?;
        let database = match &settings.database_url {
            Some(url) => Database::open_url(url).await?,
            None => Database::open_file(&folder, &format!("{}.db", service.name)).await?,
        };
        let outbox = Outbox::install(database.writer().clone()).await?;
        let (key_folder, issuer) = (folder.clone(), settings.issuer(&service));
        // Creating an RSA key takes processor time.
        let identity =
            tokio::task::spawn_blocking(move || Identity::load_or_create(&key_folder, issuer, &service)).await??;
        let mut registry = crate::metrics_registry();
        Ok(Self(Arc::new(Shared {
            folder,
            origins: settings.allowed_origins.clone(),
            database,
            identity,
            source: format!("/services/{}", service.name).into(),
            outbox,
            metrics: ProducerMetrics::new(&mut registry),
            registry,
            tasks: TaskTracker::new(),
        })))
    }

    /// Begins a change: one transaction for the state and its events.
    ///
    /// # Errors
    /// If no connection is free in time, or the database fails.
    pub async fn begin(&self) -> Result<Change, Error> {
        Change::begin(&self.0.database, self.0.outbox.clone(), Arc::clone(&self.0.source)).await
    }

    /// The database, for reading.
    pub fn database(&self) -> &Database {
        &self.0.database
    }

    /// The folder for the service's other files.
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// The service's identity at the fan-out.
    pub fn identity(&self) -> &Identity {
        &self.0.identity
    }

    /// Background tasks; a stop waits for them, and they should end when their token is cancelled.
    pub fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }

    /// The whole router: the service's own routes, and those of every producer.
    pub fn router(&self, routes: Router, authenticator: Authenticator) -> Router {
        let routes = routes.merge(operations::routes(self.clone(), authenticator));
        layers::around(routes, &self.0.origins, self.0.metrics.clone())
    }

    /// Serves the routes and relays events to the publisher, until `shutdown`; then ends within 5 seconds.
    pub async fn run(
        &self,
        listener: TcpListener,
        routes: Router,
        authenticator: Authenticator,
        publisher: impl Publisher,
        shutdown: CancellationToken,
    ) {
        self.start_relay(publisher, shutdown.clone());
        serve::serve(listener, self.router(routes, authenticator), shutdown).await;
        self.stopped().await;
    }

    /// Starts only the relay.
    pub fn start_relay(&self, publisher: impl Publisher, shutdown: CancellationToken) {
        let Shared { outbox, metrics, tasks, .. } = &*self.0;
        tasks.spawn(relay::run(outbox.clone(), publisher, metrics.clone(), shutdown));
    }

    pub(crate) async fn stopped(&self) {
        self.0.tasks.close();
        if tokio::time::timeout(TASKS_END, self.0.tasks.wait()).await.is_err() {
            tracing::warn!("background tasks were cut off at the end of the stop");
        }
        // Connections still in use are cut off with the process; uncommitted changes do not count.
        let _ = tokio::time::timeout(Duration::from_millis(300), self.0.database.close()).await;
    }

    /// All metrics as text, for export.
    #[must_use]
    pub fn metrics_text(&self) -> String {
        fanfare_telemetry::metrics::encode(&self.0.registry)
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.0.registry
    }
}
