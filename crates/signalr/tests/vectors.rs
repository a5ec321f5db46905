//! Every published vector of the hub protocol, decoded and encoded.

#![allow(missing_docs, clippy::unwrap_used)]

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fanfare_signalr::handshake::{self, Request};
use fanfare_signalr::{
    BindingError, BindingFailure, Decoded, Headers, Message, Outcome, Protocol, ProtocolError, Value, expect_arguments,
};
use serde_json::Value as Json;

const LIMIT: usize = 32 * 1024;

fn vectors(list: &str) -> Vec<Json> {
    let all: Json = serde_json::from_str(include_str!("vectors.json")).unwrap();
    let vectors = all[list].as_array().unwrap().clone();
    assert!(!vectors.is_empty());
    vectors
}

fn text<'v>(vector: &'v Json, key: &str) -> &'v str {
    vector[key].as_str().unwrap_or_else(|| panic!("no {key} in {vector}"))
}

fn bytes(vector: &Json) -> Vec<u8> {
    STANDARD.decode(text(vector, "bytes_b64")).unwrap()
}

fn is_handshake(vector: &Json) -> bool {
    text(vector, "protocol") == "handshake"
}

fn protocol(vector: &Json) -> Protocol {
    Protocol::from_name(text(vector, "protocol")).unwrap()
}

/// Decodes the one message in the bytes.
fn read(protocol: Protocol, bytes: &[u8]) -> Result<Decoded<'_>, ProtocolError> {
    let frame = protocol.split(bytes, LIMIT)?.expect("a whole message");
    assert_eq!(frame.consumed, bytes.len());
    protocol.decode(frame.body)
}

/// The value that a vector describes, with maps sorted by key.
fn described(json: &Json) -> Value<'_> {
    if let Some(seconds) = json["$timestamp"].as_i64() {
        return Value::Timestamp { seconds, nanoseconds: 0 };
    }
    if let Some(base64) = json["$bin_b64"].as_str() {
        return Value::binary(STANDARD.decode(base64).unwrap());
    }
    match json {
        Json::Array(items) => Value::Array(items.iter().map(described).collect()),
        Json::Object(entries) => {
            sorted(Value::map(entries.iter().map(|(name, value)| (name.as_str(), described(value)))))
        }
        plain => Value::from(plain),
    }
}

/// The value with its maps sorted by key.
fn sorted(value: Value<'_>) -> Value<'_> {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        Value::Map(mut entries) => {
            entries.sort_by(|(left, _), (right, _)| left.cmp(right));
            Value::Map(entries.into_iter().map(|(name, value)| (name, sorted(value))).collect())
        }
        plain => plain,
    }
}

fn sorted_message(message: Message<'_>) -> Message<'_> {
    match message {
        Message::Invocation { invocation_id, target, arguments, stream_ids } => {
            let arguments = arguments.into_iter().map(sorted).collect();
            Message::Invocation { invocation_id, target, arguments, stream_ids }
        }
        Message::StreamInvocation { invocation_id, target, arguments, stream_ids } => {
            let arguments = arguments.into_iter().map(sorted).collect();
            Message::StreamInvocation { invocation_id, target, arguments, stream_ids }
        }
        Message::StreamItem { invocation_id, item } => Message::StreamItem { invocation_id, item: sorted(item) },
        Message::Completion { invocation_id, outcome: Outcome::Value(result) } => {
            Message::Completion { invocation_id, outcome: Outcome::Value(sorted(result)) }
        }
        other => other,
    }
}

/// The message that a vector describes.
fn described_message(json: &Json) -> Message<'_> {
    let list = |key: &str| json[key].as_array().map(Vec::as_slice).unwrap_or_default();
    let optional = |key: &str| json[key].as_str().map(Cow::Borrowed);
    let id = || Cow::Borrowed(text(json, "invocationId"));
    let arguments = || list("arguments").iter().map(described).collect();
    let stream_ids = || list("streamIds").iter().map(|id| id.as_str().unwrap().into()).collect();
    match text(json, "type") {
        "Invocation" => Message::Invocation {
            invocation_id: optional("invocationId"),
            target: text(json, "target").into(),
            arguments: arguments(),
            stream_ids: stream_ids(),
        },
        "StreamInvocation" => Message::StreamInvocation {
            invocation_id: id(),
            target: text(json, "target").into(),
            arguments: arguments(),
            stream_ids: stream_ids(),
        },
        "StreamItem" => Message::StreamItem { invocation_id: id(), item: described(&json["item"]) },
        "Completion" => {
            let outcome = match optional("error") {
                Some(error) => Outcome::Error(error),
                None if json["hasResult"] == true => Outcome::Value(described(&json["result"])),
                None => Outcome::Void,
            };
            Message::Completion { invocation_id: id(), outcome }
        }
        "CancelInvocation" => Message::CancelInvocation { invocation_id: id() },
        "Ping" => Message::Ping,
        "Close" => {
            Message::Close { error: optional("error"), allow_reconnect: json["allowReconnect"].as_bool().unwrap() }
        }
        "Ack" => Message::Ack { sequence_id: json["sequenceId"].as_u64().unwrap() },
        "Sequence" => Message::Sequence { sequence_id: json["sequenceId"].as_u64().unwrap() },
        other => panic!("unknown type {other}"),
    }
}

fn described_headers(json: &Json) -> Headers<'_> {
    let entries = json["headers"].as_object().into_iter().flatten();
    let mut headers: Headers<'_> =
        entries.map(|(name, value)| (name.as_str().into(), value.as_str().unwrap().into())).collect();
    headers.sort();
    headers
}

#[test]
fn valid_messages_are_read_as_described() {
    for vector in vectors("vectors").iter().filter(|vector| !is_handshake(vector)) {
        let bytes = bytes(vector);
        let Ok(Decoded::Message { message, mut headers }) = read(protocol(vector), &bytes) else {
            panic!("{}", text(vector, "name"));
        };
        headers.sort();
        assert_eq!(sorted_message(message), described_message(&vector["message"]), "{vector}");
        assert_eq!(headers, described_headers(&vector["message"]), "{vector}");
    }
}

#[test]
fn valid_messages_are_written_as_described() {
    let mut exact = 0;
    for vector in vectors("vectors").iter().filter(|vector| !is_handshake(vector)) {
        if text(vector, "direction") == "parse" {
            continue;
        }
        let (bytes, protocol) = (bytes(vector), protocol(vector));
        let Ok(Decoded::Message { message, headers }) = read(protocol, &bytes) else {
            panic!("{vector}");
        };
        let mut written = Vec::new();
        protocol.encode(&message, &mut written);
        // Headers are never written; everything else is identical to the byte.
        if headers.is_empty() {
            assert_eq!(written, bytes, "{vector}");
            exact += 1;
        }
        let reread = read(protocol, &written);
        assert_eq!(reread, Ok(Decoded::Message { message, headers: Headers::new() }), "{vector}");

        let mut from_description = Vec::new();
        protocol.encode(&described_message(&vector["message"]), &mut from_description);
        let Ok(Decoded::Message { message, .. }) = read(protocol, &from_description) else {
            panic!("{vector}");
        };
        assert_eq!(sorted_message(message), described_message(&vector["message"]), "{vector}");
    }
    assert!(exact > 25, "only {exact} were compared to the byte");
}

#[test]
fn invalid_messages_end_the_connection_with_the_error_described() {
    for vector in vectors("invalid") {
        let error = read(protocol(&vector), &bytes(&vector)).expect_err(text(&vector, "name"));
        assert_eq!(error.to_string(), text(&vector, "error"), "{vector}");
    }
}

/// Checks arguments against a method's parameters, as a hub does.
fn bind(arguments: &[Value<'_>], parameters: &[Json]) -> Result<(), BindingError> {
    match parameters.len() {
        1 => expect_arguments::<1>(arguments).map(|_| ())?,
        2 => expect_arguments::<2>(arguments).map(|_| ())?,
        other => panic!("no vector has {other} parameters"),
    }
    let fits = |(argument, parameter): (&Value<'_>, &Json)| match parameter.as_str() {
        Some("int") => argument.as_i64().is_some(),
        Some("string") => argument.as_str().is_some(),
        other => panic!("unknown parameter {other:?}"),
    };
    if arguments.iter().zip(parameters).all(fits) { Ok(()) } else { Err(BindingError::ArgumentType) }
}

#[test]
fn binding_failures_fail_the_call_and_not_the_connection() {
    for vector in vectors("binding_failures") {
        let protocol = protocol(&vector);
        let mut stream = bytes(&vector);
        protocol.encode(&Message::Ping, &mut stream);
        let frame = protocol.split(&stream, LIMIT).unwrap().unwrap();
        let Ok(Decoded::Message { message: Message::Invocation { invocation_id, target, arguments, .. }, .. }) =
            protocol.decode(frame.body)
        else {
            panic!("{vector}");
        };
        let error = bind(&arguments, vector["expects_params"].as_array().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), text(&vector, "binding_error"), "{vector}");

        let id = invocation_id.clone().unwrap();
        let Some(Message::Completion { invocation_id, outcome: Outcome::Error(answer) }) =
            (BindingFailure { invocation_id, target, error }).into_completion(true)
        else {
            panic!("{vector}");
        };
        assert_eq!(invocation_id, id);
        assert!(answer.ends_with(text(&vector, "binding_error")));

        let next = read(protocol, &stream[frame.consumed..]);
        assert_eq!(next, Ok(Decoded::Message { message: Message::Ping, headers: Headers::new() }));
    }
}

#[test]
fn handshakes_are_read_and_answered_as_described() {
    let mut seen = 0;
    for vector in vectors("vectors").iter().filter(|vector| is_handshake(vector)) {
        let bytes = bytes(vector);
        if text(vector, "direction") == "write" {
            assert_eq!(handshake::ACCEPTED, bytes);
        } else {
            let request = Request {
                protocol: protocol(&vector["message"]),
                version: vector["message"]["version"].as_i64().unwrap(),
            };
            assert_eq!(Request::parse(&bytes, LIMIT), Ok(Some((request, bytes.len()))));
            assert_eq!(request.to_bytes(), bytes);
        }
        seen += 1;
    }
    assert_eq!(seen, 3);
}
