//! `publish = { event = "analytics.DashboardUpdate", fields = { org = "{org}" } }` of a hub method.

use serde_json::{Number, Value as Json};
use toml::de::DeValue;

use crate::document::section::{Node, Section, entries, integer};
use crate::method::declared::{Field, Names, PublishRule, Shape};

/// Reads `publish`; whether the event fits its schema is checked once the schemas are loaded.
pub(super) fn read(section: &Section<'_>, names: Names<'_>) -> Option<PublishRule> {
    let section = section.section("publish")?.allow(&["event", "fields"]);
    let document = section.document();
    let event = section.required("event")?;
    let mut fields = Vec::new();
    let mut sound = true;
    if let Some(table) = section.section("fields") {
        for (name, node) in table.entries() {
            match shape(&section, node, names) {
                Some(shape) => {
                    let spot = document.spot(node.span().start);
                    fields.push(Field { name: name.value.into(), spot, shape });
                }
                None => sound = false,
            }
        }
    }
    let rule = PublishRule { event: event.value.into(), spot: document.spot(event.at), fields: fields.into() };
    sound.then_some(rule)
}

/// Texts are templates, everything else is used as it is written.
fn shape(section: &Section<'_>, node: Node<'_>, names: Names<'_>) -> Option<Shape> {
    let document = section.document();
    let at = node.span().start;
    match node.get_ref() {
        DeValue::String(text) => match Shape::template(text, names) {
            Ok(shape) => Some(shape),
            Err(error) => {
                document.fault(at, error.to_string(), error.help());
                None
            }
        },
        DeValue::Boolean(_) | DeValue::Integer(_) | DeValue::Float(_) | DeValue::Datetime(_) => {
            json(section, node).map(Shape::Constant)
        }
        DeValue::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| shape(section, item, names)).collect();
            Some(Shape::List(items.into_iter().collect::<Option<_>>()?))
        }
        DeValue::Table(table) => {
            let read = |(key, node): (crate::document::Located<&str>, _)| {
                Some((key.value.into(), shape(section, node, names)?))
            };
            let entries: Vec<_> = entries(table).into_iter().map(read).collect();
            Some(Shape::Object(entries.into_iter().collect::<Option<_>>()?))
        }
    }
}

/// A value as JSON.
pub(in crate::config) fn json(section: &Section<'_>, node: Node<'_>) -> Option<Json> {
    let (document, at) = (section.document(), node.span().start);
    match node.get_ref() {
        DeValue::String(text) => Some(Json::from(&**text)),
        DeValue::Boolean(value) => Some(Json::Bool(*value)),
        DeValue::Integer(_) => {
            let value = integer(node).map(Json::from);
            if value.is_none() {
                document.fault(at, "an integer of more than 64 bits", None);
            }
            value
        }
        DeValue::Float(float) => {
            let value = float.as_str().replace('_', "").parse().ok().and_then(Number::from_f64);
            if value.is_none() {
                document.fault(at, "JSON has no such number", None);
            }
            value.map(Json::Number)
        }
        DeValue::Datetime(time) => Some(Json::from(time.to_string())),
        DeValue::Array(items) => items.iter().map(|item| json(section, item)).collect(),
        DeValue::Table(table) => {
            let entry =
                |(key, node): (crate::document::Located<&str>, _)| Some((key.value.to_owned(), json(section, node)?));
            entries(table).into_iter().map(entry).collect::<Option<_>>().map(Json::Object)
        }
    }
}
