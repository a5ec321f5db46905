//! Routes that change while the node runs: checked first, and as they were if anything is wrong with them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fanfare_event::Registry;
use fanfare_telemetry::metrics::FanoutMetrics;
use tokio::signal::unix::Signal;

use crate::config::{Config, route_files, routes_again};
use crate::route::Routes;

/// How often watched files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// What is needed to read the routes once more.
pub(super) struct Reload {
    /// What the node runs with.
    config: Arc<Config>,
    registry: Arc<Registry>,
    routes: Routes,
    metrics: Arc<FanoutMetrics>,
}

/// The bytes of files, to see that they changed. A folder that a Kubernetes volume replaces has other files with the
/// same names, so neither names nor times tell.
type Seen = Vec<(PathBuf, Vec<u8>)>;

impl Reload {
    pub(super) fn new(
        config: Arc<Config>,
        registry: Arc<Registry>,
        routes: Routes,
        metrics: Arc<FanoutMetrics>,
    ) -> Self {
        Self { config, registry, routes, metrics }
    }

    /// Reads the routes again at each signal, and where they are watched whenever their files have changed.
    pub(super) async fn run(self, mut hang_up: Signal) {
        let mut seen = self.config.watch_routes.then(|| contents(&self.config.routes));
        loop {
            let signalled = tokio::select! {
                signal = hang_up.recv() => match signal {
                    Some(()) => true,
                    None => return,
                },
                () = tokio::time::sleep(LOOK), if seen.is_some() => false,
            };
            // Reading and compiling a folder of routes takes long enough to hold up the requests of this thread.
            tokio::task::block_in_place(|| self.look(signalled, &mut seen));
        }
    }

    fn look(&self, signalled: bool, seen: &mut Option<Seen>) {
        let Some(seen) = seen else { return self.reload() };
        let found = contents(&self.config.routes);
        if signalled || *seen != found {
            self.reload();
            *seen = found;
        }
    }

    /// Puts the routes of the files in the place of those that the node has, if they are sound.
    fn reload(&self) {
        let before = self.routes.now().digest();
        let table = match routes_again(&self.config, &self.registry) {
            Ok(table) => table,
            Err(faults) => {
                for fault in &faults {
                    tracing::error!(%fault, "the route files have a fault: the routes stay as they were");
                }
                return self.metrics.routes_reloaded("faulty", &before);
            }
        };
        let after = table.digest();
        if after == before {
            tracing::info!(routes = before, "the routes are what they were");
            return self.metrics.routes_reloaded("unchanged", &before);
        }
        match self.routes.replace(table) {
            Ok(()) => {
                tracing::info!(before, routes = after, "other routes");
                self.metrics.routes_reloaded("replaced", &after);
            }
            Err(routes) => {
                let routes = routes.join(", ");
                tracing::error!(
                    routes,
                    "these routes retain values, or say who has access or is logged out, and have changed: a node learns \
                     that when it starts, so start the nodes again one by one; the routes stay as they were"
                );
                self.metrics.routes_reloaded("needs_start", &before);
            }
        }
    }
}

/// What the route files hold; one that cannot be read holds nothing.
fn contents(routes: &Path) -> Seen {
    let files = route_files(routes).unwrap_or_default();
    files.into_iter().map(|file| (file.clone(), std::fs::read(&file).unwrap_or_default())).collect()
}
