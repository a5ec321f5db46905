//! Whether new hubs may replace those of a running node; pure.

use std::collections::BTreeSet;

use super::difference::Changed;
use crate::config::{CONNECTION_KEYS, Config};

/// The parts of its first hubs that a node keeps.
pub(super) struct Began {
    /// The claims that tokens are read for.
    claims: BTreeSet<String>,
    /// The roles that allow users to name any org: an issuer may give them only if it lists them.
    roles: BTreeSet<String>,
}

impl Began {
    /// With the hubs of this configuration.
    pub(super) fn with(config: &Config) -> Self {
        let hubs = &config.hubs;
        let claims = hubs.iter().flat_map(|hub| hub.claims()).map(str::to_owned).collect();
        Self { claims, roles: hubs.iter().flat_map(|hub| hub.any_org_roles.iter().cloned()).collect() }
    }

    /// Why other hubs need a start, if they do; `late` are the keys that do so by themselves.
    pub(super) fn need_start(&self, config: &Config, late: &BTreeSet<Changed>) -> Option<String> {
        if let Some(key) = late.iter().find(|key| is_of_presence(key)) {
            return Some(format!("{key} says who is told who is there"));
        }
        if let Some(key) = late.iter().find(|key| ["issuer", "development", "token"].contains(&key.first())) {
            return Some(format!("they are for the tokens of {key}"));
        }
        let others = Self::with(config);
        if let Some(claim) = others.claims.difference(&self.claims).next() {
            return Some(format!("tokens are not yet read for the claim `{claim}`"));
        }
        let role = others.roles.difference(&self.roles).next();
        role.map(|role| format!("not every issuer may give the role `{role}`, which now lets its bearers name any org"))
    }
}

/// Whether a key is about hubs or authorizers.
pub(super) fn is_of_hubs(key: &Changed) -> bool {
    match key.first() {
        "hub" | "authorizer" => true,
        "limits" => CONNECTION_KEYS.contains(&key.key.as_str()),
        _ => false,
    }
}

/// Whether a key is about presence, on which nodes agree when they start.
pub(super) fn is_of_presence(key: &Changed) -> bool {
    key.first() == "hub" && (key.section.get(2).is_some_and(|name| name == "presence") || key.key == "presence")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Source;

    const NODE: &str = "[node]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\ndata = \"x\"\n[broker]\nurl = \"embedded:log\"\n[routes]\npath = \".\"\n[development]\nsigning_key = \"key\"\n";

    fn config(hub: &str) -> Config {
        let text = format!("{NODE}[hub.\"/h\"]\n{hub}");
        let source = Source { path: "fanfare.toml".into(), text };
        Config::parse(&source).unwrap_or_else(|faults| panic!("{}", faults[0]))
    }

    fn key(section: &[&str], key: &str) -> Changed {
        Changed { section: section.iter().map(|part| (*part).to_owned()).collect(), key: key.to_owned() }
    }

    #[test]
    fn hubs_that_need_no_more_of_tokens_need_no_start() {
        let began = Began::with(&config("join = [\"team:{claim.team}\"]\n"));
        let reason = |hub: &str| began.need_start(&config(hub), &BTreeSet::new());
        assert_eq!(reason("join = [\"user:{user}\", \"team:{claim.team}\"]\nrequire_roles = [\"admin\"]\n"), None);
        assert_eq!(reason(""), None, "less is no matter");
        let claim = reason("join = [\"shop:{claim.shop}\"]\n").expect("a reason");
        assert!(claim.contains("`shop`"), "{claim}");
        let role = reason("any_org_roles = [\"support\"]\n").expect("a reason");
        assert!(role.contains("`support`"), "{role}");
    }

    #[test]
    fn presence_and_issuers_need_one() {
        let began = Began::with(&config(""));
        for late in [
            key(&["hub", "/h", "presence", "list:{list}"], "heartbeat"),
            key(&["issuer", "https://a"], "realm"),
            key(&["development"], "signing_key"),
        ] {
            let reason = began.need_start(&config(""), &BTreeSet::from([late.clone()])).expect("a reason");
            assert!(reason.contains(&late.to_string()), "{reason}");
        }
        assert_eq!(began.need_start(&config(""), &BTreeSet::from([key(&["node"], "data")])), None);
    }

    #[test]
    fn keys_of_different_hubs_differ() {
        for (of, yes) in [
            (key(&["hub", "/h"], "join"), true),
            (key(&["hub", "/h", "method", "Join"], "allow"), true),
            (key(&["authorizer", "a"], "url"), true),
            (key(&["limits"], "keepalive_seconds"), true),
            (key(&["limits"], "outbox_bytes"), false),
            (key(&["node"], "data"), false),
        ] {
            assert_eq!(is_of_hubs(&of), yes, "{of}");
        }
    }
}
