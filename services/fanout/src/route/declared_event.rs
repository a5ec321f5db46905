//! Events that a route file declares: `[event."lists.ItemDeleted"]`, compiled to Avro.

use fanfare_event::{DeclaredSchema, Registry, RegistryError, TypeName};
use serde_json::{Map, Value as Json, json};
use toml::de::DeValue;

use super::RouteSource;
use crate::document::section::{Node, Section};
use crate::document::{Document, Fault, Located, Spot};

const KEYS: &[&str] = &["fields", "version", "key", "revision"];
const FIELD_KEYS: &[&str] = &["type", "enum", "default", "aliases"];

/// The types of fields, and their Avro types.
const TYPES: [&str; 12] =
    ["string", "uuid", "boolean", "int", "long", "float", "double", "bytes", "timestamp", "date", "time", "json"];

/// The type of fields that hold any JSON.
const FREE_FORM: &str = "json";

/// A version of an event, and where it is declared.
struct Declared {
    schema: DeclaredSchema,
    spot: Spot,
}

/// The registry with the events that route files declare.
///
/// # Errors
/// Each [`Fault`] of a declaration, in its file and line.
pub fn with_declared_events(registry: Registry, sources: &[RouteSource]) -> Result<Registry, Vec<Fault>> {
    let documents: Vec<_> = sources.iter().map(Document::parse).collect();
    // A file that is not TOML is reported when routes are compiled.
    let sound: Vec<_> = documents.into_iter().filter(|document| !document.is_faulty()).collect();
    let declared: Vec<Declared> = sound.iter().flat_map(events).collect();
    let faults: Vec<Fault> = sound.into_iter().flat_map(Document::into_faults).collect();
    if !faults.is_empty() {
        return Err(faults);
    }
    if declared.is_empty() {
        return Ok(registry);
    }
    let schemas = || declared.iter().map(|declared| declared.schema.clone());
    registry.with_declared(schemas()).map_err(|error| vec![blamed(&registry, &declared, error)])
}

/// The error at the place of the declaration that causes it.
fn blamed(registry: &Registry, declared: &[Declared], error: RegistryError) -> Fault {
    let fails =
        |count: &usize| registry.with_declared(declared.iter().take(*count).map(|one| one.schema.clone())).err();
    let first = (1..=declared.len()).find_map(|count| Some((count, fails(&count)?)));
    let (count, error) = first.unwrap_or((declared.len(), error));
    declared[count - 1].spot.fault(error.reason(), None)
}

/// All declarations of a file, in its order.
fn events(document: &Document<'_>) -> Vec<Declared> {
    let root = document.root();
    let Some(section) = root.section("event") else { return Vec::new() };
    let mut found = Vec::new();
    for (name, node) in section.entries() {
        let event_type = match TypeName::parse(name.value) {
            Ok(event_type) => event_type,
            Err(error) => {
                document.fault(name.at, error.to_string(), Some("write [event.\"service.Event\"]".to_owned()));
                continue;
            }
        };
        let title = format!("[event.\"{event_type}\"]");
        let versions: Vec<Node<'_>> = match node.get_ref() {
            DeValue::Array(versions) => versions.iter().collect(),
            _ => vec![node],
        };
        for (at, version) in versions.into_iter().enumerate() {
            let Some(section) = section.nested(version, &title) else {
                document.fault(name.at, format!("{title} must be a table, or a list of one for each version"), None);
                continue;
            };
            let version = u32::try_from(at + 1).unwrap_or(u32::MAX);
            found.extend(event(&section, &event_type, version, document.spot(name.at)));
        }
    }
    found
}

/// One version; those of a list count from 1.
fn event(section: &Section<'_>, event_type: &TypeName, counted: u32, spot: Spot) -> Option<Declared> {
    let section = section.clone().allow(KEYS);
    let version = section.integer("version", 1..=9_999, u64::from(counted));
    let Some(fields) = section.section("fields") else {
        let help = "for instance fields = { org = \"string\", listId = \"uuid\" }".to_owned();
        if section.value("fields").is_none() {
            section.document().fault(section.at(), format!("{} needs the key `fields`", section.title()), Some(help));
        }
        return None;
    };
    let read: Vec<_> =
        fields.entries().into_iter().map(|(name, node)| field(&fields, event_type, name, node)).collect();
    let read: Vec<Json> = read.into_iter().collect::<Option<_>>()?;
    let mut schema = Map::new();
    schema.insert("type".to_owned(), "record".into());
    schema.insert("name".to_owned(), event_type.event().into());
    // An Avro namespace has no hyphen.
    schema.insert("namespace".to_owned(), event_type.service().replace('-', "_").into());
    schema.insert("fields".to_owned(), read.into());
    for key in ["key", "revision"] {
        if let Some(named) = section.string(key) {
            schema.insert(format!("fanfare.{key}"), named.value.into());
        }
    }
    let (file, schema) = (section.document().path().to_owned(), Json::Object(schema).to_string());
    let version = u32::try_from(version).unwrap_or(counted);
    Some(Declared { schema: DeclaredSchema { file, event_type: event_type.clone(), version, schema }, spot })
}

/// `listId = "uuid"`, `note = "string?"`, `tags = ["string"]`, `level = { enum = ["low", "high"] }`.
fn field(fields: &Section<'_>, event: &TypeName, name: Located<&str>, node: Node<'_>) -> Option<Json> {
    let document = fields.document();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let begins = name.value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !begins || !name.value.chars().all(is_plain) {
        let help = "letters, digits and _, and no digit first".to_owned();
        document.fault(name.at, format!("{:?} is not the name of a field", name.value), Some(help));
        return None;
    }
    let mut field = Map::new();
    field.insert("name".to_owned(), name.value.into());
    let (avro, nullable) = match fields.nested(node, &format!("the field `{}`", name.value)) {
        None => avro(document, node)?,
        Some(section) => {
            let section = section.allow(FIELD_KEYS);
            if let Some(default) = section.value("default") {
                field.insert("default".to_owned(), constant(document, default)?);
            }
            if let Some(aliases) = section.strings("aliases") {
                field.insert("aliases".to_owned(), aliases.iter().map(|alias| alias.value).collect());
            }
            match section.strings("enum") {
                Some(symbols) => {
                    let symbols: Vec<&str> = symbols.iter().map(|symbol| symbol.value).collect();
                    let name = format!("{}_{}", event.event(), name.value);
                    (json!({ "type": "enum", "name": name, "symbols": symbols }), false)
                }
                None => {
                    let Some(node) = section.value("type") else {
                        section.required("type");
                        return None;
                    };
                    avro(document, node)?
                }
            }
        }
    };
    // Free JSON is text with an attribute of the field.
    let avro = if avro == FREE_FORM {
        field.insert("fanfare.json".to_owned(), true.into());
        "string".into()
    } else {
        avro
    };
    if nullable {
        field.insert("type".to_owned(), json!(["null", avro]));
        field.entry("default").or_insert(Json::Null);
    } else {
        field.insert("type".to_owned(), avro);
    }
    Some(Json::Object(field))
}

/// A type in Avro, and whether there may be no value.
fn avro(document: &Document<'_>, node: Node<'_>) -> Option<(Json, bool)> {
    let at = node.span().start;
    let text = match node.get_ref() {
        DeValue::String(text) => text,
        DeValue::Array(items) if items.len() == 1 => {
            let item = items.iter().next()?;
            let (avro, nullable) = avro(document, item)?;
            if avro == FREE_FORM {
                let help = Some("`json` holds lists too".to_owned());
                document.fault(item.span().start, "a list of free JSON is no type of a field", help);
                return None;
            }
            let item = avro;
            let item = if nullable { json!(["null", item]) } else { item };
            return Some((json!({ "type": "array", "items": item }), false));
        }
        _ => {
            let help = "\"string\", \"string?\" where it may be null, [\"string\"] for a list".to_owned();
            document.fault(at, "this is no type of a field", Some(help));
            return None;
        }
    };
    let (word, nullable) = match text.strip_suffix('?') {
        Some(word) => (word, true),
        None => (&**text, false),
    };
    let logical = |of: &str, logical: &str| json!({ "type": of, "logicalType": logical });
    let avro = match word {
        "uuid" => logical("string", "uuid"),
        "timestamp" => logical("long", "timestamp-millis"),
        "date" => logical("int", "date"),
        "time" => logical("int", "time-millis"),
        word if TYPES.contains(&word) => word.into(),
        word => {
            let known = format!("known: {}; others in an .avsc file", TYPES.join(", "));
            let help =
                fanfare_event::suggest::nearest(word, TYPES).map_or(known, |near| format!("did you mean `{near}`?"));
            document.fault(at, format!("there is no type {word:?} for a field"), Some(help));
            return None;
        }
    };
    Some((avro, nullable))
}

/// A default value.
fn constant(document: &Document<'_>, node: Node<'_>) -> Option<Json> {
    let value = match node.get_ref() {
        DeValue::String(text) => Some(Json::from(&**text)),
        DeValue::Boolean(value) => Some(Json::from(*value)),
        DeValue::Integer(_) => crate::document::section::integer(node).map(Json::from),
        DeValue::Float(float) => float.as_str().parse::<f64>().ok().map(Json::from),
        _ => None,
    };
    if value.is_none() {
        document.fault(node.span().start, "a default is text, a number, true or false", None);
    }
    value
}
