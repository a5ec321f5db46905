//! Settings that change while the node runs: checked first, and kept as they were if the file has a fault. Keys that
//! need a restart are named.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use fanfare_broker::properties::is_of_login;
use fanfare_token::{OtherKeys, Verifier};
use toml::Table;

use super::super::secret;
use super::certificates::Certificates;
use super::difference::{Changed, changed};
use super::hubs::{Began, is_of_hubs, is_of_presence};
use super::routes::ReloadRoutes;
use crate::config::{BOUND_AT_ONCE, BY_ADDRESS, BrokerKind, CHANGE_AT_ONCE, Config, EdgeLimits, NATS_LOGIN_KEYS};
use crate::document::Source;
use crate::limit::ConnectionBounds;
use crate::operator::configuration::Configuration;
use crate::seal::Seal;
use crate::socket::authorizers::{Authorizers, OtherAuthorizers};
use crate::socket::{App, OtherTls};

/// The keys that take effect at once, by their section.
const AT_ONCE: [(&str, &[&str]); 10] = [
    ("broker", &NATS_LOGIN_KEYS),
    ("broker", &["properties_file"]),
    ("cors", &["origins"]),
    ("issuer", &["jwks", "discovery", "jwks_file", "ca_file"]),
    ("limits", &CHANGE_AT_ONCE),
    ("limits", &BOUND_AT_ONCE),
    ("node", &["secret", "secret_file", "previous_secret", "previous_secret_file", "watch"]),
    // In the sections of certificates.
    ("node", &["cert_file", "key_file", "minimum_version", "client_ca_file", "ca_file", "server_names"]),
    ("routes", &["path", "watch"]),
    ("schemas", &["path", "demo"]),
];

/// The sections of listeners; turning TLS on or off for one needs a restart.
const LISTENERS: [&str; 2] = ["tls", "operator_tls"];

/// The outcome of a reload of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The file is what the node runs with.
    Unchanged,
    /// The node runs with it now.
    Applied,
    /// Something in it needs a start; the rest holds.
    NeedsStart,
    /// Something is wrong with it, and nothing has changed.
    Faulty,
}

impl Outcome {
    /// The outcome as a metric label.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Applied => "applied",
            Self::NeedsStart => "needs_start",
            Self::Faulty => "faulty",
        }
    }

    /// Whether the file is what the node runs with.
    pub(super) fn holds(self) -> bool {
        matches!(self, Self::Unchanged | Self::Applied)
    }
}

/// The settings of a node that runs.
pub(super) struct Settings {
    file: PathBuf,
    /// The file as the node began with it.
    began: Table,
    /// The file as it was read last.
    read: Table,
    /// The parts of its first hubs that the node keeps.
    hubs: Began,
    /// The bytes of the file, where it is watched.
    seen: Option<Vec<u8>>,
    /// What the node began with, updated by what takes effect at once.
    now: Config,
    /// The broker of a configuration that was read last and has no fault, until it is taken.
    broker: Option<BrokerKind>,
    app: Arc<App>,
}

/// The changes, all of them checked.
struct Checked {
    origins: bool,
    limits: Option<EdgeLimits>,
    bounds: Option<ConnectionBounds>,
    keys: Option<OtherKeys>,
    seal: Option<Seal>,
    tls: Option<OtherTls>,
}

impl Settings {
    /// Those of this file, which the node was started with.
    pub(super) fn new(file: PathBuf, now: Config, app: Arc<App>) -> Self {
        let began: Table = Source::read(&file).ok().and_then(|source| source.text.parse().ok()).unwrap_or_default();
        let hubs = Began::with(&now);
        let mut settings = Self { file, read: began.clone(), began, hubs, seen: None, now, broker: None, app };
        settings.saw();
        settings.show(&settings.began, &BTreeSet::new());
        settings
    }

    /// What the node runs with.
    pub(super) fn now(&self) -> &Config {
        &self.now
    }

    /// The broker of the configuration that was read last, if that has no fault.
    pub(super) fn take_broker(&mut self) -> Option<BrokerKind> {
        self.broker.take()
    }

    /// Whether the file is looked at without a signal.
    pub(super) fn is_watched(&self) -> bool {
        self.seen.is_some()
    }

    /// Whether the file is watched and has changed.
    pub(super) fn has_changed(&self) -> bool {
        self.seen.as_ref().is_some_and(|seen| *seen != self.held())
    }

    fn held(&self) -> Vec<u8> {
        std::fs::read(&self.file).unwrap_or_default()
    }

    fn saw(&mut self) {
        self.seen = self.now.node.watch.then(|| self.held());
    }

    /// Reads the file again, applies what takes effect at once, and names the rest.
    pub(super) fn reload(&mut self, routes: &mut ReloadRoutes, certificates: &mut Certificates) -> Outcome {
        // First of all: a change while the file is read is noticed next time.
        self.saw();
        self.read_again(routes, certificates)
    }

    fn read_again(&mut self, routes: &mut ReloadRoutes, certificates: &mut Certificates) -> Outcome {
        let read = self.read(certificates);
        let (table, config, (checked, authorizers)) = match read {
            Ok(read) => read,
            Err(faults) => {
                for fault in &faults {
                    tracing::error!(fault, "the changed configuration has a fault: the one before stays in use");
                }
                return Outcome::Faulty;
            }
        };
        let other_proxies = config.node.trusted_proxies != self.now.node.trusted_proxies;
        let late = Late { other_proxies, toggled: toggled(&self.began, &table) };
        let changed_since = changed(&self.began, &table);
        let mut needed: BTreeSet<Changed> = changed_since.iter().filter(|key| late.is(key)).cloned().collect();
        if !config.broker.kind.has_properties_of(&self.now.broker.kind) && !needed.iter().any(is_property) {
            let section = ["broker", "kafka"].map(str::to_owned).to_vec();
            needed.insert(Changed { section, key: "properties_file".to_owned() });
        }
        let other_hubs = self.has_other_hubs(&table, &config);
        let wait = self.hubs.need_start(&config, &needed).filter(|_| other_hubs);
        let platform = if wait.is_none() { self.now.with_platform_of(&config) } else { self.now.clone() };
        // Before they are read, for the same reason.
        routes.saw(&platform);
        let table_of_routes = routes.read(&platform);
        if other_hubs && wait.is_none() && table_of_routes.is_err() {
            // Somebody who changed several files meant all of them.
            return Outcome::Faulty;
        }
        let is_other = changed(&self.read, &table).iter().any(|key| !late.is(key));
        let changes = match self.apply(&config, checked, certificates) {
            Ok(changes) => changes || is_other,
            Err(fault) => {
                tracing::error!(fault, "the changed configuration has a fault: the one before stays in use");
                return Outcome::Faulty;
            }
        };
        self.broker = Some(config.broker.kind.clone());
        let put = table_of_routes.and_then(|table| routes.put(table));
        match wait {
            None if put.is_ok() => self.take_platform(&config, table.clone(), other_hubs.then_some(authorizers)),
            reason if other_hubs => {
                let reason = reason.unwrap_or_else(|| "their routes or schemas do".to_owned());
                tracing::warn!(reason, "restart needed: the hubs changed, and stay as they were");
                needed.extend(changed_since.into_iter().filter(is_of_hubs));
            }
            _ => {}
        }
        self.show(&table, &needed);
        for key in &needed {
            tracing::warn!(%key, "restart needed: {key} changed");
        }
        match (needed.is_empty(), changes) {
            (false, _) => Outcome::NeedsStart,
            (true, true) => Outcome::Applied,
            (true, false) => {
                tracing::info!("the configuration is unchanged");
                Outcome::Unchanged
            }
        }
    }

    /// Shows operators the running configuration, if some keys of the file need a restart.
    fn show(&self, read: &Table, needed: &BTreeSet<Changed>) {
        let late = needed.iter().map(|key| ((&*key.section, &*key.key), key.to_string()));
        self.app.show(Configuration::of(&self.began, read, late));
    }

    /// Whether hubs or authorizers have changed since the file was read last.
    fn has_other_hubs(&self, table: &Table, config: &Config) -> bool {
        let files = |config: &Config| {
            let files = config.authorizers.iter().map(|asked| (asked.token.clone(), asked.ca.clone()));
            files.collect::<Vec<_>>()
        };
        changed(&self.read, table).iter().any(is_of_hubs) || files(config) != files(&self.now)
    }

    /// Uses the hubs of a configuration with their authorizers, if they have changed, and its paths of schemas and routes.
    fn take_platform(&mut self, config: &Config, table: Table, others: Option<OtherAuthorizers>) {
        if let Some(authorizers) = others {
            self.app.authorizers.replace(authorizers);
            self.app.hubs.replace(&config.hubs);
            self.app.methods.declare(config.methods());
            tracing::info!("hubs changed: their methods apply to all connections, the rest to new ones");
        }
        self.now = self.now.with_platform_of(config);
        self.now.node.watch = config.node.watch;
        self.read = table;
    }

    /// Reads the file, and makes all that may fail, before anything is put in place.
    fn read(&self, certificates: &Certificates) -> Result<(Table, Config, (Checked, OtherAuthorizers)), Vec<String>> {
        let told = |faults: Vec<crate::document::Fault>| faults.iter().map(ToString::to_string).collect::<Vec<_>>();
        let source = Source::read(&self.file).map_err(|fault| told(vec![fault]))?;
        let config = Config::parse(&source).map_err(told)?;
        let table = source.text.parse().map_err(|error: toml::de::Error| vec![error.to_string()])?;
        let checked = self.check(&config, certificates).map_err(|fault| vec![fault])?;
        let authorizers = Authorizers::others(&config.authorizers).map_err(|error| vec![error.to_string()])?;
        Ok((table, config, (checked, authorizers)))
    }

    fn check(&self, config: &Config, certificates: &Certificates) -> Result<Checked, String> {
        let keys = self.app.verifier.as_ref().map(|verifier: &Verifier| verifier.other_keys(&config.issuers));
        let keys = keys.transpose().map_err(|error| error.to_string())?;
        let is_other = |old: &Config| {
            config.node.secret != old.node.secret || config.node.previous_secret != old.node.previous_secret
        };
        let seal = is_other(&self.now).then(|| secret::of_known_node(config));
        let bounds = config.limits.connection_bounds();
        Ok(Checked {
            bounds: Some(bounds).filter(|bounds| *bounds != self.now.limits.connection_bounds()),
            origins: config.cors.origins != self.now.cors.origins,
            limits: Some(self.limits(config)).filter(|limits| *limits != self.now.limits.edge),
            keys: keys.filter(|keys| keys.issuers().next().is_some()),
            seal: seal.transpose().map_err(|error| format!("the node secret cannot be read: {error}"))?,
            tls: certificates.check(&config.node.tls)?,
        })
    }

    /// The limits that can be changed, and one that cannot.
    fn limits(&self, config: &Config) -> EdgeLimits {
        let now = &self.now.limits.edge;
        let limits = EdgeLimits { head: now.head, ..config.limits.edge.clone() };
        if config.node.trusted_proxies == self.now.node.trusted_proxies {
            return limits;
        }
        EdgeLimits {
            connections_per_address: now.connections_per_address,
            address_connects_per_minute: now.address_connects_per_minute,
            failed_tokens_per_minute: now.failed_tokens_per_minute,
            ..limits
        }
    }

    /// Applies what was checked; returns whether there was anything.
    fn apply(&mut self, config: &Config, checked: Checked, certificates: &mut Certificates) -> Result<bool, String> {
        let Checked { origins, limits, bounds, keys, seal, tls } = checked;
        let is_any =
            origins || limits.is_some() || seal.is_some() || keys.is_some() || tls.is_some() || bounds.is_some();
        // First of all, since only this may still be refused.
        if let Some(seal) = &seal {
            self.app.seal.take(seal).map_err(|error| error.to_string())?;
            tracing::info!("node secret or previous secret changed");
            let node = &config.node;
            (self.now.node.secret, self.now.node.previous_secret) = (node.secret.clone(), node.previous_secret.clone());
        }
        if let Some(tls) = tls {
            certificates.replace(config.node.tls.clone(), tls);
        }
        if origins {
            tracing::info!("allowed origins changed");
            self.app.edge.set_origins(config.cors.origins.clone());
            self.now.cors.origins = config.cors.origins.clone();
        }
        if let Some(limits) = limits {
            tracing::info!("limits of connections, wrong tokens and bodies changed");
            self.app.edge.set_limits(&limits);
            self.now.limits.edge = limits;
        }
        let event_bytes = config.limits.event_bytes;
        let is_any = is_any || event_bytes != self.now.limits.event_bytes;
        if event_bytes != self.now.limits.event_bytes {
            tracing::info!(event_bytes, "the largest event is another");
            self.app.event_bytes.set(event_bytes);
            self.now.limits.event_bytes = event_bytes;
        }
        if let Some(bounds) = bounds {
            tracing::info!(?bounds, "other limits of queues, resumes and joined groups");
            self.app.connection_bounds.set(bounds);
            let (now, read) = (&mut self.now.limits, &config.limits);
            (now.queue_bytes, now.joined_groups) = (read.queue_bytes, read.joined_groups);
            (now.resume_notifications, now.resume_bytes) = (read.resume_notifications, read.resume_bytes);
        }
        if let (Some(verifier), Some(keys)) = (&self.app.verifier, keys) {
            tracing::info!(issuers = ?keys.issuers().collect::<Vec<_>>(), "keys of issuers changed");
            verifier.use_keys(keys);
        }
        Ok(is_any)
    }
}

/// Which keys are read only at the start.
struct Late {
    /// The proxies are others.
    other_proxies: bool,
    /// The listeners that would begin to speak TLS, or leave it.
    toggled: Vec<&'static str>,
}

impl Late {
    /// Whether this one is.
    fn is(&self, changed: &Changed) -> bool {
        let (section, within) = (changed.first(), changed.section.get(1).map_or("", String::as_str));
        self.other_proxies && BY_ADDRESS.contains(&changed.key.as_str())
            || section == "node" && self.toggled.contains(&within)
            || is_of_presence(changed)
            || !is_of_hubs(changed) && !is_at_once(changed)
    }
}

/// Whether a key takes effect at once.
fn is_at_once(changed: &Changed) -> bool {
    let named = |(of, keys): &(&str, &[&str])| *of == changed.first() && keys.contains(&changed.key.as_str());
    AT_ONCE.iter().any(named) || is_property(changed) && is_of_login(&changed.key)
}

/// Whether it is a setting of Kafka's client.
fn is_property(changed: &Changed) -> bool {
    changed.section.iter().map(String::as_str).eq(["broker", "kafka", "properties"])
}

/// The listeners that speak TLS in only one of the two files.
fn toggled(before: &Table, after: &Table) -> Vec<&'static str> {
    let speaks = |table: &Table, name: &str| table.get("node").and_then(|node| node.get(name)).is_some();
    LISTENERS.into_iter().filter(|name| speaks(before, name) != speaks(after, name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key that does not exist changes nothing, and its name in the list would hide that.
    #[test]
    fn every_key_that_holds_at_once_is_documented() {
        let documented = include_str!("../../../../../docs/configuration.md");
        for (_, keys) in AT_ONCE {
            for key in keys {
                assert!(documented.contains(&format!("`{key}`")), "{key}");
            }
        }
    }
}
