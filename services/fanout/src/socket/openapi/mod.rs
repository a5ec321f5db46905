//! `GET /openapi.json`: what the operator's port answers, as OpenAPI describes it.

mod connections;
mod events;
mod nodes;

use axum::Json;
use serde_json::{Value, json};

use crate::pipeline::letters::{MOST_LISTED, MOST_REPLAYED};

/// The document.
pub(super) async fn document() -> Json<Value> {
    Json(describe())
}

fn describe() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Fanfare: the operator's port",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The same on every node. What is said of connections is about all nodes."
        },
        "security": [{ "operator": [] }],
        "paths": {
            "/connections": { "get": connections::list() },
            "/connections/round-trips": { "get": connections::round_trips() },
            "/connections/{id}": { "delete": close("Closes one connection.", &[path("id", "The connection's id.")]) },
            "/users/{user}": { "get": nodes::user(&path("user", "The user's id.")) },
            "/users/{user}/connections": {
                "delete": close("Closes all connections of a user.", &[path("user", "The user's id."), realm()])
            },
            "/sessions/{session}/connections": {
                "delete": close("Closes all connections of a session.", &[
                    path("session", "The session's id."),
                    query("user", "Whose session: two users may have one of the same id."),
                    realm(),
                ])
            },
            "/events/{id}": { "get": events::show(&path("id", "The event's id, or the place of its record, for instance 0-17.")) },
            "/nodes": { "get": nodes::list() },
            "/routes": { "get": nodes::routes() },
            "/config": { "get": nodes::configuration() },
            "/whoami": { "get": nodes::who_am_i() },
            "/deadletters": { "get": letters() },
            "/deadletters/{id}": { "get": {
                "summary": "One dead letter with its headers and its body.",
                "parameters": [path("id", "Its id, for instance 0-17.")],
                "responses": answers("The letter.", &[400, 401, 404, 503])
            } },
            "/deadletters/replay": { "post": replay() },
            "/healthz": { "get": open("Whether the process works; 200 while it answers.", &[]) },
            "/readyz": { "get": open("Whether the node should get traffic: 200, or 503 with the reason.", &[503]) },
            "/metrics": { "get": open("The metrics, as OpenMetrics or in the text format 0.0.4, as `Accept` asks for.", &[]) },
            "/openapi.json": { "get": open("This document.", &[]) }
        },
        "components": {
            "securitySchemes": { "operator": {
                "type": "http",
                "scheme": "bearer",
                "description": "Sealed with the node's secret: `fanfare token --config FILE --operator` prints one that is \
                                good for a minute, for longer with `--minutes`, and only to look with `--read-only`."
            } },
            "schemas": { "Connection": connections::connection(), "Node": nodes::node(), "Error": {
                "type": "object", "required": ["error"], "properties": { "error": { "type": "string" } }
            } }
        }
    })
}

fn close(summary: &str, parameters: &[Value]) -> Value {
    json!({
        "summary": summary,
        "description": "Through the log: every node closes what it has, with the reason closed_by_operator.",
        "parameters": parameters,
        "responses": with(answers("It is in the log.", &[400, 401, 403, 503, 504]), "202", &json!({
            "type": "object", "required": ["id"],
            "properties": { "id": { "type": "string", "description": "The id of the event." } }
        }))
    })
}

fn letters() -> Value {
    json!({
        "summary": "The newest dead letters, or a page of them by id.",
        "parameters": [
            { "name": "limit", "in": "query", "schema":
              { "type": "integer", "minimum": 1, "maximum": MOST_LISTED, "default": 50 } },
            query("order", "`id` for a page by id instead of the newest."),
            query("before", "Of a page by id: letters before this one.")
        ],
        "responses": answers("The letters.", &[400, 401, 503])
    })
}

fn replay() -> Value {
    json!({
        "summary": "Publishes dead letters again.",
        "requestBody": { "required": true, "content": { "application/json": { "schema": {
            "type": "object", "required": ["ids"],
            "properties": {
                "ids": { "type": "array", "minItems": 1, "maxItems": MOST_REPLAYED, "items": { "type": "string" } },
                "force": { "type": "boolean" }, "dry_run": { "type": "boolean" }
            }
        } } } },
        "responses": answers("What became of each.", &[400, 401, 403, 503])
    })
}

fn open(summary: &str, others: &[u16]) -> Value {
    json!({ "summary": summary, "security": [], "responses": answers("As it says.", others) })
}

fn path(name: &str, description: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "description": description, "schema": { "type": "string" } })
}

fn query(name: &str, description: &str) -> Value {
    json!({ "name": name, "in": "query", "description": description, "schema": { "type": "string" } })
}

fn realm() -> Value {
    query("realm", "Users of this realm alone, where there are several.")
}

/// The answer to success, and those of the errors.
fn answers(description: &str, faults: &[u16]) -> Value {
    let mut answers = json!({ "200": { "description": description } });
    for status in faults {
        answers[status.to_string()] = json!({
            "description": match status {
                400 => "The question is wrong; the error says how.",
                401 => "No bearer of an operator.",
                403 => "The bearer may only look.",
                404 => "There is none.",
                504 => "The broker gave no answer in time; it is safe to send the request again.",
                _ => "Not now; the error says why.",
            },
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } }
        });
    }
    answers
}

/// The same with the content of the answer with this status, instead of 200.
fn with(mut answers: Value, status: &str, schema: &Value) -> Value {
    let mut good = answers["200"].take();
    good["content"] = json!({ "application/json": { "schema": schema } });
    if let Some(all) = answers.as_object_mut() {
        all.remove("200");
        all.insert(status.to_owned(), good);
    }
    answers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_of_a_path_is_described_and_every_reference_is_there() {
        let document = describe();
        let paths = document["paths"].as_object().expect("paths");
        for (path, methods) in paths {
            for (method, operation) in methods.as_object().expect("methods") {
                let holes = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
                let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
                for hole in holes {
                    let is_it = |parameter: &Value| parameter["name"] == hole && parameter["in"] == "path";
                    assert!(parameters.iter().any(is_it), "{method} {path} lacks {hole}");
                }
                assert!(operation["summary"].is_string() && operation["responses"].is_object(), "{method} {path}");
            }
        }
        let text = document.to_string();
        for name in text.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(document["components"]["schemas"][name].is_object(), "{name}");
        }
    }

    #[test]
    fn closing_is_answered_with_202() {
        let closing = &describe()["paths"]["/connections/{id}"]["delete"]["responses"];
        assert!(closing["202"]["content"].is_object() && closing["200"].is_null());
    }
}
