//! Configuration: read and checked once, before anything else happens.
//!
//! Each section has its own reader in a file of its name. All faults of a file are found in one pass, each with its
//! place. A new key belongs into `KEYS` of its section's reader and into `docs/configuration.md`; a test compares the
//! two.

mod authorizer;
mod broker;
mod ca_file;
mod cors;
mod edge;
mod health;
mod hub;
mod hub_claims;
mod hub_roles;
mod hub_settings;
mod issuer;
mod issuer_claims;
mod issuer_scope;
mod join;
mod limits;
mod loaded;
mod method;
mod node;
mod origin;
mod paths;
mod personal;
mod presence;
mod required_claim;
mod schema_registry;
mod secret_file;
#[cfg(test)]
mod tests;
mod tls;
mod warning;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fanfare_telemetry::LogFormat;
use fanfare_token::{IssuerConfig, VerifierOptions};

pub use authorizer::AuthorizerConfig;
pub use broker::{BrokerConfig, BrokerKind, KafkaConfig, NATS_LOGIN_KEYS, NatsConfig, NatsLogin};
pub use cors::{CorsConfig, CorsHeaders};
pub use edge::{BY_ADDRESS, CHANGE_AT_ONCE, EdgeLimits};
pub use health::HealthConfig;
pub use hub::{HubConfig, default_join};
pub use hub_settings::ConnectionSettings;
pub(crate) use hub_settings::KEYS as CONNECTION_KEYS;
pub use issuer::{AUDIENCE, DEVELOPMENT_ISSUER, Development, PRODUCER_AUDIENCE};
pub use join::{JoinRule, Joiner, UnknownHole};
pub use limits::{BOUND_AT_ONCE, Limits};
pub use loaded::{Loaded, route_files};
pub use node::{NodeConfig, Secret};
pub use origin::OriginPatterns;
pub use required_claim::RequiredClaim;
pub use schema_registry::SchemaRegistryConfig;
pub use tls::{ListenerTls, NodeTls, PeersTls, Shown};

use crate::document::section::Section;
use crate::document::{Document, Fault, Source};
use crate::method::Declared;
use paths::Paths;
use personal::Personal;

/// The page at `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageConfig {
    /// The demo page, carried by the program.
    Demo,
    /// The page of a folder.
    Folder(PathBuf),
    /// None.
    None,
}

/// The checked configuration of one node.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[node]`.
    pub node: NodeConfig,
    /// `[broker]`.
    pub broker: BrokerConfig,
    /// `[health]`.
    pub health: HealthConfig,
    /// `[schema_registry]`, if there is one.
    pub schema_registry: Option<SchemaRegistryConfig>,
    /// The folder of event schemas.
    pub schemas: Option<PathBuf>,
    /// Whether the demo platform's schemas are known as well.
    pub demo_schemas: bool,
    /// The route file, or the folder of route files.
    pub routes: PathBuf,
    /// Whether the route files are read again as they change.
    pub watch_routes: bool,
    /// The one org of a platform that has one, so that its events need not say it.
    pub single_org: Option<String>,
    /// Every `[[issuer]]`.
    pub issuers: Vec<IssuerConfig>,
    /// `[token]`, with the verifier's other settings at their defaults.
    pub token: VerifierOptions,
    /// `[development]`.
    pub development: Option<Development>,
    /// `[cors]`.
    pub cors: CorsConfig,
    /// `[limits]`.
    pub limits: Limits,
    /// Every `[authorizer.name]`.
    pub authorizers: Vec<AuthorizerConfig>,
    /// Every `[hub."/path"]`.
    pub hubs: Vec<HubConfig>,
    /// How log lines look.
    pub log: LogFormat,
    /// The page at `/`.
    pub page: PageConfig,
    /// What works and is hardly meant.
    pub warnings: Vec<Fault>,
    /// Which personal data each hub carries.
    personal: Personal,
}

const SECTIONS: &[&str] = &[
    "node",
    "broker",
    "health",
    "schema_registry",
    "schemas",
    "routes",
    "issuer",
    "token",
    "development",
    "cors",
    "limits",
    "authorizer",
    "hub",
    "log",
    "page",
];

impl Config {
    /// Reads and checks a configuration file.
    pub fn load(path: &Path) -> Result<Self, Vec<Fault>> {
        let source = Source::read(path).map_err(|fault| vec![fault])?;
        Self::parse(&source)
    }

    /// Checks the text of a configuration file; paths in it are relative to the file's folder.
    pub fn parse(source: &Source) -> Result<Self, Vec<Fault>> {
        let document = Document::parse(source);
        if document.is_faulty() {
            return Err(document.into_faults());
        }
        let config = read(&document.root().allow(SECTIONS), &Paths::of(&source.path));
        match config {
            Some(config) if !document.is_faulty() => Ok(config),
            _ => Err(document.into_faults()),
        }
    }

    /// This with another's hubs, those whom they ask, and where schemas and routes are: what may change while a node runs.
    #[must_use]
    pub fn with_platform_of(&self, other: &Self) -> Self {
        let limits = Limits { connection: other.limits.connection, ..self.limits.clone() };
        Self {
            schemas: other.schemas.clone(),
            demo_schemas: other.demo_schemas,
            routes: other.routes.clone(),
            watch_routes: other.watch_routes,
            authorizers: other.authorizers.clone(),
            hubs: other.hubs.clone(),
            personal: other.personal.clone(),
            limits,
            ..self.clone()
        }
    }

    /// The methods that each hub declares.
    pub fn methods(&self) -> impl Iterator<Item = (&Arc<str>, &[Arc<Declared>])> {
        self.hubs.iter().map(|hub| (&hub.path, &*hub.methods))
    }

    /// The hub at a path.
    pub fn hub(&self, path: &str) -> Option<&HubConfig> {
        self.hubs.iter().find(|hub| *hub.path == *path)
    }
}

fn read(root: &Section<'_>, paths: &Paths) -> Option<Config> {
    let node = node::read(root, paths);
    let broker = broker::read(root, paths);
    check_secret(root, node.as_ref(), broker.as_ref());
    if let (Some(node), Some(broker)) = (&node, &broker) {
        tls::check_peers(root, &node.tls, broker.kind.is_shared());
    }
    let schema_registry = schema_registry::read(root, paths);
    let mut issuers = issuer::read(root, paths);
    let mut development = issuer::read_development(root, paths, &issuers);
    let authorizers = authorizer::read(root, paths);
    let has_proxies = node.as_ref().is_some_and(|node| node.trusted_proxies.is_some());
    let limits = limits::read(root, has_proxies);
    let hubs = hub::read(root, &authorizers, &issuers.realms(), limits.connection);
    issuers.guard_roles(&hubs);
    issuer_claims::name_others(root, &mut issuers.issuers, &hubs);
    if let Some(development) = &mut development {
        development.name_others(&hubs);
    }
    check_realms(root, &hubs);
    let personal = personal::check_hubs(root);
    method::check_addresses(root, &hubs, node.as_ref().is_some_and(|node| node.trusted_proxies.is_some()));
    hub_roles::check(root, &hubs, &issuers, development.is_some());
    hub_claims::check(root, &hubs, &issuers);
    check_trust(root, &hubs, !issuers.user_realms.is_empty() || root.value("development").is_some());
    let (routes, single_org, watch) = match root.section("routes") {
        Some(section) => {
            let section = section.allow(&["path", "single_org", "watch"]);
            let path = existing(&section, paths);
            (path, single_org(&section), section.boolean("watch").unwrap_or_default())
        }
        None => {
            root.fault("routes", "the section [routes] is missing", None);
            (None, None, false)
        }
    };
    let (schemas, demo_schemas) = schemas(root, paths);
    let token = issuer::read_token(root);
    let health = health::read(root, &hubs);
    let (cors, log) = (cors::read(root), log_format(root));
    let warnings = warning::of_config(root);
    Some(Config {
        node: node?,
        broker: broker?,
        health,
        schema_registry,
        schemas: match schemas {
            Some(path) => Some(path?),
            None => None,
        },
        demo_schemas,
        routes: routes?,
        watch_routes: watch,
        single_org,
        issuers: issuers.issuers,
        token,
        development,
        cors,
        limits,
        authorizers,
        hubs,
        log,
        page: root.section("page").map_or(Some(PageConfig::Demo), |section| page(&section, paths))?,
        warnings,
        personal,
    })
}

/// Reads `[schemas]`: the folder, if one is named, and whether the demo's are known.
fn schemas(root: &Section<'_>, paths: &Paths) -> (Option<Option<PathBuf>>, bool) {
    let Some(section) = root.section("schemas") else { return (None, true) };
    let section = section.allow(&["path", "demo"]);
    let is_named = section.value("path").is_some() || section.value("demo").is_none();
    (is_named.then(|| existing(&section, paths)), section.boolean("demo").unwrap_or(true))
}

/// Reads `[page]`. A folder is there once the page was built, so only a node that serves it looks into it.
fn page(section: &Section<'_>, paths: &Paths) -> Option<PageConfig> {
    let section = section.clone().allow(&["path", "demo"]);
    if section.value("path").is_none() && section.value("demo").is_some() {
        return Some(if section.boolean("demo")? { PageConfig::Demo } else { PageConfig::None });
    }
    if section.boolean("demo") == Some(true) {
        section.fault("demo", "there is a `path`, so the demo page is not served", None);
    }
    let text = section.required("path")?;
    let path = paths.resolve(text.value);
    if path.is_file() {
        let help = Some("the folder that holds index.html".to_owned());
        section.document().fault(text.at, format!("{} is a file", path.display()), help);
    }
    Some(PageConfig::Folder(path))
}

/// Reads the org of a platform that has one.
fn single_org(section: &Section<'_>) -> Option<String> {
    let text = section.string("single_org")?;
    if text.value.trim().is_empty() {
        let help = Some("for instance single_org = \"acme\"".to_owned());
        section.document().fault(text.at, "`single_org` names no org", help);
        return None;
    }
    Some(text.value.to_owned())
}

/// Reads the key `path` of a section; it must exist.
fn existing(section: &Section<'_>, paths: &Paths) -> Option<PathBuf> {
    let text = section.required("path")?;
    let path = paths.resolve(text.value);
    if !path.exists() {
        section.document().fault(text.at, format!("{} does not exist", path.display()), None);
        return None;
    }
    Some(path)
}

/// Every node must be able to open what another node seals.
fn check_secret(root: &Section<'_>, node: Option<&NodeConfig>, broker: Option<&BrokerConfig>) {
    let (Some(node), Some(broker)) = (node, broker) else { return };
    let said =
        root.section("node").is_some_and(|node| ["secret", "secret_file"].iter().any(|key| node.value(key).is_some()));
    if broker.kind.is_shared() && node.secret.is_none() && !said {
        root.fault(
            "node",
            "several nodes need the same node.secret, and this broker may have several nodes",
            Some("set `secret_file` of [node] to a file with the output of `openssl rand -hex 32`".to_owned()),
        );
    }
}

/// A hub that needs tokens needs an issuer of them.
fn check_trust(root: &Section<'_>, hubs: &[HubConfig], trusted: bool) {
    if let Some(hub) = hubs.iter().find(|hub| !hub.public && !trusted) {
        root.fault(
            "hub",
            format!("{} needs a token, but no issuer of users is trusted", hub.path),
            Some(
                "write users = true in the [[issuer]] of your users, or add [development] on your own machine"
                    .to_owned(),
            ),
        );
    }
}

/// Users of different realms are different users, even with the same id.
fn check_realms(root: &Section<'_>, hubs: &[HubConfig]) {
    let hub_section = root.section("hub");
    for hub in hubs.iter().filter(|hub| hub.realms.are_several()) {
        for (message, help) in hub.methods.iter().flat_map(|method| method.mixes_realms()) {
            hub_section.as_ref().unwrap_or(root).fault(&hub.path, message, Some(help.to_owned()));
        }
    }
}

fn log_format(root: &Section<'_>) -> LogFormat {
    let Some(section) = root.section("log") else {
        return LogFormat::default();
    };
    let section = section.allow(&["format"]);
    match section.string("format") {
        None => LogFormat::default(),
        Some(text) => match text.value {
            "pretty" => LogFormat::Pretty,
            "json" => LogFormat::Json,
            other => {
                let help = Some("\"pretty\" or \"json\"".to_owned());
                section.document().fault(text.at, format!("unknown log format {other:?}"), help);
                LogFormat::default()
            }
        },
    }
}
