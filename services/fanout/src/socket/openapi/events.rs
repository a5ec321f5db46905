//! The OpenAPI description of `/events/{id}`.

use serde_json::{Value, json};

use super::{answers, with};

/// `GET /events/{id}`.
pub(super) fn show(parameter: &Value) -> Value {
    json!({
        "summary": "What became of an event on all nodes.",
        "description": "Each node remembers the newest events that it has read live, in 4 MiB of memory.",
        "parameters": [parameter],
        "responses": with(answers("Its records, the newest first; none if no node remembers it.", &[400, 401]), "200", &all())
    })
}

fn all() -> Value {
    let (text, count, time) =
        (json!({ "type": "string" }), json!({ "type": "integer" }), json!({ "type": "string", "format": "date-time" }));
    json!({
        "type": "object",
        "required": ["id", "events", "nodes"],
        "properties": {
            "id": text,
            "events": { "type": "array", "items": {
                "type": "object",
                "required": ["stored", "place", "id", "source", "type", "nodes", "sent"],
                "properties": {
                    "stored": time, "place": text, "id": text, "source": text, "type": text, "org": text, "trace_id": text,
                    "nodes": { "type": "array", "items": on_node() },
                    "sent": { "type": "integer", "description": "To how many connections, on all nodes." },
                    "slowest": slowest()
                }
            } },
            "nodes": {
                "type": "array",
                "description": "How far back each node remembers.",
                "items": { "type": "object", "required": ["node", "events"], "properties": {
                    "node": text, "events": count, "since": time
                } }
            },
            "missing": { "type": "array", "items": text, "description": "The nodes that did not answer." }
        }
    })
}

fn on_node() -> Value {
    let (text, count) = (json!({ "type": "string" }), json!({ "type": "integer" }));
    json!({
        "type": "object",
        "required": ["node", "read_ms", "outcome", "notifications", "not_taken"],
        "properties": {
            "node": text,
            "read_ms": { "type": "integer", "description": "When it had read the record, counted from `stored`." },
            "outcome": { "enum": ["new", "duplicate", "stale", "dead_letter"] },
            "reason": { "type": "string", "description": "Why it is a dead letter." },
            "notifications": { "type": "array", "items": {
                "type": "object",
                "required": ["route", "hub", "target", "groups", "sent"],
                "properties": {
                    "route": text, "hub": text, "target": text,
                    "groups": { "type": "array", "items": text }, "more_groups": count,
                    "throttled": { "type": "boolean", "description": "A throttle holds it, or replaced it by a newer one." },
                    "sent": { "type": "integer", "description": "Connections that it was queued for at once." },
                    "later": { "type": "integer", "description": "Connections that get it once they have caught up." },
                    "waiting": { "type": "integer", "description": "Connections that have not taken it yet." },
                    "waits": { "type": "string", "description": "One of those." },
                    "slowest": slowest()
                }
            } },
            "not_taken": {
                "type": "array",
                "description": "The routes of its type that did not take it.",
                "items": { "type": "object", "required": ["route", "reason"], "properties": { "route": text, "reason": text } }
            },
            "more_not_taken": count
        }
    })
}

fn slowest() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "type": "object",
        "description": "The connection that took it last, and after how long at most, counted from `stored`.",
        "required": ["connection", "node", "ms"],
        "properties": { "connection": text, "node": text, "ms": { "type": "integer" } }
    })
}
