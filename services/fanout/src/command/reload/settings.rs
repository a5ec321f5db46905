//! Settings that change while the node runs: checked first, and as they were if anything is wrong with them. What can only
//! change with a start is named.

use std::path::PathBuf;
use std::sync::Arc;

use fanfare_token::{OtherKeys, Verifier};
use toml::Table;

use super::super::secret;
use super::difference::{Changed, changed};
use crate::config::{Config, EdgeLimits};
use crate::document::Source;
use crate::seal::Seal;
use crate::socket::App;

/// The keys whose other values hold at once, by their section.
const AT_ONCE: [(&str, &[&str]); 4] = [
    ("cors", &["origins"]),
    ("issuer", &["jwks", "discovery", "jwks_file"]),
    (
        "limits",
        &[
            "connections_per_user",
            "connections_per_org",
            "connections_per_address",
            "connects_per_second",
            "user_connects_per_minute",
            "address_connects_per_minute",
            "failed_tokens_per_minute",
            "body_seconds",
            "body_bytes",
        ],
    ),
    ("node", &["secret", "secret_file", "previous_secret", "previous_secret_file"]),
];

/// Those of them that need a start after all where `trusted_proxies` has changed, which does: until then all clients may seem
/// to have the address of a proxy.
const BY_ADDRESS: [&str; 3] = ["connections_per_address", "address_connects_per_minute", "failed_tokens_per_minute"];

/// What became of a configuration that was read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is what the node runs with.
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
    /// What the node began with, and runs with where that changes at once.
    now: Config,
    app: Arc<App>,
}

/// What is to change, all of it checked.
struct Checked {
    origins: bool,
    limits: Option<EdgeLimits>,
    keys: Option<OtherKeys>,
    seal: Option<Seal>,
}

impl Settings {
    /// Those of this file, which the node was started with.
    pub(super) fn new(file: PathBuf, now: Config, app: Arc<App>) -> Self {
        let began = Source::read(&file).ok().and_then(|source| source.text.parse().ok()).unwrap_or_default();
        Self { file, began, now, app }
    }

    /// Reads the file again, puts in place what can be, and tells the rest.
    pub(super) fn reload(&mut self) -> Outcome {
        let read = self.read();
        let (table, config, checked) = match read {
            Ok(read) => read,
            Err(faults) => {
                for fault in &faults {
                    tracing::error!(fault, "the configuration has a fault: all stays as it was");
                }
                return Outcome::Faulty;
            }
        };
        let other_proxies = config.node.trusted_proxies != self.now.node.trusted_proxies;
        let changes = match self.apply(config, checked) {
            Ok(changes) => changes,
            Err(fault) => {
                tracing::error!(fault, "the configuration has a fault: all stays as it was");
                return Outcome::Faulty;
            }
        };
        let late: Vec<Changed> =
            changed(&self.began, &table).into_iter().filter(|key| needs_start(key, other_proxies)).collect();
        for key in &late {
            tracing::warn!(%key, "restart needed: {key} changed");
        }
        match (late.is_empty(), changes) {
            (false, _) => Outcome::NeedsStart,
            (true, true) => Outcome::Applied,
            (true, false) => {
                tracing::info!("the configuration is what it was");
                Outcome::Unchanged
            }
        }
    }

    fn read(&self) -> Result<(Table, Config, Checked), Vec<String>> {
        let told = |faults: Vec<crate::document::Fault>| faults.iter().map(ToString::to_string).collect::<Vec<_>>();
        let source = Source::read(&self.file).map_err(|fault| told(vec![fault]))?;
        let config = Config::parse(&source).map_err(told)?;
        let table = source.text.parse().map_err(|error: toml::de::Error| vec![error.to_string()])?;
        let checked = self.check(&config).map_err(|fault| vec![fault])?;
        Ok((table, config, checked))
    }

    fn check(&self, config: &Config) -> Result<Checked, String> {
        let keys = self.app.verifier.as_ref().map(|verifier: &Verifier| verifier.other_keys(&config.issuers));
        let keys = keys.transpose().map_err(|error| error.to_string())?;
        let is_other = |old: &Config| {
            config.node.secret != old.node.secret || config.node.previous_secret != old.node.previous_secret
        };
        let seal = is_other(&self.now).then(|| secret::of_known_node(config));
        Ok(Checked {
            origins: config.cors.origins != self.now.cors.origins,
            limits: Some(self.limits(config)).filter(|limits| *limits != self.now.limits.edge),
            keys: keys.filter(|keys| keys.issuers().next().is_some()),
            seal: seal.transpose().map_err(|error| format!("the node secret cannot be read: {error}"))?,
        })
    }

    /// The limits that can be changed, beside one that cannot.
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

    /// Puts in place what was checked; whether that is anything.
    fn apply(&mut self, config: Config, checked: Checked) -> Result<bool, String> {
        let Checked { origins, limits, keys, seal } = checked;
        let is_any = origins || limits.is_some() || seal.is_some() || keys.is_some();
        // First of all, as it alone may still be refused.
        if let Some(seal) = &seal {
            self.app.seal.take(seal).map_err(|error| error.to_string())?;
            tracing::info!("another node secret, or another one before it");
            (self.now.node.secret, self.now.node.previous_secret) = (config.node.secret, config.node.previous_secret);
        }
        if origins {
            tracing::info!("other origins may use the hubs");
            self.app.edge.set_origins(config.cors.origins.clone());
            self.now.cors.origins = config.cors.origins;
        }
        if let Some(limits) = limits {
            tracing::info!("other limits of connections, wrong tokens and bodies");
            self.app.edge.set_limits(&limits);
            self.now.limits.edge = limits;
        }
        if let (Some(verifier), Some(keys)) = (&self.app.verifier, keys) {
            tracing::info!(issuers = ?keys.issuers().collect::<Vec<_>>(), "other keys of issuers");
            verifier.use_keys(keys);
        }
        Ok(is_any)
    }
}

/// Whether a key is read at the start alone.
fn needs_start(changed: &Changed, other_proxies: bool) -> bool {
    let section = changed.section.first().map_or("", String::as_str);
    other_proxies && BY_ADDRESS.contains(&changed.key.as_str())
        || !AT_ONCE.iter().any(|(of, keys)| *of == section && keys.contains(&changed.key.as_str()))
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
