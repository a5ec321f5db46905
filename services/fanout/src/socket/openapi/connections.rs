//! The OpenAPI description of `/connections`.

use serde_json::{Value, json};

use super::{answers, query, realm, with};
use crate::operator::connections::{MOST_IN_PAGE, MOST_MEASURED};

/// `GET /connections`.
pub(super) fn list() -> Value {
    json!({
        "summary": "The open connections of all nodes, by id.",
        "parameters": [
            query("id", "The one of this id."),
            query("user", "Those of this user."),
            query("org", "Those that may hear events of this org."),
            query("group", "Those in this group, as it reads: org:acme."),
            query("hub", "Those of the hub at this path."),
            query("session", "Those of this session."),
            realm(),
            { "name": "limit", "in": "query", "description": "How many at most.",
              "schema": { "type": "integer", "minimum": 1, "maximum": MOST_IN_PAGE, "default": 50 } },
            query("continue", "What the last answer has given, for the next page.")
        ],
        "responses": with(answers("A page.", &[400, 401, 503]), "200", &json!({
            "type": "object",
            "required": ["connections"],
            "properties": {
                "connections": { "type": "array", "items": { "$ref": "#/components/schemas/Connection" } },
                "continue": { "type": "string", "description": "To ask for the next page; absent at the end." },
                "missing": {
                    "type": "array", "items": { "type": "string" },
                    "description": "The nodes that did not answer: what they have is not on the page."
                }
            }
        }))
    })
}

/// One connection.
pub(super) fn connection() -> Value {
    let text = json!({ "type": "string" });
    let maybe = json!({ "type": ["string", "null"] });
    json!({
        "type": "object",
        "required": ["id", "hub", "user", "org", "session", "transport", "groups", "since", "node"],
        "properties": {
            "id": text, "hub": text, "user": maybe, "org": maybe, "named_org": text, "realm": text, "session": maybe,
            "transport": { "enum": ["WebSockets", "ServerSentEvents", "LongPolling"] },
            "groups": { "type": "array", "items": text },
            "more_groups": { "type": "integer", "description": "How many more groups it is in than are named." },
            "client": { "type": "string", "description": "Program and version of its client, in short, as it says itself." },
            "since": { "type": "string", "format": "date-time" },
            "node": text,
            "timeline": {
                "type": "array", "description": "What it has been through; told of one that is asked for by its id.",
                "items": { "type": "object", "required": ["at", "what"], "properties": {
                    "at": { "type": "string", "format": "date-time" },
                    "what": { "enum": ["opened", "admitted", "resumed", "asked", "quiet", "replayed", "behind",
                                       "socket_lost", "socket_replaced", "token_refreshed", "left_out"] },
                    "count": { "type": "integer" }
                } }
            }
        }
    })
}

/// `GET /connections/round-trips`.
pub(super) fn round_trips() -> Value {
    json!({
        "summary": "How long clients take to answer a ping, measured now.",
        "description": "A ping can be sent over a WebSocket only. Clients may take 2 s.",
        "parameters": [{
            "name": "ids", "in": "query", "required": true, "schema": { "type": "string" },
            "description": format!("The ids of up to {MOST_MEASURED} connections, separated by commas.")
        }],
        "responses": with(answers("Those that have answered.", &[400, 401, 503]), "200", &json!({
            "type": "object",
            "required": ["round_trips"],
            "properties": {
                "round_trips": {
                    "type": "object", "additionalProperties": { "type": "number" },
                    "description": "Milliseconds by the ids of the connections."
                },
                "missing": { "type": "array", "items": { "type": "string" }, "description": "The nodes that did not answer." }
            }
        }))
    })
}
