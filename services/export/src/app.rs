//! The parts of the service, put together.

use crate::job::{cleanup, runner, store};
use crate::report::Files;
use crate::settings::ExportSettings;
use crate::{download, exports};
use axum::Router;
use axum::extract::FromRef;
use fanfare_producer::{Authenticator, Error, Producer, identity};
use std::sync::Arc;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The state of the export service.
#[derive(Clone)]
pub struct App {
    pub(crate) producer: Producer,
    pub(crate) settings: Arc<ExportSettings>,
    pub(crate) files: Files,
    /// Notified when a job was added.
    pub(crate) job_added: Arc<Notify>,
    authenticator: Authenticator,
}

impl App {
    /// Creates the table and the folder for files if they are missing.
    ///
    /// # Errors
    /// If the database or the disk fails.
    pub async fn open(
        producer: Producer,
        authenticator: Authenticator,
        settings: ExportSettings,
    ) -> Result<Self, Error> {
        store::create_table(producer.database().writer()).await?;
        let files = Files::open(producer.folder().join("files")).await.map_err(Error::internal)?;
        let settings = Arc::new(settings);
        Ok(Self { producer, settings, files, job_added: Arc::default(), authenticator })
    }

    /// The service's routes.
    pub fn routes(&self) -> Router {
        Router::new()
            .merge(exports::routes())
            .merge(download::routes())
            .with_state(self.clone())
            .merge(identity::jwks_route(self.producer.identity()))
    }

    /// Starts the background tasks, which run until `shutdown`.
    pub fn start_tasks(&self, shutdown: &CancellationToken) {
        self.producer.tasks().spawn(runner::run(self.clone(), shutdown.clone()));
        self.producer.tasks().spawn(cleanup::run(self.clone(), shutdown.clone()));
    }
}

impl FromRef<App> for Authenticator {
    fn from_ref(app: &App) -> Self {
        app.authenticator.clone()
    }
}
