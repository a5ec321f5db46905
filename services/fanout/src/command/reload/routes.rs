//! Routes and schemas that change while the node runs: checked first, and kept as they were if a file has a fault.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fanfare_event::Registry;

use crate::config::{BrokerKind, Config, Loaded, route_files};
use crate::route::RouteTable;
use crate::socket::App;

/// The most schema files that are looked at for a change.
const MAX_SCHEMA_FILES: usize = 10_000;

/// What a reload of routes and schemas needs.
pub(super) struct ReloadRoutes {
    app: Arc<App>,
    /// The services whose topics the broker's client reads; none if topics do not depend on schemas.
    services: Option<BTreeSet<String>>,
    /// The contents of watched files.
    seen: Option<Seen>,
}

/// The bytes of files, to see that they changed. A folder that a Kubernetes volume replaces has other files with the
/// same names, so neither names nor times tell.
type Seen = Vec<(PathBuf, Vec<u8>)>;

/// The files were not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// Something is wrong with it.
    Faulty,
    /// A node learns it when it starts.
    NeedsStart,
}

impl ReloadRoutes {
    /// For a node that was started with this configuration.
    pub(super) fn new(config: &Config, app: Arc<App>) -> Self {
        let is_kafka = matches!(config.broker.kind, BrokerKind::Kafka(_));
        let services = is_kafka.then(|| services(app.routes.now().schemas()));
        let mut reload = Self { app, services, seen: None };
        reload.saw(config);
        reload
    }

    /// Whether the files are looked at without a signal.
    pub(super) fn are_watched(&self) -> bool {
        self.seen.is_some()
    }

    /// Reads routes and schemas again if they are watched and their files have changed.
    pub(super) fn look(&mut self, config: &Config) {
        let Some(seen) = &self.seen else { return };
        let found = contents(config);
        if *seen != found {
            self.seen = Some(found);
            // The outcome is logged.
            let _ = self.read(config).and_then(|table| self.put(table));
        }
    }

    /// Notes the current contents of the files, if they are watched.
    pub(super) fn saw(&mut self, config: &Config) {
        self.seen = config.watch_routes.then(|| contents(config));
    }

    /// Reads and checks the routes of a configuration with its schemas and hubs.
    ///
    /// # Errors
    /// [`Refused`]; the faults are logged.
    pub(super) fn read(&self, config: &Config) -> Result<RouteTable, Refused> {
        match Loaded::of(config.clone()) {
            Ok(loaded) => Ok(loaded.routes),
            Err(faults) => {
                for fault in &faults {
                    tracing::error!(%fault, "the changed routes or schemas have a fault: those before stay in use");
                }
                self.told("faulty", &self.app.routes.now().digest());
                Err(Refused::Faulty)
            }
        }
    }

    /// Puts these routes, with their schemas, in the place of those that the node has; whether they are others.
    ///
    /// # Errors
    /// [`Refused`]; the reason is logged.
    pub(super) fn put(&self, table: RouteTable) -> Result<bool, Refused> {
        let before = self.app.routes.now();
        let after = table.digest();
        let other_schemas = !table.schemas().says_the_same(before.schemas());
        if after == before.digest() && !other_schemas {
            tracing::info!(routes = after, "routes and schemas are unchanged");
            self.told("unchanged", &after);
            return Ok(false);
        }
        let unread = self.services.as_ref().map(|known| &services(table.schemas()) - known).unwrap_or_default();
        if !unread.is_empty() {
            let services = Vec::from_iter(unread).join(", ");
            tracing::error!(
                services,
                "these services are new, and each has topics of its own, which a node opens when it starts: start the \
                 nodes again one by one; routes and schemas stay as they were"
            );
            self.told("needs_start", &before.digest());
            return Err(Refused::NeedsStart);
        }
        match self.app.routes.replace(table) {
            Ok(()) => {
                tracing::info!(before = before.digest(), routes = after, other_schemas, "routes replaced");
                self.told("replaced", &after);
                Ok(true)
            }
            Err(routes) => {
                let routes = routes.join(", ");
                tracing::error!(
                    routes,
                    "these routes retain values, or say who has access or is logged out, and have changed: a node learns \
                     that when it starts, so start the nodes again one by one; routes and schemas stay as they were"
                );
                self.told("needs_start", &before.digest());
                Err(Refused::NeedsStart)
            }
        }
    }

    fn told(&self, outcome: &'static str, digest: &str) {
        self.app.metrics.routes_reloaded(outcome, digest);
    }
}

fn services(registry: &Registry) -> BTreeSet<String> {
    registry.event_types().map(|known| known.name().service().to_owned()).collect()
}

/// The contents of the files of routes and schemas; an unreadable one is empty.
fn contents(config: &Config) -> Seen {
    let files = route_files(&config.routes).unwrap_or_default();
    let schemas = config.schemas.as_deref().map(schema_files).unwrap_or_default();
    let held = |file: PathBuf| (std::fs::read(&file).unwrap_or_default(), file);
    files.into_iter().chain(schemas).map(held).map(|(bytes, file)| (file, bytes)).collect()
}

/// The schemas of a folder, which stand in folders of their services.
fn schema_files(folder: &Path) -> Vec<PathBuf> {
    let within = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        entries.filter_map(Result::ok).map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let services = within(folder);
    let mut files: Vec<PathBuf> =
        services.iter().filter(|path| path.is_dir()).flat_map(|folder| within(folder)).collect();
    files.truncate(MAX_SCHEMA_FILES);
    files.sort_unstable();
    files
}
