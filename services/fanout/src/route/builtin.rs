//! The notifications whose shape is fixed: `toast`, `logout` and `featureFlag`; and `send`, whose shape is free.

use fanfare_event::Kind;
use fanfare_signalr::Value as Wire;
use toml::de::DeValue;

use super::argument;
use super::expression::{Entry, Expression};
use super::field::{FieldPath, article};
use super::link;
use super::scope::{Phase, Scope};
use super::source::Source;
use crate::document::section::{Node, Section};
use crate::document::{Located, suggest};

/// What a toast may be.
const SEVERITIES: [&str; 4] = ["info", "success", "warning", "error"];

/// The longest name of a target, in bytes.
const MAX_TARGET: usize = 128;

/// The most arguments of a notification.
const MAX_ARGUMENTS: usize = 32;

/// What a notification looks like.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) target: Box<str>,
    pub(super) arguments: Box<[Expression]>,
}

impl Shape {
    /// Of a route that sends nothing.
    pub(super) fn silent() -> Self {
        Self { target: "".into(), arguments: Box::default() }
    }
}

/// A shape of one object: id and cursor, the entries, and the time of the event.
fn object(target: &str, entries: impl IntoIterator<Item = Entry>) -> Shape {
    let mut object = vec![
        Entry::new("id", Expression::Value(Source::Notification)),
        Entry::new("cursor", Expression::Value(Source::Cursor)),
    ];
    object.extend(entries);
    object.push(Entry::new("at", Expression::Value(Source::Time)));
    Shape { target: target.into(), arguments: [Expression::Object(object.into())].into() }
}

/// Reads `toast = { severity, title, message, link }`.
pub(super) fn toast(scope: &Scope<'_>, section: &Section<'_>) -> Option<Shape> {
    let section = section.clone().allow(&["severity", "title", "message", "link"]);
    let severity = severity(scope, &section);
    let title = words(scope, &section, "title");
    let message = words(scope, &section, "message");
    let mut entries =
        vec![Entry::new("severity", severity?), Entry::new("title", title?), Entry::new("message", message?)];
    if let Some(text) = section.string("link") {
        let template = scope.text(text, Phase::Routing)?;
        if template.literal().is_some_and(|literal| !link::is_safe(literal)) {
            let help = "https or relative, for instance /exports/{job_id}";
            scope.document.fault(text.at, "a page must not follow this link", Some(help.to_owned()));
        }
        entries.push(Entry::optional("link", Expression::Link(template)));
    }
    Some(object("toast", entries))
}

/// Reads the `reason` of `logout`.
pub(super) fn logout(scope: &Scope<'_>, section: &Section<'_>) -> Option<Shape> {
    Some(object("logout", [Entry::new("reason", words(scope, section, "reason")?)]))
}

/// Reads `featureFlag = { flag, enabled, removed }`.
pub(super) fn feature_flag(scope: &Scope<'_>, section: &Section<'_>) -> Option<Shape> {
    let section = section.clone().allow(&["flag", "enabled", "removed"]);
    let flag = words(scope, &section, "flag");
    let enabled = match section.value("enabled") {
        Some(node) => boolean(scope, "enabled", node),
        None => {
            section.required("enabled");
            None
        }
    };
    let removed = section.value("removed").map(|node| boolean(scope, "removed", node));
    let mut entries = vec![Entry::new("flag", flag?), Entry::new("enabled", enabled?)];
    if let Some(removed) = removed {
        entries.push(Entry::new("removed", removed?));
    }
    Some(object("featureFlag", entries))
}

/// What `send` does unless it is said: the event's name as target, and one object with what the event says, without
/// whom it is for.
pub(super) fn send_event(scope: &Scope<'_>) -> Shape {
    let entries = event_entries(scope, |field| !super::verify::is_address(field));
    let said = |key: &str| entries.iter().any(|entry| *entry.key == *key);
    let own = [("id", Source::Notification), ("cursor", Source::Cursor), ("at", Source::Time)];
    // A field of the event's own that is called so is what the page wants.
    let own: Vec<_> = own.into_iter().filter(|(key, _)| !said(key)).collect();
    let own = own.into_iter().map(|(key, source)| Entry::new(key, Expression::Value(source)));
    let object: Vec<_> = own.chain(entries).collect();
    Shape { target: event_name(scope), arguments: [Expression::Object(object.into())].into() }
}

/// The fields of the event that all versions of the route have.
pub(super) fn event_entries(scope: &Scope<'_>, wanted: impl Fn(&fanfare_event::Field) -> bool) -> Vec<Entry> {
    let fields = scope.schema.fields.iter().filter(|field| wanted(field));
    let everywhere = |name: &str| scope.versions.iter().all(|version| version.index_of(name).is_some());
    let entry = |field: &fanfare_event::Field| {
        let path = FieldPath::find(scope.schema, &field.name).ok()?;
        Some(Entry::new(&field.name, Expression::Value(Source::Field(path))))
    };
    fields.filter(|field| everywhere(&field.name)).filter_map(entry).collect()
}

fn event_name(scope: &Scope<'_>) -> Box<str> {
    scope.schema.event_type.event().into()
}

/// Reads `send = { target, arguments }`, both of which have defaults.
pub(super) fn send(scope: &Scope<'_>, section: &Section<'_>) -> Option<Shape> {
    let section = section.clone().allow(&["target", "arguments"]);
    let usual = send_event(scope);
    let target: Option<Box<str>> = match section.value("target") {
        None => Some(usual.target),
        Some(_) => section.required("target").and_then(|target| match target.value {
            "{$event.name}" => Some(event_name(scope)),
            text => check_target(scope, target).then(|| text.into()),
        }),
    };
    let Some(list) = section.list("arguments") else {
        return if section.value("arguments").is_none() {
            Some(Shape { target: target?, arguments: usual.arguments })
        } else {
            None
        };
    };
    if list.len() > MAX_ARGUMENTS {
        section.fault("arguments", format!("more than {MAX_ARGUMENTS} arguments"), None);
        return None;
    }
    let arguments: Vec<_> = list.iter().map(|node| argument::compile(scope, node)).collect();
    let arguments = arguments.into_iter().collect::<Option<_>>()?;
    Some(Shape { target: target?, arguments })
}

fn check_target(scope: &Scope<'_>, target: Located<&str>) -> bool {
    let text = target.value;
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    let sound = text.starts_with(|c: char| c.is_alphabetic() || c == '_') && text.chars().all(plain);
    if !sound || text.len() > MAX_TARGET {
        let help = "the name that the client gave to `connection.on`, for instance ticketChanged";
        scope.document.fault(target.at, format!("{text:?} is not the name of a target"), Some(help.to_owned()));
        return false;
    }
    true
}

/// A text that must be there.
fn words(scope: &Scope<'_>, section: &Section<'_>, key: &str) -> Option<Expression> {
    let template = section.required(key)?;
    let text = scope.text(template, Phase::Routing)?;
    if let Some(source) = text.sources().find(|source| !super::wire::is_readable(&source.kind())) {
        let message = format!("`{key}` is text, and this is {}", article(&source.kind()));
        scope.document.fault(template.at, message, None);
        return None;
    }
    Some(Expression::Text(text))
}

fn boolean(scope: &Scope<'_>, key: &str, node: Node<'_>) -> Option<Expression> {
    let at = node.span().start;
    let found = match node.get_ref() {
        DeValue::Boolean(value) => return Some(Expression::Constant(Wire::Bool(*value))),
        DeValue::String(text) => {
            let template = scope.text(Located { value: text, at }, Phase::Routing)?;
            match template.single() {
                Some(source) if source.kind() == Kind::Boolean && !source.nullable() => {
                    return Some(Expression::Value(source.clone()));
                }
                Some(source) if source.kind() == Kind::Boolean => "a boolean that may be null".to_owned(),
                Some(source) => article(&source.kind()),
                None => "text".to_owned(),
            }
        }
        other => crate::document::type_name(other).to_owned(),
    };
    let message = format!("`{key}` must be a boolean, and this is {found}");
    scope.document.fault(at, message, Some("true, false or one boolean field".to_owned()));
    None
}

fn severity(scope: &Scope<'_>, section: &Section<'_>) -> Option<Expression> {
    let template = section.required("severity")?;
    let text = scope.text(template, Phase::Routing)?;
    if let Some(literal) = text.literal() {
        if SEVERITIES.contains(&literal) {
            return Some(Expression::Text(text));
        }
        let message = format!("there is no severity {literal:?}");
        scope.document.fault(template.at, message, suggest::help(literal, SEVERITIES));
        return None;
    }
    let message = match text.single().map(Source::kind) {
        Some(Kind::Enum(symbols)) => match symbols.iter().find(|symbol| !SEVERITIES.contains(&&***symbol)) {
            None => return Some(Expression::Text(text)),
            Some(symbol) => format!("`severity` would sometimes be {:?}", &**symbol),
        },
        Some(kind) => format!("`severity` must be an enum, and this is {}", article(&kind)),
        None => "`severity` must be one field or one of the severities".to_owned(),
    };
    scope.document.fault(template.at, message, Some(format!("severities: {}", SEVERITIES.join(", "))));
    None
}
