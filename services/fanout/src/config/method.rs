//! `[hub."/path".method.Name]`: a method that the clients of a hub may call.

use std::sync::Arc;

use super::authorizer::AuthorizerConfig;
use super::publish;
use crate::document::section::{Node, Section, text};
use crate::document::{Located, Spot, suggest};
use crate::method::declared::{
    Action, Allow, Authorization, Claim, GroupRule, Names, Parameter, ParameterKind, Question, Template, Text,
    UnknownName,
};
use crate::method::{Builtin, Declared};
use crate::vocabulary::name::GroupTemplate;

/// The most arguments of a method.
const MAX_PARAMETERS: usize = 32;

/// The longest name of a method or an argument, in bytes.
const MAX_NAME: usize = 128;

/// The most characters that a string argument may be allowed.
const MAX_STRING: u64 = 1 << 20;

pub(super) const KEYS: &[&str] = &["arguments", "join", "leave", "publish", "allow", "grant", "authorizer"];

/// The keys of which a method needs one.
const ACTIONS: [&str; 3] = ["join", "leave", "publish"];

/// The keys of which a method that does more than leave needs one.
const AUTHORIZATIONS: [&str; 3] = ["allow", "grant", "authorizer"];

/// Reads all methods of a hub.
pub(super) fn read(hub: &Section<'_>, public: bool, authorizers: &[AuthorizerConfig]) -> Vec<Arc<Declared>> {
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
        let section = section.allow(KEYS);
        let Some(method) = one(&section, name.value, authorizers) else { continue };
        if public {
            check_public(&section, &method);
        }
        if let (Action::Leave(group), Some(place)) = (&method.action, section.string("leave")) {
            leaves.push((group.template().clone(), place));
        }
        read.push(Arc::new(method));
    }
    check_leaves(hub, &read, &leaves);
    read
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

fn one(section: &Section<'_>, name: &str, authorizers: &[AuthorizerConfig]) -> Option<Declared> {
    let parameters = parameters(section)?;
    let names = Names(&parameters);
    let authorization = Authorization {
        allow: section.value("allow").and_then(|node| allow(section, node, names)),
        grant: grant(section),
        authorizer: question(section, names, authorizers),
    };
    let action = action(section, names)?;
    let open = AUTHORIZATIONS.iter().all(|key| section.value(key).is_none());
    if open && !matches!(action, Action::Leave(_)) {
        let message = format!("{} does not say who may call it", section.title());
        let help =
            "for instance allow = { roles = [\"admin\"] }, or allow = true for whoever is connected; it needs one of";
        let help = format!("{help} {}", AUTHORIZATIONS.join(", "));
        section.document().fault(section.at(), message, Some(help));
    }
    Some(Declared { name: name.into(), authorization, action, parameters })
}

/// What the method does; one of the keys must be there.
fn action(section: &Section<'_>, names: Names<'_>) -> Option<Action> {
    let given: Vec<&str> = ACTIONS.into_iter().filter(|key| section.value(key).is_some()).collect();
    match *given.as_slice() {
        ["join"] => Some(Action::Join(group(section, "join", names)?)),
        ["leave"] => Some(Action::Leave(group(section, "leave", names)?)),
        ["publish"] => Some(Action::Publish(publish::read(section, names)?)),
        [] => {
            let message = format!("{} does nothing", section.title());
            section.document().fault(section.at(), message, Some(format!("it needs one of {}", ACTIONS.join(", "))));
            None
        }
        [_, second, ..] => {
            section.fault(second, format!("{} exclude each other", given.join(" and ")), None);
            None
        }
        [_] => None,
    }
}

fn group(section: &Section<'_>, key: &str, names: Names<'_>) -> Option<GroupRule> {
    let text = section.string(key)?;
    match GroupRule::parse(text.value, names) {
        Ok(group) => Some(group),
        Err(error) => {
            section.document().fault(text.at, error.to_string(), error.help());
            None
        }
    }
}

/// The list of arguments; nothing if one is faulty, since all else refers to them.
fn parameters(section: &Section<'_>) -> Option<Box<[Parameter]>> {
    if section.value("arguments").is_none() {
        return Some(Box::default());
    }
    let list = section.list("arguments")?;
    if list.len() > MAX_PARAMETERS {
        section.fault("arguments", format!("a method has at most {MAX_PARAMETERS} arguments"), None);
    }
    let mut parameters: Vec<Parameter> = Vec::new();
    for node in list {
        let (name, kind) = parameter(section, node)?;
        let message = match name.value {
            name if Claim::find(name).is_some() => format!("`{name}` is the caller's own and no argument"),
            name if parameters.iter().any(|other| &*other.name == name) => format!("`{name}` is listed twice"),
            name => {
                parameters.push(Parameter { name: name.into(), kind });
                continue;
            }
        };
        section.document().fault(name.at, message, None);
        return None;
    }
    Some(parameters.into())
}

/// Reads `"id"` or `{ name = "id", type = "string", max = 64 }`.
fn parameter<'d>(section: &Section<'d>, node: Node<'d>) -> Option<(Located<&'d str>, ParameterKind)> {
    let document = section.document();
    let (name, kind) = match (text(node), section.nested(node, "an argument")) {
        (Some(name), _) => (name, ParameterKind::String(Text::default())),
        (None, Some(table)) => {
            let table = table.allow(&["name", "type", "max", "single_line", "required"]);
            let kind = kind(&table);
            (table.required("name")?, kind?)
        }
        (None, None) => {
            let help = "for instance \"id\" or { name = \"count\", type = \"integer\" }".to_owned();
            document.fault(node.span().start, "an argument is a name", Some(help));
            return None;
        }
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts_well = name.value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts_well || name.value.len() > MAX_NAME || !name.value.chars().all(plain) {
        let help = Some("letters, digits and _, not beginning with a digit".to_owned());
        document.fault(name.at, format!("{:?} is not the name of an argument", name.value), help);
        return None;
    }
    Some((name, kind))
}

fn kind(table: &Section<'_>) -> Option<ParameterKind> {
    let named = table.string("type");
    let name = named.map_or("string", |name| name.value);
    let Some(kind) = ParameterKind::find(name) else {
        let at = named.map_or(table.at(), |name| name.at);
        let help = suggest::help(name, ParameterKind::NAMES);
        table.document().fault(at, format!("no argument is a `{name}`"), help);
        return None;
    };
    match kind {
        ParameterKind::String(text) => {
            let max = table.integer("max", 1..=MAX_STRING, text.max as u64);
            Some(ParameterKind::String(Text {
                max: usize::try_from(max).unwrap_or(usize::MAX),
                single_line: table.boolean("single_line").unwrap_or(text.single_line),
                required: table.boolean("required").unwrap_or(text.required),
            }))
        }
        other => {
            for key in ["max", "single_line", "required"].into_iter().filter(|key| table.value(key).is_some()) {
                table.fault(key, format!("only a string has a `{key}`"), None);
            }
            Some(other)
        }
    }
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

/// What is asked of which authorizer.
fn question(section: &Section<'_>, names: Names<'_>, authorizers: &[AuthorizerConfig]) -> Option<Question> {
    let name = section.string("authorizer")?;
    let Some(authorizer) = authorizers.iter().find(|known| *known.name == *name.value) else {
        let help = suggest::help(name.value, authorizers.iter().map(|known| &*known.name));
        section.document().fault(name.at, format!("there is no authorizer `{}`", name.value), help);
        return None;
    };
    let AuthorizerConfig { name: called, origin, path, .. } = authorizer;
    let joins = section.value("join").is_some();
    Question::new(Arc::clone(called), origin, path, names, joins)
        .map_err(|error| {
            let message = format!("`{}` asks for {path}: {error}", name.value);
            section.document().fault(name.at, message, error.help());
        })
        .ok()
}

/// Reads `true` or `{ roles = ["admin"], org = "{orgId}" }`.
fn allow(section: &Section<'_>, node: Node<'_>, names: Names<'_>) -> Option<Allow> {
    match node.get_ref().as_bool() {
        Some(true) => return Some(Allow::default()),
        Some(false) => {
            section.fault("allow", "nobody could call it", Some("leave the method out".to_owned()));
            return None;
        }
        None => {}
    }
    let table = section.section("allow")?;
    let table = table.allow(&["roles", "user", "org", "session", "realm"]);
    if table.entries().is_empty() {
        let help = "for whoever is connected, write allow = true".to_owned();
        section.fault("allow", "`allow` says nothing", Some(help));
    }
    let roles: Option<Box<[String]>> =
        table.strings("roles").map(|roles| roles.iter().map(|role| role.value.to_owned()).collect());
    if matches!(&roles, Some(roles) if roles.is_empty()) {
        table.fault("roles", "no roles: nobody could call it", None);
    }
    let mut claims = Vec::new();
    for (name, claim) in Claim::ALL {
        let Some(text) = table.string(name) else { continue };
        if let Some(template) = template(&table, text, names) {
            claims.push((claim, template));
        }
    }
    Some(Allow { roles, claims: claims.into() })
}

fn template(section: &Section<'_>, text: Located<&str>, names: Names<'_>) -> Option<Template> {
    Template::parse(text.value, names)
        .map_err(|error: UnknownName| section.document().fault(text.at, error.to_string(), error.help()))
        .ok()
}

/// Without tokens there are neither claims nor roles.
fn check_public(section: &Section<'_>, method: &Declared) {
    let allow = method.authorization.allow.as_ref();
    let asks = allow.is_some_and(|allow| allow.roles.is_some() || !allow.claims.is_empty());
    if asks || method.authorization.grant.is_some() || method.uses_claims() {
        let message = format!("{} asks for claims, and a public hub has no tokens", section.title());
        section.document().fault(section.at(), message, None);
    }
}

/// What a method leaves must be joined by another.
fn check_leaves(hub: &Section<'_>, methods: &[Arc<Declared>], leaves: &[(GroupTemplate, Located<&str>)]) {
    for (template, text) in leaves {
        let joined = || methods.iter().filter_map(|method| method.joins());
        if !joined().any(|known| known.same_family(template)) {
            let help = suggest::help(text.value, joined().map(GroupTemplate::as_str));
            let message = format!("no method of this hub joins `{}`", text.value);
            hub.document().fault(text.at, message, help);
        }
    }
}
