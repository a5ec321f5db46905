//! The parts of the service, put together.

use crate::{flags, plan};
use axum::Router;
use axum::extract::FromRef;
use fanfare_producer::{Authenticator, Error, Producer, identity};
use std::sync::Arc;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The state of the license service.
#[derive(Clone)]
pub struct App {
    pub(crate) producer: Producer,
    pub(crate) authenticator: Authenticator,
    /// Notified when a license changed, so that its end is watched.
    pub(crate) license_changed: Arc<Notify>,
}

impl App {
    /// Creates missing tables.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn open(producer: Producer, authenticator: Authenticator) -> Result<Self, Error> {
        flags::store::create_table(producer.database().writer()).await?;
        plan::store::create_table(producer.database().writer()).await?;
        Ok(Self { producer, authenticator, license_changed: Arc::default() })
    }

    /// The service's routes.
    pub fn routes(&self) -> Router {
        Router::new()
            .merge(flags::routes())
            .merge(plan::routes())
            .with_state(self.clone())
            .merge(identity::jwks_route(self.producer.identity()))
    }

    /// Starts the background tasks, which run until `shutdown`.
    pub fn start_tasks(&self, shutdown: &CancellationToken) {
        let expiry = plan::expiry::run(self.clone(), shutdown.clone());
        self.producer.tasks().spawn(expiry);
    }
}

impl FromRef<App> for Authenticator {
    fn from_ref(app: &App) -> Self {
        app.authenticator.clone()
    }
}
