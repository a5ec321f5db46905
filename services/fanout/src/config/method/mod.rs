//! `[hub."/path".method.Name]`: a method that the clients of a hub may call.

mod allow;
mod arguments;
pub(super) mod publish;
mod rate;

use std::sync::Arc;

use toml::de::DeValue;

use super::authorizer::AuthorizerConfig;
use super::hub::CALL_RATE;
use crate::document::section::Section;
use crate::document::{Located, Spot, suggest};
use crate::method::declared::{
    Action, Authorization, Deed, GroupRule, Names, Question, Refused, Template, UnknownName,
};
use crate::method::{Builtin, Declared};
use crate::vocabulary::name::GroupTemplate;

pub(super) use rate::{check_addresses, rates};

/// The longest name of a method or an argument, in bytes.
const MAX_NAME: usize = 128;

/// The most groups that a method names.
const MAX_TEMPLATES: usize = 16;

/// The most characters of an error text.
const MAX_WORDS: usize = 1024;

pub(super) const KEYS: &[&str] =
    &["arguments", "join", "leave", "touch", "publish", "allow", "grant", "authorizer", "org", "refusal", "rate"];

/// What others call some of them.
const WORDS: [(&str, &str); 9] = [
    ("args", "arguments"),
    ("parameters", "arguments"),
    ("groups", "join"),
    ("heartbeat", "touch"),
    ("error", "refusal"),
    ("roles", "allow = { roles = [\"admin\"] }"),
    ("claim", "allow = { claim = { plan = \"pro\" } }"),
    ("limit", CALL_RATE),
    ("throttle", CALL_RATE),
];

/// What a method may do with groups; one of these at most.
const DEEDS: [(&str, Deed); 3] = [("join", Deed::Join), ("leave", Deed::Leave), ("touch", Deed::Touch)];

/// The keys of which a method that joins or publishes needs at least one.
const AUTHORIZATIONS: [&str; 3] = ["allow", "grant", "authorizer"];

/// Reads all methods of a hub.
pub(super) fn read(
    hub: &Section<'_>,
    path: &str,
    public: bool,
    authorizers: &[AuthorizerConfig],
) -> Vec<Arc<Declared>> {
    let Some(methods) = hub.section("method") else { return Vec::new() };
    let mut read: Vec<Arc<Declared>> = Vec::new();
    let mut leaves = Vec::new();
    for (name, node) in methods.entries() {
        check_name(&methods, name, &read);
        let Some(section) = methods.nested(node, &format!("the method `{}`", name.value)) else {
            let help = Some("write [hub.\"/path\".method.Name]".to_owned());
            methods.fault(name.value, format!("`{}` is not a method", name.value), help);
            continue;
        };
        let section = section.allow_or_translate(KEYS, &WORDS);
        let Some(method) = one(&section, path, name.value, public, authorizers) else { continue };
        if public {
            check_public(&section, &method);
        }
        if method.action.deed() == Some(Deed::Leave) {
            let at = section.value("leave").map_or(section.at(), |node| node.span().start);
            leaves.extend(method.action.groups().iter().map(|group| (group.template().clone(), at)));
        }
        read.push(Arc::new(method));
    }
    if is_whole(hub, &read) {
        check_leaves(hub, &read, &leaves);
    }
    read
}

/// Whether each method that the hub declares is among these: what one that is faulty would have joined is not known, and
/// no fault of others.
pub(super) fn is_whole(hub: &Section<'_>, methods: &[Arc<Declared>]) -> bool {
    let declared = hub.value("method").and_then(|node| node.get_ref().as_table());
    declared.is_none_or(|declared| declared.len() == methods.len())
}

fn check_name(methods: &Section<'_>, name: Located<&str>, known: &[Arc<Declared>]) {
    let document = methods.document();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.value.is_empty() || name.value.len() > MAX_NAME || !name.value.chars().all(plain) {
        let help = format!("1 to {MAX_NAME} letters, digits and - _ .");
        document.fault(name.at, format!("{:?} is not the name of a method", name.value), Some(help));
    }
    if Builtin::find(name.value).is_some() {
        document.fault(name.at, format!("every hub has a method `{}` of its own", name.value), None);
    }
    if known.iter().any(|other| other.name.eq_ignore_ascii_case(name.value)) {
        let help = "clients' names are matched without regard to case".to_owned();
        document.fault(name.at, format!("`{}` is declared twice", name.value), Some(help));
    }
}

fn one(
    section: &Section<'_>,
    path: &str,
    name: &str,
    public: bool,
    authorizers: &[AuthorizerConfig],
) -> Option<Declared> {
    let parameters = arguments::read(section)?;
    let names = Names::new(&parameters);
    let authorization = Authorization {
        allow: section.value("allow").and_then(|node| allow::read(section, node, names)),
        grant: grant(section),
        authorizer: question(section, names, authorizers),
    };
    let later = if section.value("authorizer").is_some() { names.with_answers() } else { names };
    let action = action(section, later)?;
    let open = AUTHORIZATIONS.iter().all(|key| section.value(key).is_none());
    if open && (action.deed() == Some(Deed::Join) || action.publish.is_some()) {
        let message = format!("{} does not say who may call it", section.title());
        let help =
            "for instance allow = { roles = [\"admin\"] }, or allow = true for whoever is connected; it needs one of";
        let help = format!("{help} {}", AUTHORIZATIONS.join(", "));
        section.document().fault(section.at(), message, Some(help));
    }
    let org = section.string("org").and_then(|text| template(section, text, later));
    if org.is_some() && action.deed() != Some(Deed::Join) {
        section.fault("org", "only a method that joins groups says whose they are", None);
    }
    let rates = rates(section, &format!("{path} {name}"), public);
    let refused = refused(section, &action);
    let method =
        Declared { name: name.into(), parameters: parameters.clone(), authorization, action, org, refused, rates };
    if method.asks_about_what_it_is_told() {
        let help = "name what the group is made of instead of {group}".to_owned();
        let message = "the authorizer is asked about a group that is made of its answer";
        section.fault("authorizer", message, Some(help));
    }
    Some(method)
}

/// What the method does; one of the keys must be there.
fn action(section: &Section<'_>, names: Names<'_>) -> Option<Action> {
    let given: Vec<(&str, Deed)> = DEEDS.into_iter().filter(|(key, _)| section.value(key).is_some()).collect();
    let publishes = section.value("publish").is_some();
    if let [(first, _), (second, _), ..] = given[..] {
        section.fault(second, format!("{first} and {second} exclude each other"), None);
        return None;
    }
    if given.is_empty() && !publishes {
        let message = format!("{} does nothing", section.title());
        let help = "it needs one of join, leave, touch, publish".to_owned();
        section.document().fault(section.at(), message, Some(help));
        return None;
    }
    let publish = if publishes { Some(publish::read(section, names)?) } else { None };
    let does = match given.first() {
        Some((key, deed)) => Some((*deed, groups(section, key, names)?)),
        None => None,
    };
    Some(Action { does, publish })
}

/// Reads a group or a list of groups.
fn groups(section: &Section<'_>, key: &str, names: Names<'_>) -> Option<Box<[GroupRule]>> {
    let node = section.value(key)?;
    let texts = match node.get_ref() {
        DeValue::Array(_) => section.strings(key)?,
        _ => vec![section.string(key)?],
    };
    if texts.is_empty() || texts.len() > MAX_TEMPLATES {
        section.fault(key, format!("`{key}` names 1 to {MAX_TEMPLATES} groups"), None);
    }
    let group = |text: Located<&str>| {
        GroupRule::parse(text.value, names)
            .map_err(|error| section.document().fault(text.at, error.to_string(), error.help()))
            .ok()
    };
    let read: Vec<_> = texts.into_iter().map(group).collect();
    read.into_iter().collect()
}

/// Reads `refusal = "Access denied"`, or `false`.
fn refused(section: &Section<'_>, action: &Action) -> Refused {
    const KEY: &str = "refusal";
    let Some(node) = section.value(KEY) else { return Refused::Told };
    let quiet = matches!(action.deed(), Some(Deed::Leave | Deed::Touch)) && action.publish.is_none();
    match node.get_ref().as_bool() {
        Some(false) if quiet => Refused::Silently,
        Some(_) => {
            let help = "own words, such as \"Access denied\"; only a method that leaves or touches, and does not publish, \
                        can refuse silently: refusal = false";
            section.fault(KEY, "a call of this method must be told that it was refused", Some(help.to_owned()));
            Refused::Told
        }
        None => words(section, KEY).map_or(Refused::Told, Refused::Words),
    }
}

/// An error text of the configuration, which must not be blank.
pub(super) fn words(section: &Section<'_>, key: &str) -> Option<Box<str>> {
    let text = section.string(key)?;
    if text.value.trim().is_empty() || text.value.chars().nth(MAX_WORDS).is_some() {
        let help = format!("1 to {MAX_WORDS} characters");
        section.document().fault(text.at, format!("`{key}` says nothing that can be told"), Some(help));
        return None;
    }
    Some(text.value.into())
}

/// Reads `grant = true`.
fn grant(section: &Section<'_>) -> Option<Spot> {
    if !section.boolean("grant")? {
        section.fault("grant", "`grant` can only be true", Some("leave the key out".to_owned()));
    }
    if section.value("join").is_none() {
        section.fault("grant", "only a method that joins a group can ask for a grant", None);
    }
    Some(section.document().spot(section.place("grant")))
}

/// The question for the authorizer.
fn question(section: &Section<'_>, names: Names<'_>, authorizers: &[AuthorizerConfig]) -> Option<Question> {
    let name = section.string("authorizer")?;
    let Some(authorizer) = authorizers.iter().find(|known| *known.form.authorizer == *name.value) else {
        // One that is declared has a fault of its own.
        let declared = section.document().root().value("authorizer").and_then(|node| node.get_ref().as_table());
        if declared.is_some_and(|declared| declared.contains_key(name.value)) {
            return None;
        }
        let help = suggest::help(name.value, authorizers.iter().map(|known| &*known.form.authorizer));
        section.document().fault(name.at, format!("there is no authorizer `{}`", name.value), help);
        return None;
    };
    let has_group = ["join", "touch"].iter().any(|key| section.value(key).is_some());
    Question::new(&authorizer.form, names, has_group)
        .map_err(|error| {
            let message = format!("`{}` asks for {}: {error}", name.value, authorizer.form.path);
            section.document().fault(name.at, message, error.help());
        })
        .ok()
}

fn template(section: &Section<'_>, text: Located<&str>, names: Names<'_>) -> Option<Template> {
    Template::parse(text.value, names)
        .map_err(|error: UnknownName| section.document().fault(text.at, error.to_string(), error.help()))
        .ok()
}

/// Without tokens there are neither claims nor roles.
fn check_public(section: &Section<'_>, method: &Declared) {
    if method.authorization.grant.is_some() || method.uses_claims() {
        let message = format!("{} asks for claims, and a public hub has no tokens", section.title());
        section.document().fault(section.at(), message, None);
    }
}

/// What a method leaves must be joined by another.
fn check_leaves(hub: &Section<'_>, methods: &[Arc<Declared>], leaves: &[(GroupTemplate, usize)]) {
    for (template, at) in leaves {
        let joined = || methods.iter().flat_map(|method| method.joins());
        if !joined().any(|known| known.same_family(template)) {
            let help = suggest::help(template.as_str(), joined().map(GroupTemplate::as_str));
            let message = format!("no method of this hub joins `{template}`");
            hub.document().fault(*at, message, help);
        }
    }
}
