use std::borrow::Cow;

use super::*;
use crate::{Decoded, MAX_DEPTH, Message, Outcome, ProtocolError, Value};

fn message(json: &str) -> Message<'_> {
    match decode(json.as_bytes()) {
        Ok(Decoded::Message { message, .. }) => message,
        other => panic!("{json}: {other:?}"),
    }
}

fn error(json: &str) -> ProtocolError {
    decode(json.as_bytes()).expect_err(json)
}

fn item(json: &str) -> Value<'static> {
    match message(&format!(r#"{{"type":2,"invocationId":"1","item":{json}}}"#)).into_owned() {
        Message::StreamItem { item, .. } => item,
        other => panic!("{other:?}"),
    }
}

fn written(message: &Message<'_>) -> String {
    let mut out = Vec::new();
    encode(message, &mut out);
    String::from_utf8(out).unwrap()
}

fn written_item(item: Value<'_>) -> String {
    let json = written(&Message::StreamItem { invocation_id: "1".into(), item });
    let value = json.strip_prefix(r#"{"type":2,"invocationId":"1","item":"#);
    value.and_then(|rest| rest.strip_suffix('}')).expect("an item").to_owned()
}

#[test]
fn properties_come_in_any_order_among_unknown_ones() {
    let json = r#" { "arguments" : [1, {"a": []}] , "x": {"type": 9}, "target":"T", "y": [[null]], "type":1 } "#;
    let expected = Message::Invocation {
        invocation_id: None,
        target: "T".into(),
        arguments: vec![Value::Int(1), Value::map([("a", Value::Array(vec![]))])],
        stream_ids: vec![],
    };
    assert_eq!(message(json), expected);
}

#[test]
fn text_without_escapes_is_borrowed() {
    let Message::Invocation { target, arguments, .. } =
        message(r#"{"type":1,"target":"Toast","arguments":["plain","\n"]}"#)
    else {
        panic!("no invocation");
    };
    assert!(matches!(target, Cow::Borrowed("Toast")));
    assert!(matches!(arguments[0], Value::String(Cow::Borrowed("plain"))));
    assert_eq!(arguments[1].as_str(), Some("\n"));
}

#[test]
fn null_stands_for_an_absent_optional_property() {
    assert_eq!(
        message(r#"{"type":1,"invocationId":null,"streamIds":null,"headers":null,"target":"T","arguments":[]}"#),
        message(r#"{"type":1,"target":"T","arguments":[]}"#)
    );
    assert_eq!(
        message(r#"{"type":3,"invocationId":"1","result":null,"error":null}"#),
        Message::Completion { invocation_id: "1".into(), outcome: Outcome::Value(Value::Null) }
    );
    assert_eq!(
        message(r#"{"type":7,"error":null,"allowReconnect":null}"#),
        Message::Close { error: None, allow_reconnect: false }
    );
    assert_eq!(error(r#"{"type":5,"invocationId":null}"#).to_string(), "Missing required property 'invocationId'.");
}

#[test]
fn an_empty_id_is_none() {
    let Message::Invocation { invocation_id, .. } =
        message(r#"{"type":1,"invocationId":"","target":"T","arguments":[]}"#)
    else {
        panic!("no invocation");
    };
    assert_eq!(invocation_id, None);
    for json in [
        r#"{"type":2,"invocationId":"","item":1}"#,
        r#"{"type":3,"invocationId":""}"#,
        r#"{"type":4,"invocationId":"","target":"T","arguments":[]}"#,
        r#"{"type":5,"invocationId":""}"#,
    ] {
        assert_eq!(error(json), ProtocolError::MissingProperty { property: "invocationId" }, "{json}");
    }
    let empty_target = r#"{"type":1,"target":"","arguments":[]}"#;
    assert_eq!(error(empty_target), ProtocolError::MissingProperty { property: "target" });
}

#[test]
fn unknown_types_are_ignored_whatever_they_hold() {
    for (json, message_type) in [
        (r#"{"type":99}"#, 99),
        (r#"{"type":0,"invocationId":5}"#, 0),
        (r#"{"target":5,"type":10}"#, 10),
        (r#"{"type":-1}"#, -1),
    ] {
        assert_eq!(decode(json.as_bytes()), Ok(Decoded::Ignored { message_type }), "{json}");
    }
}

#[test]
fn errors_name_the_property() {
    for (json, text) in [
        (r#"{"type":"foo"}"#, "Expected 'type' to be of type Number."),
        (r#"{"type":1.5}"#, "Expected 'type' to be of type Number."),
        (r#"{"type":1,"invocationId":42}"#, "Expected 'invocationId' to be of type String."),
        (r#"{"type":1,"target":42}"#, "Expected 'target' to be of type String."),
        (r#"{"type":1,"target":"t","arguments":{}}"#, "Expected 'arguments' to be of type Array."),
        (r#"{"type":1,"target":"t","arguments":null}"#, "Expected 'arguments' to be of type Array."),
        (r#"{"type":1,"target":"t","arguments":[],"streamIds":[1]}"#, "Expected 'streamIds' to be of type String."),
        (r#"{"type":1,"headers":[],"target":"t","arguments":[]}"#, "Expected 'headers' to be of type Object."),
        (r#"{"type":1,"headers":{"Foo":null}}"#, "Expected header 'Foo' to be of type String."),
        (r#"{"type":2}"#, "Missing required property 'invocationId'."),
        (r#"{"type":3,"invocationId":"42","error":[]}"#, "Expected 'error' to be of type String."),
        (
            r#"{"type":3,"invocationId":"42","error":"foo","result":null}"#,
            "The 'error' and 'result' properties are mutually exclusive.",
        ),
        (r#"{"type":4,"target":"t","arguments":[]}"#, "Missing required property 'invocationId'."),
        (r#"{"type":7,"allowReconnect":1}"#, "Expected 'allowReconnect' to be true or false."),
        (r#"{"type":8}"#, "Missing required property 'sequenceId'."),
        (r#"{"type":9,"sequenceId":-1}"#, "Expected 'sequenceId' to be of type Number."),
        ("true", "Unexpected JSON Token Type 'True'. Expected a JSON Object."),
        ("-1", "Unexpected JSON Token Type 'Number'. Expected a JSON Object."),
    ] {
        assert_eq!(error(json).to_string(), text, "{json}");
    }
}

#[test]
fn errors_of_the_text_name_the_place() {
    for (json, reason, at) in [
        ("", "the message is empty", 0),
        ("x", "expected an object", 0),
        ("{", "expected a property name in quotes", 1),
        (r#"{"a""#, "expected ':' after a property name", 4),
        (r#"{"a":1"#, "expected ',' or '}' after a property", 6),
        (r#"{"a":1,}"#, "expected a property name in quotes", 7),
        (r#"{"a":[1,]}"#, "expected a value", 8),
        (r#"{"a":[1 2]}"#, "expected ',' or ']' after an item", 8),
        (r#"{"a":"#, "expected a value, found the end", 5),
        (r#"{"a":nul}"#, "expected a value", 5),
        (r#"{"a":01}"#, "expected ',' or '}' after a property", 6),
        (r#"{"a":-}"#, "expected a digit", 6),
        (r#"{"a":1.}"#, "expected a digit after '.'", 7),
        (r#"{"a":1e+}"#, "expected a digit in the exponent", 8),
        (r#"{"a":1e400}"#, "number out of range", 5),
        (r#"{"a":"b}"#, "text without end", 6),
        (r#"{"a":"\x"}"#, "unknown escape", 7),
        (r#"{"a":"\u00g0"}"#, "expected four hex digits", 8),
        (r#"{"a":"\u00"#, "expected four hex digits", 8),
        ("{\"a\":\"\n\"}", "control character in text", 6),
        (r#"{"type":6}{"#, "expected the end", 10),
    ] {
        assert_eq!(error(json), ProtocolError::Json { reason, at }, "{json}");
    }
    assert_eq!(decode(b"{\"a\":\"\xff\"}"), Err(ProtocolError::Json { reason: "no UTF-8", at: 6 }));
}

#[test]
fn escapes_are_read() {
    assert_eq!(item(r#""\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00.""#).as_str(), Some("\"\\/\u{8}\u{c}\n\r\té😀."));
}

#[test]
fn half_a_surrogate_pair_is_replaced() {
    for (json, text) in [
        (r#""\ud83d""#, "\u{fffd}"),
        (r#""a\ude00b""#, "a\u{fffd}b"),
        (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
        (r#""\ud83d\u0041""#, "\u{fffd}A"),
        (r#""\ud83d\n""#, "\u{fffd}\n"),
        (r#""\ud83dé""#, "\u{fffd}é"),
    ] {
        assert_eq!(item(json).as_str(), Some(text), "{json}");
    }
}

#[test]
fn numbers_keep_their_digits() {
    assert_eq!(item("9223372036854775807"), Value::Int(i64::MAX));
    assert_eq!(item("-9223372036854775808"), Value::Int(i64::MIN));
    assert_eq!(item("9223372036854775808"), Value::UInt(1 << 63));
    assert_eq!(item("18446744073709551615"), Value::UInt(u64::MAX));
    assert_eq!(item("18446744073709551616"), Value::Float(18_446_744_073_709_551_616.0));
    assert_eq!(item("0"), Value::Int(0));
    assert_eq!(item("1.0"), Value::Float(1.0));
    assert_eq!(item("-1.5E-3"), Value::Float(-0.0015));
}

#[test]
fn nesting_ends_at_the_limit() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let mixed = |levels: usize| format!("{}1{}", r#"{"a":["#.repeat(levels), "]}".repeat(levels));
    item(&nested(MAX_DEPTH));
    item(&mixed(MAX_DEPTH / 2));
    let too_deep = ProtocolError::TooDeep { limit: MAX_DEPTH };
    // Also in an ignored property, and without any closing bracket.
    assert_eq!(error(&format!(r#"{{"type":6,"x":{}}}"#, nested(MAX_DEPTH + 1))), too_deep);
    assert_eq!(error(&format!(r#"{{"type":6,"x":{}}}"#, mixed(MAX_DEPTH))), too_deep);
    assert_eq!(error(&format!(r#"{{"x":{}"#, "[".repeat(1_000_000))), too_deep);
}

#[test]
fn absent_properties_are_not_written() {
    for (message, json) in [
        (Message::Ping, r#"{"type":6}"#),
        (Message::Close { error: None, allow_reconnect: true }, r#"{"type":7,"allowReconnect":true}"#),
        (Message::Ack { sequence_id: 36 }, r#"{"type":8,"sequenceId":36}"#),
        (Message::Sequence { sequence_id: 1 }, r#"{"type":9,"sequenceId":1}"#),
        (Message::Completion { invocation_id: "1".into(), outcome: Outcome::Void }, r#"{"type":3,"invocationId":"1"}"#),
        (Message::CancelInvocation { invocation_id: "1".into() }, r#"{"type":5,"invocationId":"1"}"#),
    ] {
        assert_eq!(written(&message), json);
    }
}

#[test]
fn values_are_written_as_json_has_them() {
    for (value, json) in [
        (Value::from("\"\\\n\r\t\u{1e}\u{0}é/\u{7f}"), "\"\\\"\\\\\\n\\r\\t\\u001e\\u0000é/\u{7f}\""),
        (Value::Float(1.0), "1.0"),
        (Value::Float(1e300), "1e300"),
        (Value::Float(f64::NAN), "null"),
        (Value::Float(f64::NEG_INFINITY), "null"),
        (Value::UInt(u64::MAX), "18446744073709551615"),
        (Value::Int(i64::MIN), "-9223372036854775808"),
        (Value::binary(&b"hello"[..]), r#""aGVsbG8=""#),
        (Value::timestamp_millis(1_017_656_415_250), r#""2002-04-01T10:20:15.250Z""#),
        (Value::Local { seconds: 1_017_656_415, nanoseconds: 0 }, r#""2002-04-01T10:20:15""#),
        (Value::Date { days: 20_455 }, r#""2026-01-02""#),
        (Value::Timestamp { seconds: 0, nanoseconds: u32::MAX }, r#""1970-01-01T00:00:00.999999999Z""#),
        (Value::map([("b", Value::Null), ("a", Value::Array(vec![Value::Bool(false)]))]), r#"{"b":null,"a":[false]}"#),
    ] {
        assert_eq!(written_item(value), json);
    }
}
