//! The OpenAPI description of nodes, routes and `/whoami`.

use serde_json::{Value, json};

use super::{answers, query, with};
use crate::operator::connections::MOST_IN_PAGE;

/// `GET /nodes`.
pub(super) fn list() -> Value {
    json!({
        "summary": "How all nodes are.",
        "responses": with(answers("Each that answered, and who did not.", &[401]), "200", &all())
    })
}

/// `GET /users/{user}`.
pub(super) fn user(parameter: &Value) -> Value {
    let (text, time) = (json!({ "type": "string" }), json!({ "type": "string", "format": "date-time" }));
    json!({
        "summary": "Since when tokens of a user are refused.",
        "parameters": [parameter],
        "responses": with(answers("The newest logouts that are remembered.", &[400, 401]), "200", &json!({
            "type": "object", "required": ["user", "logouts"],
            "properties": {
                "user": text,
                "logouts": { "type": "array", "items": { "type": "object", "required": ["at"], "properties": {
                    "at": time, "session": text, "realm": text
                } } },
                "everyone": { "type": "string", "format": "date-time",
                              "description": "Tokens issued until then are refused whoever they are for." }
            }
        }))
    })
}

/// `GET /whoami`.
pub(super) fn who_am_i() -> Value {
    json!({
        "summary": "What the bearer allows, and until when.",
        "responses": with(answers("It is good.", &[401]), "200", &json!({
            "type": "object", "required": ["node", "rights", "until"],
            "properties": {
                "node": { "type": "string", "description": "The node that was asked." },
                "rights": { "enum": ["read", "change"] },
                "until": { "type": "string", "format": "date-time" }
            }
        }))
    })
}

fn all() -> Value {
    let (text, seconds) = (json!({ "type": "string" }), json!({ "type": "integer" }));
    json!({
        "type": "object",
        "required": ["asked", "nodes"],
        "properties": {
            "asked": { "type": "string", "description": "The node that was asked." },
            "nodes": { "type": "array", "items": { "$ref": "#/components/schemas/Node" } },
            "missing": {
                "type": "array",
                "description": "Those that have a lease and did not answer.",
                "items": { "type": "object", "required": ["node", "reason"], "properties": {
                    "node": text, "address": text, "reason": text, "lease_seconds": seconds
                } }
            },
            "gone": {
                "type": "array",
                "description": "The last nodes whose lease has ended: they left, or were gone for as long as it lasts.",
                "items": { "type": "object", "required": ["node", "died"], "properties": {
                    "node": text, "lease_seconds": seconds, "ended_seconds": seconds, "died": { "type": "boolean" }
                } }
            }
        }
    })
}

/// One node.
pub(super) fn node() -> Value {
    let (text, count, flag) = (json!({ "type": "string" }), json!({ "type": "integer" }), json!({ "type": "boolean" }));
    let texts = json!({ "type": "array", "items": text });
    let counts = json!({ "type": "object", "additionalProperties": { "type": "integer" } });
    json!({
        "type": "object",
        "required": ["node", "version", "ready", "degraded", "connections", "routes", "log", "counters"],
        "properties": {
            "node": text, "version": text, "uptime_seconds": count,
            "ready": flag, "reason": text, "degraded": texts, "draining": flag,
            "connections": count, "capacity": count, "memory_bytes": count, "letters": counts,
            "transports": counts, "closes": counts, "refused": counts,
            "routes": { "type": "string", "description": "The digest of its routes." }, "routes_refused": flag,
            "log": { "type": "object", "properties": {
                "broker": { "enum": ["embedded", "nats", "kafka"] }, "connected": flag, "risks": texts, "disk": text,
                "head": count, "position": count, "lag_records": count, "lag_seconds": { "type": "number" }
            } },
            "counters": { "type": "object", "description": "What has passed it since it runs.", "properties": {
                "events_read": count, "notifications": count, "deliveries": count, "slow_consumers": count,
                "dead_letters": count, "isolation_drops": count
            } }
        }
    })
}

/// `GET /routes`.
pub(super) fn routes() -> Value {
    json!({
        "summary": "The routes of this node: who hears what.",
        "parameters": [
            { "name": "limit", "in": "query", "description": "How many at most.",
              "schema": { "type": "integer", "minimum": 1, "maximum": MOST_IN_PAGE, "default": 50 } },
            query("continue", "What the last answer has given, for the next page.")
        ],
        "responses": with(answers("A page.", &[400, 401]), "200", &json!({
            "type": "object",
            "required": ["digest", "count", "routes"],
            "properties": {
                "digest": { "type": "string" }, "count": { "type": "integer" },
                "routes": { "type": "array", "items": { "type": "string" } },
                "continue": { "type": "string", "description": "To ask for the next page; absent at the end." }
            }
        }))
    })
}

/// `GET /config`.
pub(super) fn configuration() -> Value {
    json!({
        "summary": "What this node runs with.",
        "responses": with(answers("The configuration.", &[401]), "200", &json!({
            "type": "object",
            "required": ["text", "restart_needed"],
            "properties": {
                "text": { "type": "string", "description": "What differs from the defaults, as TOML; secrets are masked." },
                "restart_needed": { "type": "array", "items": { "type": "string" },
                    "description": "The keys whose other values in the file hold with the next start." }
            }
        }))
    })
}
