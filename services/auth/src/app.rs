//! The parts of the service, put together.

use crate::credential::{Passwords, Throttle};
use crate::keyring::{self, Keyring};
use crate::session::{self, SessionTokens};
use crate::settings::AuthSettings;
use crate::{alert, housekeeping, user};
use axum::Router;
use axum::extract::FromRef;
use fanfare_producer::{Authenticator, Error, Producer};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The state of the auth service.
#[derive(Clone)]
pub struct App {
    pub(crate) producer: Producer,
    pub(crate) issuer: Arc<str>,
    pub(crate) token_lifetime: Duration,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) passwords: Arc<Passwords>,
    pub(crate) throttle: Arc<Throttle>,
    authenticator: Authenticator,
}

impl App {
    /// Creates missing tables and keys, and demo users if configured.
    ///
    /// # Errors
    /// If the database or the cryptographic library fails.
    pub async fn open(producer: Producer, issuer: String, settings: &AuthSettings) -> Result<Self, Error> {
        let writer = producer.database().writer();
        user::store::create_table(writer).await?;
        session::store::create_table(writer).await?;
        keyring::store::create_tables(writer).await?;
        let passwords = Arc::new(Passwords::new().await?);
        if settings.demo_users {
            user::demo::create(&producer, &passwords).await?;
        }
        let periods = keyring::Periods {
            rotate_after: settings.rotate_after,
            // A token may be signed a moment before a rotation that this process has not noticed.
            keep_retired: settings.token_lifetime + 4 * housekeeping::EVERY,
        };
        let keyring = Arc::new(Keyring::open(producer.clone(), &issuer, periods).await?);
        let tokens = SessionTokens::new(Arc::clone(&keyring), producer.database().clone());
        Ok(Self {
            producer,
            issuer: issuer.into(),
            token_lifetime: settings.token_lifetime,
            keyring,
            passwords,
            throttle: Arc::default(),
            authenticator: Authenticator::new(tokens),
        })
    }

    /// The service's routes.
    pub fn routes(&self) -> Router {
        Router::new()
            .merge(session::routes())
            .merge(user::routes())
            .merge(alert::routes())
            .merge(keyring::routes())
            .with_state(self.clone())
    }

    /// The service's authentication.
    pub fn authenticator(&self) -> Authenticator {
        self.authenticator.clone()
    }

    /// Starts the background tasks, which run until `shutdown`.
    pub fn start_tasks(&self, shutdown: &CancellationToken) {
        let housekeeping = housekeeping::run(self.clone(), shutdown.clone());
        self.producer.tasks().spawn(housekeeping);
    }
}

impl FromRef<App> for Authenticator {
    fn from_ref(app: &App) -> Self {
        app.authenticator.clone()
    }
}
