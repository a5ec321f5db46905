//! Routes that change while the node runs: checked first, and as they were if anything is wrong with them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fanfare_event::Registry;
use fanfare_telemetry::metrics::FanoutMetrics;

use crate::config::{Config, route_files, routes_again};
use crate::route::Routes;

/// What is needed to read the routes once more.
pub(super) struct ReloadRoutes {
    /// What the node runs with.
    config: Arc<Config>,
    registry: Arc<Registry>,
    routes: Routes,
    metrics: Arc<FanoutMetrics>,
    /// What watched files held.
    seen: Option<Seen>,
}

/// The bytes of files, to see that they changed. A folder that a Kubernetes volume replaces has other files with the
/// same names, so neither names nor times tell.
type Seen = Vec<(PathBuf, Vec<u8>)>;

impl ReloadRoutes {
    pub(super) fn new(
        config: Arc<Config>,
        registry: Arc<Registry>,
        routes: Routes,
        metrics: Arc<FanoutMetrics>,
    ) -> Self {
        let seen = config.watch_routes.then(|| contents(&config.routes));
        Self { config, registry, routes, metrics, seen }
    }

    /// Whether the files are looked at without a signal.
    pub(super) fn are_watched(&self) -> bool {
        self.seen.is_some()
    }

    /// Reads the routes again if they are watched and their files have changed, or if somebody says so.
    pub(super) fn look(&mut self, signalled: bool) {
        let Some(seen) = &self.seen else { return self.reload() };
        let found = contents(&self.config.routes);
        if signalled || *seen != found {
            self.reload();
            self.seen = Some(found);
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
