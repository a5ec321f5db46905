//! What a node reads again while it runs: its hubs, schemas and routes, and of its other settings those that move no tab.

mod difference;
mod hubs;
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
use settings::Settings;

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
        let routes = ReloadRoutes::new(&config, Arc::clone(&app));
        Self { settings: Settings::new(file, config, Arc::clone(&app)), routes, app }
    }

    /// Reads all of it again at each signal, and what is watched whenever its files have changed.
    pub(super) async fn run(mut self, mut hang_up: Signal) {
        loop {
            let signalled = tokio::select! {
                signal = hang_up.recv() => match signal {
                    Some(()) => true,
                    None => return,
                },
                () = tokio::time::sleep(LOOK), if self.routes.are_watched() || self.settings.is_watched() => false,
            };
            // Reading and compiling a folder of routes takes long enough to hold up the requests of this thread.
            tokio::task::block_in_place(|| self.look(signalled));
        }
    }

    fn look(&mut self, signalled: bool) {
        if !signalled && !self.settings.has_changed() {
            return self.routes.look(self.settings.now());
        }
        let outcome = self.settings.reload(&mut self.routes);
        self.app.metrics.config_reloaded(outcome.label(), outcome.holds());
    }
}
