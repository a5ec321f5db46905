//! Configuration, schemas and routes, loaded and checked together.

use std::path::{Path, PathBuf};

use fanfare_event::{Registry, RegistryError, TypeName};

use super::{Config, HubConfig, warning};
use crate::document::section::text;
use crate::document::{Document, Fault, Located, Source};
use crate::route::{RouteTable, with_declared_events};

/// The most route files of a folder.
const MAX_ROUTE_FILES: usize = 1000;

/// Everything that configures a node, checked against each other.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The routes, with the schemas of the events.
    pub routes: RouteTable,
}

impl Loaded {
    /// Loads a configuration file and the schemas and routes that it names.
    pub fn load(path: &Path) -> Result<Self, Vec<Fault>> {
        Self::of(Config::load(path)?)
    }

    /// Loads the schemas and routes that a configuration names.
    pub fn of(config: Config) -> Result<Self, Vec<Fault>> {
        let sources = route_sources(&config.routes)?;
        let registry = with_declared_events(registry(&config)?, &sources)?;
        if let Some(fault) = forgotten_schemas(&config, &sources, &registry) {
            return Err(vec![fault]);
        }
        let mut faults = Vec::new();
        for hub in &config.hubs {
            for method in &hub.methods {
                method.check_event(&registry, &mut faults);
                faults.extend(method.publishes_without_realm().filter(|_| hub.realms.are_several()));
            }
        }
        match compile(&sources, &config, &registry) {
            Ok(routes) if faults.is_empty() => {
                let mut config = config;
                config.warnings.extend(warning::of_routes(&sources));
                Ok(Self { config, routes })
            }
            Ok(_) => Err(faults),
            Err(more) => Err(together(faults, more)),
        }
    }

    /// The event schemas.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        self.routes.schemas()
    }
}

fn compile(sources: &[Source], config: &Config, registry: &Registry) -> Result<RouteTable, Vec<Fault>> {
    let hubs: Vec<_> = config.hubs.iter().map(HubConfig::declaration).collect();
    let personal = config.personal.check_routes(sources);
    let routes = match RouteTable::compile_for(sources, registry, &hubs, config.single_org.as_deref()) {
        Ok(routes) if personal.is_empty() => routes,
        Ok(_) => return Err(personal),
        Err(faults) => return Err(together(personal, faults)),
    };
    let ungranted: Vec<_> = config.hubs.iter().flat_map(|hub| ungranted(hub, &routes)).collect();
    if ungranted.is_empty() { Ok(routes) } else { Err(ungranted) }
}

/// Routes of services without a known schema, if no folder of schemas is configured: only this is reported, and not for
/// each route that its event is unknown.
fn forgotten_schemas(config: &Config, sources: &[Source], registry: &Registry) -> Option<Fault> {
    if config.schemas.is_some() {
        return None;
    }
    let is_strange = |event: &str| {
        let event_type = TypeName::parse(event).ok();
        let is_known = |name: &TypeName| registry.event_types().any(|known| known.name().service() == name.service());
        event_type.is_some_and(|name| !is_known(&name)) && registry.suggest(event).is_none()
    };
    let mut faults = sources.iter().flat_map(|source| {
        let document = Document::parse(source);
        let routes = if document.is_faulty() { Vec::new() } else { document.root().sections("route") };
        let named: Vec<_> = routes.iter().filter_map(|route| route.value("event").and_then(text)).collect();
        let strange = named.into_iter().filter(|event| is_strange(event.value));
        let fault = |event: Located<&str>| {
            let message = format!("nothing says what `{}` holds: the configuration names no schemas", event.value);
            let help = format!("[schemas] path = \"schemas\" there, or [event.\"{}\"] here", event.value);
            document.spot(event.at).fault(message, Some(help))
        };
        strange.map(fault).collect::<Vec<_>>()
    });
    let first = faults.next()?;
    let others = faults.count();
    let message = if others == 0 { first.message } else { format!("{}; so do {others} more routes", first.message) };
    Some(Fault { message, ..first })
}

/// Faults that were found in two ways, each once and in the order of the files.
fn together(mut faults: Vec<Fault>, more: Vec<Fault>) -> Vec<Fault> {
    faults.extend(more);
    faults.sort();
    faults.dedup();
    faults
}

/// Methods that ask for grants, and groups that are joined by them, which no route gives.
fn ungranted(hub: &HubConfig, routes: &RouteTable) -> Vec<Fault> {
    let of_hub = routes.routes().filter(|route| *route.hub() == *hub.path);
    let granted: Vec<_> = of_hub.filter_map(|route| route.grants()).collect();
    let groups = hub.granted.iter().filter_map(|(template, spot)| {
        if granted.iter().any(|known| known.same_family(template)) {
            return None;
        }
        let help = format!("a route needs grant = {{ user = ..., group = \"{template}\" }}");
        Some(spot.fault(format!("no route of this hub grants `{template}`"), Some(help)))
    });
    hub.methods.iter().filter_map(|method| method.without_grants(granted.iter().copied())).chain(groups).collect()
}

fn registry(config: &Config) -> Result<Registry, Vec<Fault>> {
    let builtin = if config.demo_schemas { Registry::builtin() } else { Registry::of_nodes() };
    match &config.schemas {
        None => Ok(builtin),
        Some(folder) => builtin.with_folder(folder).map_err(|error| vec![schema_fault(&error)]),
    }
}

/// What is wrong with a schema, in its own file and on its line where that is known.
fn schema_fault(error: &RegistryError) -> Fault {
    let (line, column) = error.line().map_or((0, 0), |line| (line, 1));
    Fault { line, column, ..Fault::whole(error.file(), error.reason()) }
}

/// The route file, or all files `*.toml` of the folder by name.
///
/// # Errors
/// The folder cannot be read, or holds none or too many.
pub fn route_files(path: &Path) -> Result<Vec<PathBuf>, Vec<Fault>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let unreadable = |error: std::io::Error| vec![Fault::whole(path, format!("cannot be read: {error}"))];
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file.extension().is_some_and(|extension| extension == "toml") && file.is_file() {
            files.push(file);
        }
    }
    if files.is_empty() || files.len() > MAX_ROUTE_FILES {
        let message = format!("holds {} route files (*.toml); 1 to {MAX_ROUTE_FILES} are expected", files.len());
        return Err(vec![Fault::whole(path, message)]);
    }
    files.sort();
    Ok(files)
}

fn route_sources(path: &Path) -> Result<Vec<Source>, Vec<Fault>> {
    let (mut sources, mut faults) = (Vec::new(), Vec::new());
    for file in route_files(path)? {
        match Source::read(&file) {
            Ok(source) => sources.push(source),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() { Ok(sources) } else { Err(faults) }
}
