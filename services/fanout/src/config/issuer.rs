//! `[[issuer]]`, `[token]` and `[development]`: whose tokens are trusted, and for what.

use std::path::PathBuf;
use std::time::Duration;

use fanfare_event::TypePattern;
use fanfare_token::{ClaimNames, IssuerConfig, Jwks, Keys, PublicJwk, VerifierOptions};

use super::document::Located;
use super::paths::Paths;
use super::section::Section;

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
}

impl Development {
    /// The issuer whose tokens the development key signs.
    pub fn issuer(&self, key: PublicJwk) -> IssuerConfig {
        IssuerConfig {
            issuer: DEVELOPMENT_ISSUER.to_owned(),
            audience: AUDIENCE.to_owned(),
            producer_audience: PRODUCER_AUDIENCE.to_owned(),
            keys: Keys::Static(vec![key]),
            realm: self.realm.clone(),
            claims: ClaimNames::default(),
            publish: None,
        }
    }
}

/// The trusted issuers.
pub(super) struct Issuers {
    pub(super) issuers: Vec<IssuerConfig>,
    /// The realms of those that issue tokens of users, faulty ones too.
    pub(super) user_realms: Vec<Option<String>>,
}

pub(super) const KEYS: &[&str] = &[
    "issuer",
    "users",
    "audience",
    "producer_audience",
    "jwks",
    "discovery",
    "jwks_file",
    "realm",
    "publish",
    "claims",
];

/// Reads every `[[issuer]]`.
pub(super) fn read(root: &Section<'_>, paths: &Paths) -> Issuers {
    let mut issuers: Vec<IssuerConfig> = Vec::new();
    let mut user_realms = Vec::new();
    for section in root.sections("issuer") {
        let section = section.allow(KEYS);
        if section.boolean("users") != Some(false) {
            user_realms.push(section.string("realm").map(|realm| realm.value.to_owned()));
        }
        let Some(issuer) = one(&section, paths) else { continue };
        if issuers.iter().any(|known| known.issuer == issuer.issuer) {
            section.fault("issuer", format!("the issuer {} is listed twice", issuer.issuer), None);
        }
        if issuer.issuer == DEVELOPMENT_ISSUER {
            section.fault("issuer", format!("`{DEVELOPMENT_ISSUER}` is the development key's"), None);
        }
        issuers.push(issuer);
    }
    Issuers { issuers, user_realms }
}

fn one(section: &Section<'_>, paths: &Paths) -> Option<IssuerConfig> {
    let issuer = section.required("issuer");
    let keys = keys(section, paths);
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
        Some(false) => format!("no-users-{}", uuid::Uuid::new_v4().simple()),
        _ => audience,
    };
    Some(IssuerConfig {
        audience,
        producer_audience,
        realm: text("realm").map(|text| text.value.to_owned()),
        publish: publish(section),
        claims: claims(section),
        issuer: issuer?.value.to_owned(),
        keys: keys?,
    })
}

fn not_blank(section: &Section<'_>, key: &str, text: Located<&str>) -> bool {
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

fn claims(section: &Section<'_>) -> ClaimNames {
    let mut names = ClaimNames::default();
    let Some(claims) = section.section("claims") else {
        return names;
    };
    let claims = claims.allow(&["user", "org", "roles", "session"]);
    for (key, name) in [
        ("user", &mut names.user),
        ("org", &mut names.org),
        ("roles", &mut names.roles),
        ("session", &mut names.session),
    ] {
        if let Some(text) = claims.string(key).filter(|text| not_blank(&claims, key, *text)) {
            text.value.clone_into(name);
        }
    }
    names
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
    Some(Development { signing_key: path, realm: issuers.user_realms.first().cloned().flatten() })
}
