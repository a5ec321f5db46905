//! `[hub."/path"]`: a SignalR endpoint, who may connect and which groups a connection joins.

use std::sync::Arc;

use fanfare_event::check_name;
use fanfare_token::{ClaimKind, OtherClaims};

use super::authorizer::AuthorizerConfig;
use super::hub_settings;
use super::hub_settings::ConnectionSettings;
use super::join::{self, JoinRule, Joiner};
use super::method;
use super::required_claim::{self, RequiredClaim};
use crate::document::Spot;
use crate::document::section::Section;
use crate::method::Declared;
use crate::method::declared::{CallRate, Per};
use crate::presence::{self, Described};
use crate::route::{HubDeclaration, Realms, Times};
use crate::vocabulary::name::{GroupName, GroupTemplate};

/// The role whose bearers may name any org, unless a hub says otherwise.
pub(super) const ANY_ORG: &str = "superadmin";

/// The join rules of a hub that lists none.
const DEFAULT_JOIN: [(&str, &[&str]); 6] = [
    ("user:{user}", &[]),
    ("session:{session}", &[]),
    ("org:{org}", &[]),
    ("org:{org}/role:{role}", &[]),
    ("admin", &["admin", "superadmin"]),
    ("superadmin", &["superadmin"]),
];

pub(super) const KEYS: &[&str] = &[
    "public",
    "join",
    "require_roles",
    "require_claims",
    "any_org_roles",
    "catch_up",
    "cookie",
    "after_expiry_minutes",
    "token_refresh",
    "method",
    "messagepack_times",
    "presence",
    "personal",
    "rate",
];

/// What others call some of them.
const WORDS: [(&str, &str); 5] = [
    ("groups", "join"),
    ("roles", "require_roles"),
    ("claims", "require_claims"),
    ("limit", CALL_RATE),
    ("throttle", CALL_RATE),
];

/// How a rate is written.
pub(super) const CALL_RATE: &str = "rate = { per = \"user\", calls = 100, seconds = 60 }";

/// The longest that a connection may outlive its token, in minutes: no token lives longer.
const MAX_AFTER_EXPIRY: u64 = 30 * 24 * 60;

/// A hub of the configuration.
#[derive(Debug, Clone)]
pub struct HubConfig {
    /// Its path, for instance `/hubs/notifications`.
    pub path: Arc<str>,
    /// Whether a connection needs no token.
    pub public: bool,
    /// The groups that a connection joins.
    pub join: Vec<JoinRule>,
    /// The groups that a connection is in without a call, once an event has granted them to its user.
    pub granted: Vec<(GroupTemplate, Spot)>,
    /// One of these roles is needed to connect, if any are listed.
    pub require_roles: Option<Vec<String>>,
    /// What a token must say to connect, all of it.
    pub require_claims: Vec<RequiredClaim>,
    /// Users with one of these roles may name any org.
    pub any_org_roles: Vec<String>,
    /// Whether a new connection waits until it has said where it stands or is quiet.
    pub catch_up: bool,
    /// The cookie in which a page's requests may carry the token.
    pub cookie: Option<Arc<str>>,
    /// By how many seconds a connection may outlive its token.
    pub after_expiry: u32,
    /// Whether an open connection may go on with another token.
    pub token_refresh: bool,
    /// The methods that its clients may call, in addition to the built-in ones.
    pub methods: Vec<Arc<Declared>>,
    /// The groups with presence.
    pub presence: Vec<Arc<presence::Declared>>,
    /// How often clients may call all of these together.
    pub rates: Box<[CallRate]>,
    /// How dates and times are sent in MessagePack.
    pub times: Times,
    /// Times and limits of its connections.
    pub settings: ConnectionSettings,
    /// The realms of its users.
    pub realms: Realms,
}

impl HubConfig {
    /// The groups that a bearer of these claims is in, each once.
    pub fn groups(&self, joiner: &Joiner<'_>) -> Vec<GroupName> {
        let mut groups = Vec::with_capacity(self.join.len());
        for rule in &self.join {
            rule.groups(joiner, &mut groups);
        }
        groups
    }

    /// Whether someone with these roles may connect.
    pub fn admits(&self, roles: &[String]) -> bool {
        self.require_roles.as_ref().is_none_or(|asked| asked.iter().any(|role| roles.contains(role)))
    }

    /// The first claim that the hub requires and a token does not have, or not with a value that is asked for.
    pub fn lacks(&self, claims: &OtherClaims) -> Option<&str> {
        self.require_claims.iter().find(|required| !required.is_met(claims)).map(|required| &*required.claim)
    }

    /// Whether someone with these roles may name an org that is not their own.
    pub fn may_name_org(&self, roles: &[String]) -> bool {
        self.any_org_roles.iter().any(|role| roles.contains(role))
    }

    /// Whether connections need what this claim says: who lacks it is in none of the groups made of it.
    pub fn needs(&self, claim: ClaimKind) -> bool {
        let asks_roles = claim == ClaimKind::Roles && self.require_roles.is_some();
        asks_roles || self.join.iter().any(|rule| rule.needs(claim))
    }

    /// Whether any of its rates is of an address.
    pub fn counts_addresses(&self) -> bool {
        let of_methods = self.methods.iter().flat_map(|method| method.rates.iter());
        of_methods.chain(self.rates.iter()).any(|rate| rate.per == Per::Address)
    }

    /// The names of other claims that its rules and methods use, besides user, org, roles and session: tokens are read
    /// for these only.
    pub fn claims(&self) -> impl Iterator<Item = &str> {
        let described = self.presence.iter().flat_map(|presence| &presence.describe);
        let of_methods = self.methods.iter().flat_map(|method| method.claims());
        let required = self.require_claims.iter().map(|required| &*required.claim);
        self.join
            .iter()
            .flat_map(JoinRule::claims)
            .chain(required)
            .chain(of_methods)
            .chain(described.flat_map(Described::claims))
    }

    /// What routes may refer to of this hub.
    pub fn declaration(&self) -> HubDeclaration {
        let mut groups: Vec<GroupTemplate> = self.join.iter().map(|rule| rule.template().clone()).collect();
        let granted = || self.granted.iter().map(|(template, _)| template);
        for template in granted().chain(self.methods.iter().flat_map(|method| method.joins())) {
            if !groups.iter().any(|known| known.same_family(template)) {
                groups.push(template.clone());
            }
        }
        HubDeclaration {
            path: self.path.to_string(),
            groups,
            granted: granted().cloned().collect(),
            times: self.times,
            realms: self.realms.clone(),
        }
    }
}

/// Reads all hubs of `[hub]`.
///
/// `settings` hold for hubs that say nothing else.
pub(super) fn read(
    root: &Section<'_>,
    authorizers: &[AuthorizerConfig],
    realms: &Realms,
    settings: ConnectionSettings,
) -> Vec<HubConfig> {
    let Some(hubs) = root.section("hub") else {
        let help = "for instance [hub.\"/hubs/notifications\"]";
        root.fault("hub", "no hub is declared", Some(help.to_owned()));
        return Vec::new();
    };
    let mut read = Vec::new();
    for (path, node) in hubs.entries() {
        let title = format!("[hub.\"{}\"]", path.value);
        let Some(section) = hubs.nested(node, &title) else {
            let help = Some("write [hub.\"/path\"]".to_owned());
            hubs.fault(path.value, format!("`{}` is not a hub", path.value), help);
            continue;
        };
        if let Err((message, help)) = check_path(path.value) {
            hubs.fault(path.value, message, Some(help.to_owned()));
        }
        read.push(HubConfig {
            settings: hub_settings::read(&section, settings),
            ..one(path.value, &section, authorizers, realms)
        });
    }
    read
}

fn one(path: &str, section: &Section<'_>, authorizers: &[AuthorizerConfig], realms: &Realms) -> HubConfig {
    let words = [&hub_settings::WORDS[..], &WORDS[..]].concat();
    let section = section.clone().allow_or_translate(&[KEYS, hub_settings::KEYS].concat(), &words);
    let public = section.boolean("public").unwrap_or(false);
    let require_roles = roles(&section, "require_roles");
    if public && require_roles.is_some() {
        section.fault("require_roles", "a public hub cannot require roles", None);
    }
    let minutes = section.integer("after_expiry_minutes", 0..=MAX_AFTER_EXPIRY, 0);
    let (join, granted) = join_rules(&section);
    if let Some((group, _)) = granted.first().filter(|_| public) {
        let message = format!("`{group}` is granted to users, and a public hub has none");
        section.fault("join", message, None);
    }
    let mut methods = method::read(&section, path, public, authorizers);
    for method in &mut methods {
        // Nobody else has it yet.
        if let Some(method) = Arc::get_mut(method) {
            method.own_as(join.iter().map(JoinRule::template));
        }
    }
    let times = times(&section);
    let presence = super::presence::read(&section, public, &join, &methods, times);
    HubConfig {
        path: Arc::from(path),
        public,
        join,
        presence,
        granted,
        require_roles,
        require_claims: required_claim::read(&section, public),
        any_org_roles: roles(&section, "any_org_roles").unwrap_or_else(|| vec![ANY_ORG.to_owned()]),
        catch_up: section.boolean("catch_up").unwrap_or(true),
        cookie: cookie(&section),
        after_expiry: u32::try_from(minutes * 60).unwrap_or_default(),
        token_refresh: section.boolean("token_refresh").unwrap_or(true),
        methods,
        rates: method::rates(&section, path, public),
        realms: realms.clone(),
        times,
        settings: hub_settings::DEFAULT,
    }
}

/// Reads `messagepack_times = "text"`.
fn times(section: &Section<'_>) -> Times {
    const KEY: &str = "messagepack_times";
    match section.string(KEY).map(|text| text.value) {
        None | Some("timestamp") => Times::Timestamps,
        Some("text") => Times::Text,
        Some(other) => {
            let help = Some("\"timestamp\" or \"text\"".to_owned());
            section.fault(KEY, format!("dates and times cannot be sent as {other:?}"), help);
            Times::default()
        }
    }
}

fn roles(section: &Section<'_>, key: &str) -> Option<Vec<String>> {
    let roles = section.strings(key)?;
    for role in &roles {
        if let Err(error) = check_name(role.value) {
            section.document().fault(role.at, format!("{:?} is no role: {error}", role.value), None);
        }
    }
    Some(roles.iter().map(|role| role.value.to_owned()).collect())
}

fn cookie(section: &Section<'_>) -> Option<Arc<str>> {
    let name = section.string("cookie")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.value.is_empty() || !name.value.chars().all(plain) {
        let help = "for instance \"__Host-session\"".to_owned();
        section.document().fault(name.at, format!("{:?} is not the name of a cookie", name.value), Some(help));
    }
    Some(name.value.into())
}

/// The rules by claims, and the groups that are joined once an event has granted them.
fn join_rules(section: &Section<'_>) -> (Vec<JoinRule>, Vec<(GroupTemplate, Spot)>) {
    if section.value("join").is_none() {
        return (default_join(), Vec::new());
    }
    let (mut rules, mut granted) = (Vec::new(), Vec::new());
    for node in section.list("join").into_iter().flatten() {
        match join::granted(section, node) {
            Some(template) => granted.extend(template),
            None => rules.extend(join::read(section, node)),
        }
    }
    (rules, granted)
}

/// The join rules of a hub that lists none: user, session, org, roles and the platform's admins.
pub fn default_join() -> Vec<JoinRule> {
    let rules = DEFAULT_JOIN.iter().filter_map(|(template, roles)| {
        let roles = (!roles.is_empty()).then(|| roles.iter().map(ToString::to_string).collect());
        JoinRule::new(GroupTemplate::parse(template).ok()?, roles).ok()
    });
    rules.collect()
}

/// Whether a text is the path of a URL that needs no encoding.
pub(super) fn is_path(path: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~".contains(c);
    path.starts_with('/') && path.chars().all(plain) && !path.contains("//")
}

fn check_path(path: &str) -> Result<(), (String, &'static str)> {
    const TAKEN: [&str; 3] = ["/", "/events", "/hubs"];
    if !is_path(path) {
        let message = format!("`{path}` is not a path");
        return Err((message, "it starts with `/` and has letters, digits and - _ . ~ in its segments"));
    }
    let reserved =
        TAKEN.contains(&path) || path.ends_with('/') || path.ends_with("/negotiate") || path.ends_with("/refresh");
    if reserved || path.split('/').any(|segment| segment == "." || segment == "..") {
        return Err((format!("a hub cannot live at `{path}`"), "for instance /hubs/notifications"));
    }
    Ok(())
}
