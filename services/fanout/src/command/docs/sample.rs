//! An event that could be, to show what becomes of it.

use fanfare_event::{Attributes, Encoded, Event, EventType, Field, Kind, Registry, Timestamp};
use serde_json::{Map, Value as Json, json};

use crate::pipeline::{Body, Ingest};

/// How deep nested records are filled in.
const DEPTH: usize = 6;

/// When samples happened: 2026-01-02T03:04:05Z.
const TIME: i64 = 1_767_323_045_000;

/// The data of an event with every field filled in.
pub(super) fn data(event_type: &EventType) -> Json {
    record(&event_type.newest().fields, 0)
}

/// The same as an event; none if its schema holds what this cannot make up.
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
    let members = fields.iter().map(|field| (field.name.to_string(), of(&field.name, &field.kind, depth)));
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
        Kind::Map(values) => json!({ "name": of(name, values, depth) }),
        Kind::Record(fields) => record(fields, depth + 1),
        Kind::Nullable(_) if depth >= DEPTH => Json::Null,
        Kind::Array(_) if depth >= DEPTH => json!([]),
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
        Kind::Union(kinds) => kinds.first().map_or(Json::Null, |kind| of(name, kind, depth)),
        Kind::Bytes => json!(""),
    }
}
