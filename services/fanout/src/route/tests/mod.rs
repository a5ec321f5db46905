//! Routes from file to notification.

mod access;
mod declared;
mod demo;
mod faults;
mod ids;
mod properties;
mod selection;
mod values;

use std::sync::LazyLock;

use fanfare_event::{Attributes, Event, Id, Registry, Timestamp, TypeName};
use fanfare_signalr::Value as Wire;
use serde_json::{Value as Json, json};

use super::*;
use crate::document::Fault;

pub(super) const HUB: &str = "/hubs/notifications";

pub(super) fn hub(path: &str, groups: &[&str]) -> HubDeclaration {
    let groups = groups.iter().map(|text| text.parse().unwrap()).collect();
    HubDeclaration {
        path: path.to_owned(),
        groups,
        granted: Vec::new(),
        times: Times::default(),
        realms: Realms::default(),
    }
}

/// The demo's hub and one more.
pub(super) fn hubs() -> Vec<HubDeclaration> {
    let groups = ["user:{user}", "session:{session}", "org:{org}", "org:{org}/role:{role}", "admin", "superadmin"];
    vec![hub(HUB, &groups), hub("/hubs/tasks", &["task:{task}", "org:{org}", "user:{user}", "tag:{tag}"])]
}

/// The built-in schemas and `tasks.TaskChanged`, which has a field of every kind, in two versions.
pub(super) fn registry() -> Registry {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(load);
    REGISTRY.clone()
}

fn load() -> Registry {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("tasks")).unwrap();
    let mut schema: Json = json!({"type": "record", "name": "TaskChanged", "namespace": "tasks", "fields": [
        {"name": "task_id", "type": "string"},
        {"name": "org", "type": ["null", "string"], "default": null, "aliases": ["org_id"]},
        {"name": "done", "type": "boolean"},
        {"name": "maybe", "type": ["null", "boolean"], "default": null},
        {"name": "count", "type": "int"},
        {"name": "size", "type": "long"},
        {"name": "ratio", "type": "double"},
        {"name": "blob", "type": "bytes"},
        {"name": "due", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}], "default": null},
        {"name": "level", "type": {"type": "enum", "name": "Level", "symbols": ["low", "high"], "default": "low"}},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "limits", "type": {"type": "map", "values": "long"}},
        {"name": "email", "type": "string"},
        {"name": "item", "type": ["null", {"type": "record", "name": "Item", "fields": [
            {"name": "id", "type": "string"},
            {"name": "Owner", "type": ["null", "string"], "default": null},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}]}], "default": null}]});
    let file = |version| folder.path().join(format!("tasks/TaskChanged.v{version}.avsc"));
    std::fs::write(file(1), schema.to_string()).unwrap();
    let note = json!({"name": "note", "type": ["null", "string"], "default": null});
    schema["fields"].as_array_mut().unwrap().push(note);
    std::fs::write(file(2), schema.to_string()).unwrap();
    Registry::builtin().with_folder(folder.path()).unwrap()
}

pub(super) fn task() -> Json {
    json!({"task_id": "t1", "org": "acme", "done": true, "maybe": null, "count": 7, "size": 9007199254740993i64,
        "ratio": 0.5, "blob": "\u{1}\u{ff}", "due": "2026-01-02T03:04:05.678Z", "level": "high", "tags": ["a", "b"],
        "limits": {"cpu": 2}, "email": "a@b.example",
        "item": {"id": "i/1", "Owner": "alice", "at": 0}, "note": null})
}

pub(super) fn source(text: &str) -> RouteSource {
    RouteSource { path: "routes.toml".into(), text: text.to_owned() }
}

pub(super) fn compile(text: &str) -> Result<RouteTable, Vec<Fault>> {
    RouteTable::compile(&[source(text)], &registry(), &hubs())
}

/// The table of one sound file.
pub(super) fn table(text: &str) -> RouteTable {
    compile(text).unwrap_or_else(|faults| panic!("{}", faults[0]))
}

pub(super) fn event_of(version: Option<u32>, event_type: &str, data: &Json) -> Event {
    let registry = registry();
    let body = registry.event_type(event_type).unwrap().encode_json(version, data).unwrap();
    let attributes = Attributes {
        id: "e1".to_owned(),
        source: "/services/test".to_owned(),
        event_type: TypeName::parse(event_type).unwrap(),
        time: Timestamp(1_767_323_045_678),
        subject: None,
        org: data["org"].as_str().and_then(|org| Id::parse(org).ok()),
        data_version: None,
        traceparent: None,
    };
    Event::decode(&registry, attributes, &body).unwrap()
}

pub(super) fn event(event_type: &str, data: &Json) -> Event {
    event_of(None, event_type, data)
}

/// A value as JSON, with bytes and times marked.
pub(super) fn json_of(value: &Wire<'_>) -> Json {
    match value {
        Wire::Null => Json::Null,
        Wire::Bool(value) => json!(value),
        Wire::Int(value) => json!(value),
        Wire::UInt(value) => json!(value),
        Wire::Float(value) => json!(value),
        Wire::String(text) => json!(text),
        Wire::Binary(bytes) => json!({"bytes": bytes}),
        Wire::Timestamp { seconds, nanoseconds } => json!({"seconds": seconds, "nanoseconds": nanoseconds}),
        Wire::Local { .. } | Wire::Date { .. } => json!({"local": value.iso_text()}),
        Wire::Array(items) => items.iter().map(json_of).collect(),
        Wire::Map(entries) => {
            Json::Object(entries.iter().map(|(key, value)| (key.to_string(), json_of(value))).collect())
        }
    }
}

/// The keys of an object, in their order.
pub(super) fn keys(value: &Wire<'_>) -> Vec<String> {
    value.as_map().unwrap().iter().map(|(key, _)| key.to_string()).collect()
}
