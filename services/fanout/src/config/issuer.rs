//! `[[issuer]]`, `[token]` and `[development]`: whose tokens are trusted, and for what.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fanfare_event::TypePattern;
use fanfare_token::{ClaimName, ClaimNames, IssuerConfig, Jwks, Keys, PublicJwk, VerifierOptions};

use super::hub::{ANY_ORG, HubConfig};
use super::paths::Paths;
use super::{ca_file, issuer_claims, issuer_scope};
use crate::document::Located;
use crate::document::section::Section;
use crate::route::Realms;

/// The audience of users' tokens, unless an issuer says otherwise.
pub const AUDIENCE: &str = "fanfare";
/// The audience of producers' tokens, unless an issuer says otherwise.
pub const PRODUCER_AUDIENCE: &str = "fanfare-publish";
/// The issuer of tokens made with the development signing key.
pub const DEVELOPMENT_ISSUER: &str = "fanfare-development";

/// `[development]`: a signing key of the node's own, for machines where nobody is attacked.
#[derive(Debug, Clone)]
pub struct Development {
    /// The key's file; it is created when it is missing.
    pub signing_key: PathBuf,
    /// The realm of its users: that of the first issuer of users, so that they are the same users.
    pub realm: Option<String>,
    /// The claims that hubs name.
    pub(super) claims: Vec<(Arc<str>, ClaimName)>,
}

impl Development {
    /// The issuer whose tokens the development key signs.
    pub fn issuer(&self, key: PublicJwk) -> IssuerConfig {
        let keys = Keys::Static(vec![key]);
        let (realm, other) = (self.realm.clone(), self.claims.clone());
        let claims = ClaimNames { other, ..ClaimNames::default() };
        IssuerConfig { realm, claims, ..IssuerConfig::new(DEVELOPMENT_ISSUER, AUDIENCE, PRODUCER_AUDIENCE, keys) }
    }

    /// Makes its tokens say what hubs name.
    pub(super) fn name_others(&mut self, hubs: &[HubConfig]) {
        let named: BTreeSet<&str> = hubs.iter().flat_map(HubConfig::claims).collect();
        self.claims = named.into_iter().filter_map(issuer_claims::by_its_name).collect();
    }
}

/// The trusted issuers.
pub(super) struct Issuers {
    pub(super) issuers: Vec<IssuerConfig>,
    /// The realms of those that issue tokens of users, faulty ones too.
    pub(super) user_realms: Vec<Option<String>>,
    /// The names of those.
    of_users: Vec<String>,
}

impl Issuers {
    /// Whether an issuer issues tokens of users.
    pub(super) fn has_users(&self, issuer: &str) -> bool {
        self.of_users.iter().any(|known| known == issuer)
    }

    /// The realms of users, the first issuer's first.
    pub(super) fn realms(&self) -> Realms {
        Realms::new(self.user_realms.iter().flatten().map(String::as_str))
    }

    /// Roles that let their bearers into any org must be written out where roles are listed at all.
    pub(super) fn guard_roles(&mut self, hubs: &[HubConfig]) {
        let mut guarded = vec![ANY_ORG.to_owned()];
        guarded.extend(hubs.iter().flat_map(|hub| hub.any_org_roles.iter().cloned()));
        for issuer in &mut self.issuers {
            issuer.roles = std::mem::take(&mut issuer.roles).except(guarded.clone());
        }
    }
}

pub(super) const KEYS: &[&str] = &[
    "issuer",
    "tenants",
    "users",
    "audience",
    "producer_audience",
    "jwks",
    "discovery",
    "jwks_file",
    "ca_file",
    "realm",
    "orgs",
    "roles",
    "publish",
    "claims",
    "issued_behind_seconds",
];

/// Reads every `[[issuer]]`.
pub(super) fn read(root: &Section<'_>, paths: &Paths) -> Issuers {
    let mut issuers: Vec<IssuerConfig> = Vec::new();
    let (mut user_realms, mut of_users) = (Vec::new(), Vec::new());
    let sections: Vec<_> = root.sections("issuer").into_iter().map(|section| section.allow(KEYS)).collect();
    issuer_scope::check_users(&sections);
    for section in &sections {
        if section.boolean("users") == Some(true) {
            user_realms.push(section.string("realm").map(|realm| realm.value.to_owned()));
            of_users.extend(section.string("issuer").map(|issuer| issuer.value.to_owned()));
        }
        let Some(issuer) = one(section, paths) else { continue };
        if issuers.iter().any(|known| known.issuer == issuer.issuer) {
            section.fault("issuer", format!("the issuer {} is listed twice", issuer.issuer), None);
        }
        if issuer.issuer == DEVELOPMENT_ISSUER {
            section.fault("issuer", format!("`{DEVELOPMENT_ISSUER}` is the development key's"), None);
        }
        issuers.push(issuer);
    }
    Issuers { issuers, user_realms, of_users }
}

fn one(section: &Section<'_>, paths: &Paths) -> Option<IssuerConfig> {
    let issuer = section.required("issuer");
    let keys = keys(section, paths);
    let ca = ca_file::read(section, paths);
    if ca.is_some() && section.value("jwks_file").is_some() {
        section.fault("ca_file", "`ca_file` is for keys that are fetched, and these are in a file", None);
    }
    let text = |key| section.string(key).filter(|text| not_blank(section, key, *text));
    let audience = text("audience").map_or(AUDIENCE, |text| text.value).to_owned();
    let producer_audience = text("producer_audience").map_or(PRODUCER_AUDIENCE, |text| text.value).to_owned();
    if audience == producer_audience {
        let message = "`audience` and `producer_audience` must differ";
        let help = "or a user's token could be taken for a producer's";
        section.fault("producer_audience", message, Some(help.to_owned()));
    }
    // An audience that nobody can guess: a service that only publishes can issue no token of a user.
    let audience = match section.boolean("users") {
        Some(true) => audience,
        _ => format!("no-users-{}", uuid::Uuid::new_v4().simple()),
    };
    let tenants = issuer_scope::tenants(section, issuer);
    let behind = section.integer("issued_behind_seconds", 0..=3600, 0);
    Some(IssuerConfig {
        tenants,
        ca,
        realm: text("realm").filter(|text| issuer_scope::is_name(section, *text)).map(|text| text.value.to_owned()),
        publish: publish(section),
        claims: issuer_claims::read(section),
        orgs: issuer_scope::names(section, "orgs"),
        roles: issuer_scope::names(section, "roles"),
        issued_behind: u32::try_from(behind).unwrap_or_default(),
        ..IssuerConfig::new(issuer?.value, &audience, &producer_audience, keys?)
    })
}

pub(super) fn not_blank(section: &Section<'_>, key: &str, text: Located<&str>) -> bool {
    if text.value.trim().is_empty() {
        section.document().fault(text.at, format!("`{key}` must not be blank"), None);
    }
    !text.value.trim().is_empty()
}

fn keys(section: &Section<'_>, paths: &Paths) -> Option<Keys> {
    let found = ["jwks", "discovery", "jwks_file"].map(|key| section.string(key));
    match found {
        [Some(url), None, None] => Some(Keys::Jwks(web_url(section, "jwks", url)?)),
        [None, Some(url), None] => Some(Keys::Discovery(web_url(section, "discovery", url)?)),
        [None, None, Some(file)] => key_file(section, file, paths),
        _ => {
            let help = "a URL of keys, of a discovery document, or a file of keys";
            let message = format!("{} needs one of `jwks`, `discovery` and `jwks_file`", section.title());
            section.document().fault(section.at(), message, Some(help.to_owned()));
            None
        }
    }
}

pub(super) fn web_url(section: &Section<'_>, key: &str, url: Located<&str>) -> Option<String> {
    let host = url.value.strip_prefix("https://").or_else(|| url.value.strip_prefix("http://"));
    if host.is_none_or(|host| host.is_empty() || host.starts_with('/')) {
        let message = format!("`{key}` is not an http or https URL: {:?}", url.value);
        section.document().fault(url.at, message, None);
        return None;
    }
    Some(url.value.to_owned())
}

fn key_file(section: &Section<'_>, file: Located<&str>, paths: &Paths) -> Option<Keys> {
    let path = paths.resolve(file.value);
    let read = std::fs::read_to_string(&path).map_err(|error| error.to_string());
    match read.and_then(|text| serde_json::from_str::<Jwks>(&text).map_err(|error| error.to_string())) {
        Ok(jwks) => Some(Keys::Static(jwks.keys)),
        Err(error) => {
            let message = format!("`jwks_file` is not a file of keys: {}: {error}", path.display());
            section.document().fault(file.at, message, None);
            None
        }
    }
}

fn publish(section: &Section<'_>) -> Option<Vec<TypePattern>> {
    let mut patterns = Vec::new();
    for text in section.strings("publish")? {
        match TypePattern::parse(text.value) {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => {
                let help = "for instance \"license.*\" or \"auth.RolesChanged\"";
                section.document().fault(text.at, error.to_string(), Some(help.to_owned()));
            }
        }
    }
    Some(patterns)
}

/// Reads `[token]`.
pub(super) fn read_token(root: &Section<'_>) -> VerifierOptions {
    let mut options = VerifierOptions::default();
    if let Some(section) = root.section("token") {
        let section = section.allow(&["leeway_seconds", "max_lifetime_hours"]);
        options.leeway = Duration::from_secs(section.integer("leeway_seconds", 0..=300, 30));
        let hours = section.integer("max_lifetime_hours", 1..=24 * 30, 24);
        options.max_token_lifetime = Duration::from_secs(hours * 3600);
    }
    options
}

/// Reads `[development]`.
pub(super) fn read_development(root: &Section<'_>, paths: &Paths, issuers: &Issuers) -> Option<Development> {
    let section = root.section("development")?.allow(&["signing_key"]);
    let path = paths.resolve(section.required("signing_key")?.value);
    if path.is_dir() {
        section.fault("signing_key", format!("{} is a folder", path.display()), None);
    }
    let realm = issuers.user_realms.first().cloned().flatten();
    Some(Development { signing_key: path, realm, claims: Vec::new() })
}
