//! `[hub."/path".presence."list:{listId}"]`: groups whose members are told who else is in the group.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use fanfare_signalr::Value;
use toml::de::DeValue;

use super::join::JoinRule;
use super::method;
use crate::document::section::{Node, Section, entries, integer};
use crate::document::{Located, suggest};
use crate::method::Declared as Method;
use crate::method::declared::Deed;
use crate::presence::{Declared, Described, MessageTemplate, Names, Shape, Source, UnknownName};
use crate::route::Times;
use crate::vocabulary::name::GroupTemplate;

pub(super) const KEYS: &[&str] = &[
    "heartbeat",
    "inactive_after_seconds",
    "linger_seconds",
    "batch_above",
    "page_members",
    "describe",
    "member",
    "joined",
    "left",
    "together",
    "snapshot",
];

/// What others call some of them.
const WORDS: [(&str, &str); 4] = [
    ("leave", "left"),
    ("claims", "describe"),
    ("page_size", "page_members"),
    ("timeout_seconds", "inactive_after_seconds"),
];

/// The notifications, by their keys.
const TOLD: [&str; 4] = ["joined", "left", "together", "snapshot"];

/// The most texts that describe a user.
const MOST_DESCRIBED: usize = 16;

/// Names that every shape uses already.
const TAKEN: [&str; 3] = ["user", "org", "realm"];

/// Reads the presence of a hub.
pub(super) fn read(
    hub: &Section<'_>,
    public: bool,
    join: &[JoinRule],
    methods: &[Arc<Method>],
    times: Times,
) -> Vec<Arc<Declared>> {
    let Some(groups) = hub.section("presence") else { return Vec::new() };
    if public {
        hub.fault("presence", "who is there are users, and a public hub has no tokens that say who they are", None);
        return Vec::new();
    }
    let mut read: Vec<Arc<Declared>> = Vec::new();
    if !method::is_whole(hub, methods) {
        return read;
    }
    for (name, node) in groups.entries() {
        let Some(template) = template(&groups, name, join, methods) else { continue };
        if read.iter().any(|known| known.template.same_family(&template)) {
            groups.fault(name.value, format!("presence on `{}` is declared twice", name.value), None);
            continue;
        }
        let Some(section) = groups.nested(node, &format!("presence on `{}`", name.value)) else {
            let help = Some("write [hub.\"/path\".presence.\"list:{listId}\"]".to_owned());
            groups.fault(name.value, "presence is a table", help);
            continue;
        };
        read.extend(one(&section.allow_or_translate(KEYS, &WORDS), template, methods, times).map(Arc::new));
    }
    read
}

/// The group's template, which something on this hub must join.
fn template(
    groups: &Section<'_>,
    name: Located<&str>,
    join: &[JoinRule],
    methods: &[Arc<Method>],
) -> Option<GroupTemplate> {
    let template = match GroupTemplate::parse(name.value) {
        Ok(template) => template,
        Err(error) => {
            groups.document().fault(name.at, format!("`{}` is no group: {error}", name.value), None);
            return None;
        }
    };
    let joined = || join.iter().map(JoinRule::template).chain(methods.iter().flat_map(|method| method.joins()));
    if !joined().any(|known| known.same_family(&template)) {
        let message = format!("nothing on this hub joins `{}`", name.value);
        groups.document().fault(name.at, message, suggest::help(name.value, joined().map(GroupTemplate::as_str)));
        return None;
    }
    Some(template)
}

fn one(section: &Section<'_>, template: GroupTemplate, methods: &[Arc<Method>], times: Times) -> Option<Declared> {
    let (heartbeat, inactive_after) = heartbeat(section, &template, methods);
    let linger = Duration::from_secs(section.integer("linger_seconds", 0..=300, 3));
    let batch_above = section.integer("batch_above", 1..=10_000, 100);
    let page_members = section.integer("page_members", 1..=10_000, 500);
    let describe = describe(section);
    let known = Known::of(&template, &describe);
    let member = match section.value("member") {
        Some(node) => shape(section, node, &Names(known.member())),
        None => default_member(&describe),
    };
    let one = Names([known.place(), known.member()].concat());
    let several = |sources: &[(&str, Source)]| {
        let sources = sources.iter().map(|(name, source)| ((*name).to_owned(), source.clone())).collect();
        Names([known.place(), sources].concat())
    };
    let together = several(&[("$joined", Source::Joined), ("$left", Source::Left)]);
    let all = several(&[("$members", Source::Members), ("$page", Source::Page), ("$pages", Source::Pages)]);
    let (joined, left) = (message_template(section, "joined", &one), message_template(section, "left", &one));
    let (together, snapshot) =
        (message_template(section, "together", &together), message_template(section, "snapshot", &all));
    if section.value("snapshot").is_none() {
        let help = "for instance snapshot = { target = \"present\", arguments = [{ members = \"{$members}\" }] }: \
                    a newcomer, and a tab that missed something, is told by it who is there";
        let message = format!("{} needs the key `snapshot`", section.title());
        section.document().fault(section.at(), message, Some(help.to_owned()));
    }
    Some(Declared {
        template,
        heartbeat,
        inactive_after,
        linger,
        batch_above: usize::try_from(batch_above).unwrap_or(usize::MAX),
        page_members: usize::try_from(page_members).unwrap_or(usize::MAX),
        describe,
        joined,
        left,
        together,
        snapshot: snapshot?,
        member: member?,
        times,
    })
}

/// The method that says that a user is there, and for how long it counts.
fn heartbeat(
    section: &Section<'_>,
    template: &GroupTemplate,
    methods: &[Arc<Method>],
) -> (Option<Arc<str>>, Option<Duration>) {
    let help = "from 5 to 86400".to_owned();
    let seconds = section.integer_or("inactive_after_seconds", 5..=86_400, help);
    let text = section.string("heartbeat");
    if section.value("inactive_after_seconds").is_some() && text.is_none() {
        let help = Some("heartbeat = the method by which clients say that they are there".to_owned());
        section.fault("inactive_after_seconds", "nothing tells who is active without a `heartbeat`", help);
    }
    let Some(text) = text else { return (None, seconds.map(Duration::from_secs)) };
    if section.value("inactive_after_seconds").is_none() {
        let help = Some("inactive_after_seconds = after how long without a heartbeat a user is gone".to_owned());
        section.fault("heartbeat", "a `heartbeat` needs `inactive_after_seconds`", help);
    }
    let of_group = |method: &&Arc<Method>| {
        let mut groups = method.action.groups().iter().filter(|_| method.action.deed() != Some(Deed::Leave));
        groups.any(|known| known.template().same_family(template))
    };
    let named = |method: &&Arc<Method>| method.name.eq_ignore_ascii_case(text.value);
    match methods.iter().find(named) {
        Some(method) if of_group(&method) => {}
        Some(_) => {
            let message = format!("the method `{}` is not about the group `{template}`", text.value);
            let known = methods.iter().filter(of_group).map(|method| &*method.name);
            section.document().fault(text.at, message, suggest::help(text.value, known));
        }
        None => {
            let help = suggest::help(text.value, methods.iter().map(|method| &*method.name));
            section.document().fault(text.at, format!("this hub has no method `{}`", text.value), help);
        }
    }
    (Some(text.value.into()), seconds.map(Duration::from_secs))
}

/// Reads what describes a user: names, and templates over claims.
fn describe(section: &Section<'_>) -> Box<[Described]> {
    if section.value("describe").is_none() {
        return Box::default();
    }
    let Some(table) = section.section("describe") else { return Box::default() };
    let mut described = Vec::new();
    for (name, node) in table.entries() {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.value.is_empty() || !name.value.chars().all(plain) || TAKEN.contains(&name.value) {
            let help = format!("letters, digits and `_`, and not {}", TAKEN.join(", "));
            table.document().fault(name.at, format!("a text cannot be called `{}`", name.value), Some(help));
        }
        let Some(text) = table.string(name.value) else { continue };
        match Described::parse(name.value, text.value) {
            Ok(text) => described.push(text),
            Err(error) => table.document().fault(node.span().start, error.to_string(), error.help()),
        }
    }
    if described.len() > MOST_DESCRIBED {
        section.fault("describe", format!("at most {MOST_DESCRIBED} texts describe a user"), None);
    }
    described.into()
}

/// The names that shapes may use.
struct Known<'a> {
    template: &'a GroupTemplate,
    describe: &'a [Described],
}

impl<'a> Known<'a> {
    fn of(template: &'a GroupTemplate, describe: &'a [Described]) -> Self {
        Self { template, describe }
    }

    /// Of the place and the moment.
    fn place(&self) -> Vec<(String, Source)> {
        let holes = self.template.holes().enumerate();
        // Names of a user come first: a hole of the same name has the same value, if it is the user's.
        let holes = holes.filter(|(_, name)| !TAKEN.contains(name));
        let mut names: Vec<(String, Source)> =
            holes.map(|(index, name)| (name.to_owned(), Source::Group(index))).collect();
        names.extend([
            ("org".to_owned(), Source::Org),
            ("$time".to_owned(), Source::Time),
            ("$count".to_owned(), Source::Count),
        ]);
        names
    }

    /// Of one user.
    fn member(&self) -> Vec<(String, Source)> {
        let mut names = vec![
            ("user".to_owned(), Source::User),
            ("realm".to_owned(), Source::Realm),
            ("$since".to_owned(), Source::Since),
        ];
        let about = self.describe.iter().map(|about| (about.name.to_string(), Source::About(Arc::clone(&about.name))));
        names.extend(about);
        names
    }
}

/// A member of a list, where nothing says what one looks like.
fn default_member(describe: &[Described]) -> Option<Shape> {
    let mut entries = vec![("user".into(), false, Shape::Value(Source::User))];
    let about = |about: &Described| {
        let value = Shape::Value(Source::About(Arc::clone(&about.name)));
        (Arc::clone(&about.name), true, value)
    };
    entries.extend(describe.iter().map(about));
    entries.push(("since".into(), false, Shape::Value(Source::Since)));
    Some(Shape::Object(entries.into()))
}

/// Reads `{ target = "UserJoined", arguments = [...] }`.
fn message_template(section: &Section<'_>, key: &str, names: &Names) -> Option<MessageTemplate> {
    debug_assert!(TOLD.contains(&key));
    section.value(key)?;
    let table = section.section(key)?.allow(&["target", "arguments"]);
    let target = table.required("target")?;
    if target.value.is_empty() {
        table.document().fault(target.at, "a target has a name", None);
    }
    let arguments = match table.value("arguments") {
        Some(_) => table.list("arguments")?.iter().map(|node| shape(&table, node, names)).collect(),
        None => Some(Box::default()),
    };
    Some(MessageTemplate { target: target.value.into(), arguments: arguments? })
}

/// One argument: texts are templates, everything else is used as it is written.
fn shape(section: &Section<'_>, node: Node<'_>, names: &Names) -> Option<Shape> {
    let document = section.document();
    let at = node.span().start;
    match node.get_ref() {
        DeValue::String(text) => Shape::text(text, names)
            .map_err(|error: UnknownName| document.fault(at, error.to_string(), error.help()))
            .ok(),
        DeValue::Boolean(value) => Some(Shape::Constant(Value::Bool(*value))),
        DeValue::Integer(_) => match integer(node) {
            Some(value) => Some(Shape::Constant(Value::Int(value))),
            None => {
                document.fault(at, "an integer of more than 64 bits", None);
                None
            }
        },
        DeValue::Float(float) => match float.as_str().replace('_', "").parse::<f64>() {
            Ok(value) if value.is_finite() => Some(Shape::Constant(Value::Float(value))),
            _ => {
                document.fault(at, "JSON has no such number", None);
                None
            }
        },
        DeValue::Datetime(time) => Some(Shape::Constant(Value::String(Cow::Owned(time.to_string())))),
        DeValue::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| shape(section, item, names)).collect();
            Some(Shape::List(items.into_iter().collect::<Option<_>>()?))
        }
        DeValue::Table(table) => {
            let entries: Vec<_> = entries(table)
                .into_iter()
                .map(|(key, node)| {
                    let name = key.value.strip_suffix('?');
                    Some((name.unwrap_or(key.value).into(), name.is_some(), shape(section, node, names)?))
                })
                .collect();
            Some(Shape::Object(entries.into_iter().collect::<Option<_>>()?))
        }
    }
}
