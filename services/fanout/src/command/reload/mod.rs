//! Reloading: what a running node reads again. Hubs, schemas and routes, and those settings that close no connection.

mod certificates;
mod difference;
mod hubs;
mod login;
mod routes;
mod settings;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;

use super::node::Node;
use crate::config::{BrokerKind, Config};
use crate::socket::App;
use certificates::Certificates;
use login::BrokerLogin;
use routes::ReloadRoutes;
use settings::Settings;

/// How often watched files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// How often the files of certificates and of the login at the broker are, which are watched in any case.
const CREDENTIALS: Duration = Duration::from_secs(10);

/// What a reload needs.
pub(super) struct Reload {
    settings: Settings,
    routes: ReloadRoutes,
    certificates: Certificates,
    login: BrokerLogin,
    app: Arc<App>,
}

/// What to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Everything, since a signal asked for it.
    All,
    /// The files that are watched.
    Watched,
    /// Those of certificates, and of the login at the broker.
    Credentials,
}

impl Reload {
    /// For a node that was started with this file.
    pub(super) fn new(file: PathBuf, config: Config, node: &Node) -> Self {
        let app = Arc::clone(&node.app);
        let routes = ReloadRoutes::new(&config, Arc::clone(&app));
        let certificates = Certificates::new(config.node.tls.clone(), Arc::clone(&app));
        let login = BrokerLogin::new(&file, &config.broker.kind, node.logins.clone(), Arc::clone(&app));
        Self { settings: Settings::new(file, config, Arc::clone(&app)), routes, certificates, login, app }
    }

    /// Reads all of it again at each signal, what is watched whenever its files have changed, and the certificates whenever
    /// theirs have.
    pub(super) async fn run(mut self, mut hang_up: Signal) {
        let mut watched = tokio::time::interval(LOOK);
        let mut credentials = tokio::time::interval(CREDENTIALS);
        loop {
            let look = tokio::select! {
                signal = hang_up.recv() => match signal {
                    Some(()) => Look::All,
                    None => return,
                },
                _ = watched.tick(), if self.routes.are_watched() || self.settings.is_watched() => Look::Watched,
                _ = credentials.tick(), if self.certificates.are_any() || self.login.is_any() => Look::Credentials,
            };
            // Reading and compiling a folder of routes takes long enough to hold up the requests of this thread.
            let broker = tokio::task::block_in_place(|| self.look(look));
            match broker {
                Some(broker) => self.login.reload(broker).await,
                None if look == Look::Credentials => self.login.look().await,
                None => {}
            }
        }
    }

    /// Looks at the files; gives the broker of a configuration that was read again and has no fault.
    fn look(&mut self, look: Look) -> Option<BrokerKind> {
        match look {
            Look::Credentials => {
                self.certificates.look();
                return None;
            }
            Look::Watched if !self.settings.has_changed() => {
                self.routes.look(self.settings.now());
                return None;
            }
            Look::Watched | Look::All => {}
        }
        let outcome = self.settings.reload(&mut self.routes, &mut self.certificates);
        self.app.metrics.config_reloaded(outcome.label(), outcome.holds());
        self.settings.take_broker()
    }
}
