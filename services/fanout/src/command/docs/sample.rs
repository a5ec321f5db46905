//! A sample event of a schema, for the documents.

use fanfare_event::{Attributes, Encoded, Event, EventType, Field, Kind, Registry, Timestamp};
use serde_json::{Map, Value as Json, json};

use crate::pipeline::{Body, Ingest};

/// How deep nested records are filled in: one may hold itself, where it may be null, a list, a map or something else.
const DEPTH: usize = 6;

/// When samples happened: 2026-01-02T03:04:05Z.
const TIME: i64 = 1_767_323_045_000;

/// The data of an event with every field filled in.
pub(super) fn data(event_type: &EventType) -> Json {
    record(&event_type.newest().fields, 0)
}

/// The same as an event; none if its schema has something that this cannot make up.
pub(super) fn event(registry: &Registry, event_type: &EventType) -> Option<Event> {
    let name = event_type.name();
    let attributes = Attributes {
        id: "0198c0de-0000-7000-8000-000000000001".to_owned(),
        source: format!("/services/{}", name.service()),
        event_type: name.clone(),
        time: Timestamp(TIME),
        subject: None,
        org: None,
        data_version: None,
        traceparent: None,
    };
    let Encoded { attributes, body, .. } =
        Ingest::encode_with(registry, attributes, Body::Json(data(event_type))).ok()?;
    Event::decode(registry, attributes, &body).ok()
}

fn record(fields: &[Field], depth: usize) -> Json {
    let value = |field: &Field| match field.nullable && depth >= DEPTH {
        true => Json::Null,
        false => of(&field.name, &field.kind, depth),
    };
    let members = fields.iter().map(|field| (field.name.to_string(), value(field)));
    Json::Object(members.collect::<Map<_, _>>())
}

fn of(name: &str, kind: &Kind, depth: usize) -> Json {
    match kind {
        Kind::Boolean => json!(true),
        Kind::Int | Kind::Long => json!(1),
        Kind::Float | Kind::Double => json!(0.5),
        // Links of notifications are https or relative.
        Kind::String if name.contains("link") || name.contains("url") => json!("/example"),
        Kind::String => json!(name),
        Kind::Timestamp(_) => json!(Timestamp(TIME).to_rfc3339()),
        Kind::Enum(symbols) => symbols.first().map_or(Json::Null, |symbol| json!(&**symbol)),
        // No value of such a record has an end.
        Kind::Record(_) if depth >= 2 * DEPTH => Json::Null,
        Kind::Record(fields) => record(fields, depth + 1),
        Kind::Nullable(_) if depth >= DEPTH => Json::Null,
        Kind::Array(_) if depth >= DEPTH => json!([]),
        Kind::Map(_) if depth >= DEPTH => json!({}),
        Kind::Map(values) => json!({ "name": of(name, values, depth) }),
        Kind::Nullable(kind) => of(name, kind, depth),
        Kind::Array(items) => json!([of(name, items, depth)]),
        Kind::Fixed(size) => json!("\u{0}".repeat(*size)),
        Kind::LocalTimestamp(_) => json!("2026-01-02T03:04:05"),
        Kind::Date => json!("2026-01-02"),
        Kind::TimeOfDay(_) => json!("03:04:05"),
        Kind::Duration => json!("P1D"),
        Kind::Decimal { .. } => json!("1"),
        Kind::Uuid => json!("0198c0de-0000-7000-8000-000000000001"),
        Kind::Null => Json::Null,
        Kind::Json => json!({}),
        Kind::Union(kinds) => {
            let flat = |kind: &&Kind| depth < DEPTH || !matches!(kind, Kind::Record(_) | Kind::Array(_) | Kind::Map(_));
            kinds.iter().find(flat).or(kinds.first()).map_or(Json::Null, |kind| of(name, kind, depth))
        }
        Kind::Bytes => json!(""),
    }
}

#[cfg(test)]
mod tests {
    use fanfare_event::DeclaredSchema;

    use super::*;

    /// A record that holds itself in each way that ends.
    #[test]
    fn a_record_that_holds_itself_has_an_example_that_ends() {
        for inner in [
            r#"["null", "Node"]"#,
            r#"{"type": "array", "items": "Node"}"#,
            r#"{"type": "map", "values": "Node"}"#,
            r#"{"type": "array", "items": ["null", "Node"]}"#,
            r#"["Node", "string"]"#,
        ] {
            let schema = format!(
                r#"{{"type": "record", "name": "Grown", "fields": [{{"name": "org", "type": "string"}},
                    {{"name": "tree", "type": {{"type": "record", "name": "Node", "fields": [
                        {{"name": "value", "type": "int"}}, {{"name": "next", "type": {inner}}}]}}}}]}}"#
            );
            let event_type = fanfare_event::TypeName::parse("a.Grown").unwrap();
            let declared = DeclaredSchema { file: "a".into(), event_type, version: 1, schema };
            let registry = Registry::of_nodes().with_declared([declared]).unwrap();
            let event_type = registry.event_type("a.Grown").unwrap();
            assert_eq!(data(event_type)["tree"]["value"], 1, "{inner}");
            assert!(event(&registry, event_type).is_some(), "{inner}");
        }
    }
}
