//! `arguments` of a method: the arguments that it takes, in order.

use super::{MAX_NAME, words};
use crate::document::section::{Node, Section, text};
use crate::document::{Located, suggest};
use crate::method::declared::{Claim, ListOf, Parameter, ParameterKind, Text, Words};

/// The most arguments of a method.
const MAX_PARAMETERS: usize = 32;

/// The most characters that a string argument may be allowed.
const MAX_STRING: u64 = 1 << 20;

/// The most items that a list may be allowed, and how many it has at most unless it says otherwise.
const MAX_ITEMS: u64 = 10_000;
const ITEMS: u64 = 100;

const KEYS: &[&str] = &["name", "type", "of", "max", "single_line", "required", "error"];

/// The list of arguments; nothing if one is faulty, since all else refers to them.
pub(super) fn read(section: &Section<'_>) -> Option<Box<[Parameter]>> {
    if section.value("arguments").is_none() {
        return Some(Box::default());
    }
    let list = section.list("arguments")?;
    if list.len() > MAX_PARAMETERS {
        section.fault("arguments", format!("a method has at most {MAX_PARAMETERS} arguments"), None);
    }
    let mut parameters: Vec<Parameter> = Vec::new();
    for node in list {
        let (name, kind, words) = parameter(section, node)?;
        let message = match name.value {
            name if Claim::find(name).is_some() => format!("`{name}` is the caller's own and no argument"),
            name if parameters.iter().any(|other| &*other.name == name) => format!("`{name}` is listed twice"),
            name => {
                parameters.push(Parameter { name: name.into(), kind, words });
                continue;
            }
        };
        section.document().fault(name.at, message, None);
        return None;
    }
    Some(parameters.into())
}

/// Reads `"id"` or `{ name = "id", type = "string", max = 64, error = "..." }`.
fn parameter<'d>(section: &Section<'d>, node: Node<'d>) -> Option<(Located<&'d str>, ParameterKind, Words)> {
    let document = section.document();
    let (name, kind, words) = match (text(node), section.nested(node, "an argument")) {
        (Some(name), _) => (name, ParameterKind::String(Text::default()), Words::default()),
        (None, Some(table)) => {
            let table = table.allow(KEYS);
            let words = own_words(&table);
            // An argument with an error text of its own for blank values must not be blank.
            let kind = kind(&table, words.blank.is_some());
            (table.required("name")?, kind?, words)
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
    Some((name, kind, words))
}

/// Reads `error = "..."` or `error = { null = "...", blank = "...", other = "..." }`.
fn own_words(table: &Section<'_>) -> Words {
    let Some(node) = table.value("error") else { return Words::default() };
    if node.get_ref().is_table() {
        let Some(table) = table.section("error").map(|table| table.allow(&["null", "blank", "other"])) else {
            return Words::default();
        };
        return Words { null: words(&table, "null"), blank: words(&table, "blank"), other: words(&table, "other") };
    }
    let all = words(table, "error");
    Words { null: all.clone(), blank: all.clone(), other: all }
}

fn kind(table: &Section<'_>, required: bool) -> Option<ParameterKind> {
    let named = table.string("type");
    let name = named.map_or("string", |name| name.value);
    let at = named.map_or(table.at(), |name| name.at);
    let kind = kind_of(table, name, at)?;
    let only = |keys: &[&str], of: &str| {
        for key in keys.iter().filter(|key| table.value(key).is_some()) {
            table.fault(key, format!("only {of} has a `{key}`"), None);
        }
    };
    match kind {
        ParameterKind::String(text) => {
            only(&["of"], "a list");
            let max = table.integer("max", 1..=MAX_STRING, text.max as u64);
            Some(ParameterKind::String(Text {
                max: usize::try_from(max).unwrap_or(usize::MAX),
                single_line: table.boolean("single_line").unwrap_or(text.single_line),
                required: table.boolean("required").unwrap_or(required),
            }))
        }
        ParameterKind::List(list) => {
            only(&["single_line"], "a string");
            let max = table.integer("max", 1..=MAX_ITEMS, ITEMS);
            let required = table.boolean("required").unwrap_or(required);
            let max = usize::try_from(max).unwrap_or(usize::MAX);
            Some(ParameterKind::List(Box::new(ListOf { max, required, ..*list })))
        }
        other => {
            only(&["max", "single_line", "required"], "a string");
            only(&["of"], "a list");
            Some(other)
        }
    }
}

/// The kind of a name; of a list its items are read, too.
fn kind_of(table: &Section<'_>, name: &str, at: usize) -> Option<ParameterKind> {
    if name == "list" {
        return items(table).map(|item| ParameterKind::List(Box::new(ListOf { item, max: 0, required: false })));
    }
    let kind = ParameterKind::find(name);
    if kind.is_none() {
        let help = suggest::help(name, ParameterKind::NAMES);
        table.document().fault(at, format!("no argument is a `{name}`"), help);
    }
    kind
}

/// Reads `of = "uuid"` or `of = { type = "string", max = 64 }`.
fn items(table: &Section<'_>) -> Option<ParameterKind> {
    let Some(node) = table.value("of") else {
        let help = "for instance of = \"uuid\", or of = { type = \"string\", max = 64 }".to_owned();
        table.document().fault(table.at(), "a list does not say what it is of", Some(help));
        return None;
    };
    let item = match text(node) {
        Some(name) => kind_of(table, name.value, name.at),
        None => kind(&table.section("of")?.allow(&["type", "max", "single_line", "required"]), false),
    };
    if matches!(item, Some(ParameterKind::List(_))) {
        table.fault("of", "a list holds no lists", None);
        return None;
    }
    item
}
