//! `POST /events` as OpenAPI 3.1.

use serde_json::{Map, Value, json};

use super::json_schema;
use super::sample;
use super::version;
use crate::config::Loaded;
use crate::pipeline::MOST_IN_BATCH;

/// The attributes as headers: name, whether required, meaning.
const HEADERS: [(&str, bool, &str); 9] = [
    ("ce-specversion", true, "1.0"),
    ("ce-id", true, "unique within the source; the same id again is the same event"),
    ("ce-source", true, "what publishes, such as /services/billing"),
    ("ce-type", true, "the event type"),
    ("ce-time", false, "RFC 3339; when it was received, if missing"),
    ("ce-subject", false, "what it is about"),
    ("ce-org", false, "the org; must agree with the data"),
    ("ce-dataversion", false, "the version of the schema; the newest if missing"),
    ("traceparent", false, "W3C trace context"),
];

pub(super) fn document(loaded: &Loaded) -> Value {
    let mut schemas = Map::new();
    for event_type in loaded.registry().event_types() {
        schemas.insert(event_type.name().to_string(), json_schema::of_event(event_type));
        schemas.insert(format!("{}.event", event_type.name()), structured(event_type.name().as_str()));
    }
    schemas.insert("Taken".to_owned(), taken());
    schemas.insert("Refused".to_owned(), refused());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Fanfare: publishing",
            "version": version(loaded),
            "description": "How producers publish events: CloudEvents 1.0 over HTTP, in binary, structured or batch mode.",
        },
        "servers": [{ "url": format!("http://{}", loaded.config.node.listen), "description": "a node" }],
        "security": [{ "producer": [] }],
        "paths": { "/events": { "post": operation(loaded) } },
        "components": {
            "securitySchemes": { "producer": {
                "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                "description": "A producer's token: its own audience, the role producer, and the claim publish.",
            } },
            "schemas": schemas,
        },
    })
}

fn operation(loaded: &Loaded) -> Value {
    let types: Vec<&str> = loaded.registry().event_types().map(|known| known.name().as_str()).collect();
    let parameters = HEADERS.map(|(name, needed, description)| {
        let mut schema = json!({ "type": "string" });
        match name {
            "ce-type" => schema["enum"] = json!(types),
            "ce-specversion" => schema["const"] = json!("1.0"),
            _ => {}
        }
        let mode = if needed { "; needed in binary mode" } else { "; binary mode" };
        // In the other modes the attributes are in the body, so no header is needed by itself.
        json!({ "name": name, "in": "header", "required": false, "schema": schema,
            "description": format!("{description}{mode}") })
    });
    let data: Vec<Value> = types.iter().map(|name| reference(name)).collect();
    let events: Vec<Value> = types.iter().map(|name| reference(&format!("{name}.event"))).collect();
    let examples: Map<String, Value> = loaded
        .registry()
        .event_types()
        .map(|known| (known.name().to_string(), json!({ "value": sample::data(known) })))
        .collect();
    json!({
        "operationId": "publishEvent",
        "summary": "Publish events",
        "parameters": parameters,
        "requestBody": { "required": true, "content": {
            "application/json": { "schema": { "anyOf": data }, "examples": examples },
            "application/avro": { "schema": { "description": "an Avro record in single-object encoding" } },
            "application/cloudevents+json": { "schema": { "anyOf": events } },
            "application/cloudevents-batch+json": {
                "schema": { "type": "array", "maxItems": MOST_IN_BATCH, "items": { "anyOf": events } },
            },
        } },
        "responses": responses(),
    })
}

fn responses() -> Value {
    let stored = json!({ "anyOf": [
        reference("Taken"),
        { "type": "object", "required": ["events"],
          "properties": { "events": { "type": "array", "items": reference("Taken") } } },
    ] });
    let mut responses = json!({ "202": {
        "description": "the broker has it; of a batch, all of it",
        "content": { "application/json": { "schema": stored } },
    } });
    for (status, description, retry) in [
        ("400", "the event is wrong", false),
        ("401", "no token, or not a good one", false),
        ("403", "the token does not allow this type, source or org", false),
        ("408", "the body did not arrive in time", false),
        ("409", "the source has used this id before, for another event", false),
        ("413", "the body or the batch is too large", false),
        ("415", "the content type or encoding is not taken", false),
        ("429", "too much at once; send it again with the same id", true),
        ("503", "surely not stored; send it again with the same id", true),
        ("504", "unknown whether it is stored; send it again with the same id", true),
    ] {
        let mut response = json!({ "description": description, "content": { "application/json": { "schema": reference("Refused") } } });
        if retry {
            response["headers"] =
                json!({ "Retry-After": { "description": "seconds", "schema": { "type": "integer" } } });
        }
        responses[status] = response;
    }
    responses
}

/// An event in structured mode.
fn structured(name: &str) -> Value {
    let text = || json!({ "type": "string" });
    json!({
        "type": "object",
        "required": ["specversion", "id", "source", "type"],
        "properties": {
            "specversion": { "type": "string", "const": "1.0" },
            "id": text(),
            "source": text(),
            "type": { "type": "string", "const": name },
            "time": { "type": "string", "format": "date-time" },
            "subject": text(),
            "org": text(),
            "dataversion": { "type": ["integer", "string"] },
            "datacontenttype": { "type": "string", "enum": ["application/json", "application/avro"] },
            "data": reference(name),
            "data_base64": { "type": "string", "contentEncoding": "base64" },
            "traceparent": text(),
        },
    })
}

fn taken() -> Value {
    json!({
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": { "type": "string" },
            "duplicate": { "type": "boolean", "description": "stored before, told once" },
            "stale": { "type": "boolean", "description": "what it sets has a higher revision already" },
            "routes": { "type": "array", "items": { "type": "string" }, "description": "the routes that took it" },
        },
    })
}

fn refused() -> Value {
    json!({
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": { "type": "string" },
            "field": { "type": ["string", "null"], "description": "what is at fault" },
            "expected": { "type": "string" },
            "version": { "type": "integer", "description": "the version of the schema" },
            "index": { "type": "integer", "description": "of a batch: which event" },
            "stored": { "type": "integer", "description": "of a batch that was interrupted: how many are stored" },
        },
    })
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}
