//! An event that could be, to show what becomes of it.

use fanfare_event::{Attributes, Encoded, Event, EventType, Field, Kind, Registry, Timestamp};
use serde_json::{Map, Value as Json, json};

use crate::pipeline::{Body, Ingest};

/// When samples happened: 2026-01-02T03:04:05Z.
const TIME: i64 = 1_767_323_045_000;

/// The data of an event with every field filled in.
pub(super) fn data(event_type: &EventType) -> Json {
    record(&event_type.newest().fields)
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

fn record(fields: &[Field]) -> Json {
    let members = fields.iter().map(|field| (field.name.to_string(), of(&field.name, &field.kind)));
    Json::Object(members.collect::<Map<_, _>>())
}

fn of(name: &str, kind: &Kind) -> Json {
    match kind {
        Kind::Boolean => json!(true),
        Kind::Int | Kind::Long => json!(1),
        Kind::Float | Kind::Double => json!(0.5),
        // Links of notifications are https or relative.
        Kind::String if name.contains("link") || name.contains("url") => json!("/example"),
        Kind::String => json!(name),
        Kind::Timestamp => json!(Timestamp(TIME).to_rfc3339()),
        Kind::Enum(symbols) => symbols.first().map_or(Json::Null, |symbol| json!(&**symbol)),
        Kind::Array(items) => json!([of(name, items)]),
        Kind::Map(values) => json!({ "name": of(name, values) }),
        Kind::Record(fields) => record(fields),
        Kind::Nullable(kind) => of(name, kind),
        Kind::Fixed(size) => json!("\u{0}".repeat(*size)),
        _ => json!(""),
    }
}
