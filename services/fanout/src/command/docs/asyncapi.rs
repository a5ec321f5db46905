//! The channels as AsyncAPI 3.0: what a node receives from producers, and what it sends to clients.

use fanfare_event::EventType;
use serde_json::{Map, Value, json};

use super::json_schema;
use super::sample;
use super::version;
use crate::config::{BrokerKind, Loaded};
use crate::route::Route;

pub(super) fn document(loaded: &Loaded) -> Value {
    let mut parts = Parts::default();
    for event_type in loaded.registry().event_types() {
        parts.event(loaded, event_type);
    }
    let mut hubs: Vec<_> = loaded.config.hubs.iter().map(|hub| hub.path.to_string()).collect();
    hubs.sort_unstable();
    for hub in &hubs {
        parts.hub(loaded, hub);
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Fanfare: events and notifications",
            "version": version(loaded),
            "description": "Seen from a node: it receives the events of producers, and sends notifications to tabs over \
                            the SignalR protocol.",
        },
        "defaultContentType": "application/json",
        "servers": servers(loaded),
        "channels": parts.channels,
        "operations": parts.operations,
        "components": { "messages": parts.messages },
    })
}

fn servers(loaded: &Loaded) -> Value {
    let node = |protocol: &str| json!({ "host": loaded.config.node.listen.to_string(), "protocol": protocol });
    let mut servers = json!({ "hubs": node("ws"), "publishing": node("http") });
    let broker = match &loaded.config.broker.kind {
        BrokerKind::Embedded(_) => None,
        BrokerKind::Nats(nats) => nats.servers.first().map(|host| ("nats", host)),
        BrokerKind::Kafka(kafka) => kafka.servers.first().map(|host| ("kafka", host)),
    };
    if let Some((protocol, host)) = broker {
        servers["broker"] = json!({ "host": host, "protocol": protocol });
    }
    servers
}

#[derive(Default)]
struct Parts {
    channels: Map<String, Value>,
    operations: Map<String, Value>,
    messages: Map<String, Value>,
}

impl Parts {
    /// A type of event: its message, and the channel on which it comes.
    fn event(&mut self, loaded: &Loaded, event_type: &EventType) {
        let name = event_type.name().as_str();
        self.messages.insert(name.to_owned(), message(event_type));
        let own = json!({ "$ref": format!("#/components/messages/{name}") });
        let id = format!("events.{name}");
        let channel = match &loaded.config.broker.kind {
            BrokerKind::Embedded(_) => json!({
                "address": "/events",
                "servers": [{ "$ref": "#/servers/publishing" }],
                "messages": { name: own },
            }),
            BrokerKind::Nats(_) => {
                let org = json!({ "description": "the org, percent-encoded; _ for none" });
                let key = json!({ "description": "what the state is about, percent-encoded" });
                let (address, parameters) = if event_type.is_stateful() {
                    (format!("state.{{org}}.{name}.{{key}}"), json!({ "org": org, "key": key }))
                } else {
                    (format!("events.{{org}}.{name}"), json!({ "org": org }))
                };
                json!({
                    "address": address,
                    "parameters": parameters,
                    "servers": [{ "$ref": "#/servers/broker" }],
                    "messages": { name: own },
                })
            }
            BrokerKind::Kafka(kafka) => {
                let topics = if event_type.is_stateful() { &kafka.state } else { &kafka.events };
                json!({
                    "address": format!("{topics}.{}", event_type.name().service()),
                    "servers": [{ "$ref": "#/servers/broker" }],
                    "messages": { name: own },
                })
            }
        };
        self.channels.insert(id.clone(), channel);
        self.operations.insert(format!("receive.{name}"), operation("receive", &id, name, "published by its service"));
    }

    /// A hub: the notifications that its routes make.
    fn hub(&mut self, loaded: &Loaded, hub: &str) {
        let id = format!("hub{}", hub.replace(|c: char| !c.is_ascii_alphanumeric(), "-"));
        let mut messages = Map::new();
        for event_type in loaded.registry().event_types() {
            let Some(event) = sample::event(loaded.registry(), event_type) else { continue };
            for route in loaded.routes.of_type(event_type.name().as_str()) {
                if route.hub() != hub || route.target().is_empty() {
                    continue;
                }
                let arguments = json!(route.arguments(&event, "eyJ..."));
                let message = format!("{id}.{}", plain(route.name()));
                self.messages.insert(message.clone(), notification(route, event_type, &arguments));
                let own = format!("#/components/messages/{message}");
                messages.insert(plain(route.name()), json!({ "$ref": own }));
                let summary = format!("the route {} of {}", route.name(), event_type.name());
                let sends = operation("send", &id, &plain(route.name()), &summary);
                self.operations.insert(format!("send.{message}"), sends);
            }
        }
        let channel = json!({
            "address": hub,
            "description": "a SignalR hub: WebSockets, Server-Sent Events or long polling, JSON or MessagePack",
            "servers": [{ "$ref": "#/servers/hubs" }],
            "messages": messages,
        });
        self.channels.insert(id, channel);
    }
}

/// Keys of components are letters, digits and a few signs.
fn plain(name: &str) -> String {
    name.replace(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-' | '_'), "_")
}

fn operation(action: &str, channel: &str, message: &str, summary: &str) -> Value {
    json!({
        "action": action,
        "summary": summary,
        "channel": { "$ref": format!("#/channels/{channel}") },
        "messages": [{ "$ref": format!("#/channels/{channel}/messages/{message}") }],
    })
}

fn message(event_type: &EventType) -> Value {
    let text = |description: &str| json!({ "type": "string", "description": description });
    json!({
        "name": event_type.name().as_str(),
        "title": event_type.name().as_str(),
        "summary": event_type.newest().doc.clone().unwrap_or_default(),
        "description": "CloudEvents 1.0 in binary mode. On a broker the body is the record in Avro's single-object encoding.",
        "headers": {
            "type": "object",
            "required": ["ce-id", "ce-source", "ce-type"],
            "properties": {
                "ce-id": text("unique within the source"),
                "ce-source": text("what published it"),
                "ce-type": { "type": "string", "const": event_type.name().as_str() },
                "ce-time": text("RFC 3339"),
                "ce-subject": text("what it is about"),
                "ce-org": text("the org"),
                "traceparent": text("W3C trace context"),
            },
        },
        "payload": json_schema::of_event(event_type),
        "examples": [{ "payload": sample::data(event_type) }],
    })
}

fn notification(route: &Route, event_type: &EventType, arguments: &Value) -> Value {
    let target = route.target();
    let items: Vec<Value> =
        arguments.as_array().map(|list| list.iter().map(json_schema::of_example).collect()).unwrap_or_default();
    json!({
        "name": target,
        "title": target,
        "summary": format!("{} by the route {}", event_type.name(), route.name()),
        "payload": {
            "type": "object",
            "description": "an Invocation of the SignalR protocol",
            "properties": {
                "type": { "const": 1 },
                "target": { "const": target },
                "arguments": arguments_of(&items),
            },
        },
        "examples": [{ "payload": { "type": 1, "target": target, "arguments": arguments } }],
    })
}

/// Some validators want a list of at least one.
fn arguments_of(items: &[Value]) -> Value {
    if items.is_empty() {
        json!({ "type": "array", "maxItems": 0 })
    } else {
        json!({ "type": "array", "items": items })
    }
}
