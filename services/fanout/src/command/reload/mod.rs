//! What a node reads again while it runs: its routes, and of its settings those that move no tab.

mod difference;
mod routes;
mod settings;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;

use super::node::Node;
use crate::config::Config;
use crate::socket::App;
use routes::ReloadRoutes;
use settings::{Outcome, Settings};

/// How often watched files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// What is needed to read it all once more.
pub(super) struct Reload {
    settings: Settings,
    routes: ReloadRoutes,
    app: Arc<App>,
}

impl Reload {
    /// For a node that was started with this file.
    pub(super) fn new(file: PathBuf, config: Config, node: &Node) -> Self {
        let app = Arc::clone(&node.app);
        let routes = ReloadRoutes::new(
            Arc::new(config.clone()),
            Arc::clone(&node.registry),
            node.routes.clone(),
            Arc::clone(&app.metrics),
        );
        Self { settings: Settings::new(file, config, Arc::clone(&app)), routes, app }
    }

    /// Reads all of it again at each signal, and the routes where they are watched whenever their files have changed.
    pub(super) async fn run(mut self, mut hang_up: Signal) {
        loop {
            let signalled = tokio::select! {
                signal = hang_up.recv() => match signal {
                    Some(()) => true,
                    None => return,
                },
                () = tokio::time::sleep(LOOK), if self.routes.are_watched() => false,
            };
            // Reading and compiling a folder of routes takes long enough to hold up the requests of this thread.
            tokio::task::block_in_place(|| self.look(signalled));
        }
    }

    fn look(&mut self, signalled: bool) {
        if signalled {
            let outcome = self.settings.reload();
            self.app.metrics.config_reloaded(outcome.label(), outcome.holds());
            if outcome == Outcome::Faulty {
                // Whoever changed several files meant all of them.
                return;
            }
        }
        self.routes.look(signalled);
    }
}
