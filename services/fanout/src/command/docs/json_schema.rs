//! Schemas of events as JSON Schema: what `POST /events` takes as JSON.

use fanfare_event::{EventType, Field, Kind, Value};
use serde_json::{Map, Value as Json, json};

/// How deep nested records are described.
const DEPTH: usize = 6;

/// The data of an event, by its newest version.
pub(super) fn of_event(event_type: &EventType) -> Json {
    let schema = event_type.newest();
    let mut object = of_record(&schema.fields, 0);
    object["title"] = json!(format!("{} v{}", event_type.name(), schema.version));
    if let Some(doc) = &schema.doc {
        object["description"] = json!(doc);
    }
    object
}

fn of_record(fields: &[Field], depth: usize) -> Json {
    let mut properties = Map::new();
    for field in fields {
        properties.insert(field.name.to_string(), of_field(field, depth));
        for alias in &field.aliases {
            let mut other = of_field(field, depth);
            other["description"] = json!(format!("another name of {}", field.name));
            properties.insert(alias.to_string(), other);
        }
    }
    // One that has an alias may be given by either name.
    let needed = fields.iter().filter(|field| field.absent().is_none() && field.aliases.is_empty());
    let required: Vec<&str> = needed.map(|field| &*field.name).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn of_field(field: &Field, depth: usize) -> Json {
    let mut schema = of_kind(&field.kind, depth);
    if field.nullable {
        schema = or_null(schema);
    }
    if let Some(doc) = &field.doc {
        schema["description"] = json!(&**doc);
    }
    if let Some(default) = field.default.as_ref().filter(|default| !matches!(default, Value::Null)) {
        schema["default"] = json!(default);
    }
    schema
}

fn or_null(schema: Json) -> Json {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

fn of_kind(kind: &Kind, depth: usize) -> Json {
    match kind {
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Int => json!({ "type": "integer", "format": "int32" }),
        Kind::Long => json!({ "type": "integer", "format": "int64" }),
        Kind::Float | Kind::Double => json!({ "type": "number" }),
        Kind::String => json!({ "type": "string" }),
        Kind::Timestamp(unit) => json!({ "anyOf": [
            { "type": "string", "format": "date-time" },
            { "type": "integer", "description": format!("{unit} since 1970") },
        ] }),
        Kind::Enum(symbols) => {
            let symbols: Vec<&str> = symbols.iter().map(|symbol| &**symbol).collect();
            json!({ "type": "string", "enum": symbols })
        }
        Kind::Array(items) => json!({ "type": "array", "items": of_kind(items, depth) }),
        Kind::Map(values) => json!({ "type": "object", "additionalProperties": of_kind(values, depth) }),
        // A record may hold itself.
        Kind::Record(_) if depth >= DEPTH => json!({ "type": "object" }),
        Kind::Record(fields) => of_record(fields, depth + 1),
        Kind::Nullable(kind) => or_null(of_kind(kind, depth)),
        Kind::Date => json!({ "type": "string", "format": "date" }),
        Kind::Uuid => json!({ "type": "string", "format": "uuid" }),
        Kind::Duration => json!({ "type": "string", "format": "duration" }),
        Kind::Decimal { .. } => json!({ "type": ["string", "number"], "description": kind.to_string() }),
        // JSON Schema has no type for it; the description says it.
        other => json!({ "description": other.to_string() }),
    }
}

/// The schema of an example: the shape of a notification.
pub(super) fn of_example(example: &Json) -> Json {
    match example {
        Json::Null => json!({}),
        Json::Bool(_) => json!({ "type": "boolean" }),
        Json::Number(number) if number.is_f64() => json!({ "type": "number" }),
        Json::Number(_) => json!({ "type": "integer" }),
        Json::String(_) => json!({ "type": "string" }),
        Json::Array(items) => match items.first() {
            Some(first) => json!({ "type": "array", "items": of_example(first) }),
            None => json!({ "type": "array" }),
        },
        Json::Object(members) => {
            let properties: Map<String, Json> =
                members.iter().map(|(name, member)| (name.clone(), of_example(member))).collect();
            json!({ "type": "object", "properties": properties })
        }
    }
}
