mod hostile;
mod kinds;
mod properties;

use serde_json::{Value as Json, json};

use super::*;
use crate::{Record, Registry, Value};

/// A schema `a.Changed` with these fields.
fn schema(fields: &str) -> String {
    format!(r#"{{"type": "record", "name": "Changed", "namespace": "test.a", "fields": [{fields}]}}"#)
}

fn versions(fields: &[&str]) -> Registry {
    let files: Vec<_> = fields
        .iter()
        .enumerate()
        .map(|(index, fields)| (format!("a/Changed.v{}.avsc", index + 1), schema(fields)))
        .collect();
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    Registry::of(&files).unwrap()
}

/// Encodes with one version and decodes with all.
fn through(registry: &Registry, version: u32, json: &Json) -> Record {
    let body = registry.event_type("a.Changed").unwrap().encode_json(Some(version), json).unwrap();
    let record = registry.decode(&body).unwrap();
    assert_eq!(record.written_version(), version);
    record
}

/// A body of the newest version: the header and these bytes.
fn body(registry: &Registry, datum: &[u8]) -> Vec<u8> {
    let fingerprint = registry.event_type("a.Changed").unwrap().newest().fingerprint;
    [&MARKER[..], &fingerprint.to_le_bytes(), datum].concat()
}

/// The field and the reason of a malformed body.
#[track_caller]
fn malformed(registry: &Registry, datum: &[u8]) -> (String, String) {
    match registry.decode(&body(registry, datum)) {
        Err(DecodeError::Malformed { field, reason, .. }) => (field, reason),
        other => panic!("{datum:02x?} gave {other:?}"),
    }
}

fn text(text: &str) -> Value {
    Value::String(text.into())
}

/// Every type.
const ALL: &str = r#"
    {"name": "boolean", "type": "boolean"},
    {"name": "int", "type": "int"},
    {"name": "long", "type": "long"},
    {"name": "float", "type": "float"},
    {"name": "double", "type": "double"},
    {"name": "string", "type": "string"},
    {"name": "bytes", "type": "bytes"},
    {"name": "fixed", "type": {"type": "fixed", "name": "Two", "size": 2}},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "day", "type": {"type": "int", "logicalType": "date"}},
    {"name": "uuid", "type": {"type": "string", "logicalType": "uuid"}},
    {"name": "symbol", "type": {"type": "enum", "name": "E", "symbols": ["A", "B"]}},
    {"name": "list", "type": {"type": "array", "items": ["null", "int"]}},
    {"name": "map", "type": {"type": "map", "values": {"type": "array", "items": "string"}}},
    {"name": "record", "type": {"type": "record", "name": "Inner", "fields": [
        {"name": "symbol", "type": ["null", "E"]}, {"name": "two", "type": ["Two", "null"]}]}},
    {"name": "none", "type": ["null", "Inner"]}
"#;

#[test]
fn every_type_is_read_as_it_was_written() {
    let registry = versions(&[ALL]);
    let record = through(
        &registry,
        1,
        &json!({
            "boolean": true, "int": i32::MIN, "long": i64::MAX, "float": 0.5, "double": -1.25, "string": "ü\u{0}",
            "bytes": "\u{0}ÿ", "fixed": "ab", "at": "1970-01-01T00:00:01.5Z", "day": 3, "uuid": "x", "symbol": "B",
            "list": [1, null, -3], "map": {"b": [], "a": ["x", "y"]}, "record": {"symbol": "A", "two": "cd"}, "none": null,
        }),
    );
    let expected = [
        ("boolean", Value::Bool(true)),
        ("int", Value::Int(i32::MIN.into())),
        ("long", Value::Int(i64::MAX)),
        ("float", Value::Float(0.5)),
        ("double", Value::Float(-1.25)),
        ("string", text("ü\u{0}")),
        ("bytes", Value::Bytes([0, 255][..].into())),
        ("fixed", Value::Bytes(b"ab"[..].into())),
        ("at", Value::Int(1500)),
        ("day", Value::Int(3)),
        ("uuid", text("x")),
        ("symbol", text("B")),
        ("list", Value::List(vec![Value::Int(1), Value::Null, Value::Int(-3)])),
        (
            "map",
            Value::Record(vec![
                ("a".into(), Value::List(vec![text("x"), text("y")])),
                ("b".into(), Value::List(vec![])),
            ]),
        ),
        ("record", Value::Record(vec![("symbol".into(), text("A")), ("two".into(), Value::Bytes(b"cd"[..].into()))])),
        ("none", Value::Null),
    ];
    for (index, (name, value)) in expected.iter().enumerate() {
        assert_eq!(record.get(name), Some(value), "{name}");
        assert_eq!(record.at(index), value, "{name}");
    }
    assert_eq!((record.at(99), record.get("other")), (&Value::Null, None));
}

#[test]
fn old_records_take_the_defaults_of_the_newest_version() {
    let old = r#"{"name": "gone", "type": {"type": "array", "items": "string"}, "default": []}, {"name": "x", "type": "int"}"#;
    let middle = r#"{"name": "x", "type": "int"}, {"name": "y", "type": "string", "default": "middle"}"#;
    let new = r#"{"name": "y", "type": "string", "default": "new"}, {"name": "z", "type": ["null", "int"], "default": null},
        {"name": "x", "type": "int"}"#;
    let registry = versions(&[old, middle, new]);
    let first = through(&registry, 1, &json!({"gone": ["a", "b"], "x": 1}));
    assert_eq!(first.values(), [text("new"), Value::Null, Value::Int(1)]);
    let second = through(&registry, 2, &json!({"x": 2}));
    assert_eq!(second.values(), [text("middle"), Value::Null, Value::Int(2)]);
    let third = through(&registry, 3, &json!({"x": 3, "z": 4}));
    assert_eq!(third.values(), [text("new"), Value::Int(4), Value::Int(3)]);
}

#[test]
fn a_renamed_field_keeps_its_value() {
    let old = r#"{"name": "user_id", "type": "string", "default": ""}"#;
    let new = r#"{"name": "user", "type": "string", "aliases": ["user_id"], "default": ""}"#;
    let record = through(&versions(&[old, new]), 1, &json!({"user_id": "alice"}));
    assert_eq!((record.get("user"), record.get("user_id")), (Some(&text("alice")), Some(&text("alice"))));
}

#[test]
fn a_symbol_that_was_given_up_is_the_default() {
    let symbols = |symbols: &str| {
        format!(r#"{{"name": "x", "type": {{"type": "enum", "name": "E", "symbols": [{symbols}], "default": "B"}}}}"#)
    };
    let registry = versions(&[&symbols(r#""A", "B""#), &symbols(r#""B", "C""#)]);
    assert_eq!(through(&registry, 1, &json!({"x": "A"})).at(0), &text("B"));
    assert_eq!(through(&registry, 1, &json!({"x": "B"})).at(0), &text("B"));
    assert_eq!(through(&registry, 2, &json!({"x": "C"})).at(0), &text("C"));
}

#[test]
fn nested_records_are_laid_out_as_the_newest_too() {
    let items = |fields: &str| {
        let record = format!(r#"{{"type": "record", "name": "R", "fields": [{fields}]}}"#);
        format!(
            r#"{{"name": "list", "type": {{"type": "array", "items": ["null", {record}]}}}},
            {{"name": "map", "type": {{"type": "map", "values": "R"}}}}, {{"name": "one", "type": "R"}}"#
        )
    };
    let old = items(r#"{"name": "a", "type": "int"}, {"name": "gone", "type": "string", "default": ""}"#);
    let new = items(r#"{"name": "b", "type": "string", "default": "new"}, {"name": "a", "type": "int"}"#);
    let record = through(
        &versions(&[&old, &new]),
        1,
        &json!({"list": [{"a": 1, "gone": "x"}, null], "map": {"k": {"a": 2}}, "one": {"a": 3}}),
    );
    let inner = |a: i64| Value::Record(vec![("b".into(), text("new")), ("a".into(), Value::Int(a))]);
    assert_eq!(record.at(0), &Value::List(vec![inner(1), Value::Null]));
    assert_eq!(record.at(1), &Value::Record(vec![("k".into(), inner(2))]));
    assert_eq!(record.at(2), &inner(3));
}

/// Lists and maps in several blocks, with and without their size in bytes, as other implementations write them.
#[test]
fn blocks_of_other_writers_are_read() {
    let registry = versions(&[r#"{"name": "x", "type": {"type": "array", "items": "int"}}"#]);
    let list = Value::List(vec![Value::Int(1), Value::Int(2), Value::Int(64)]);
    for datum in [&[2, 2, 4, 4, 0x80, 1, 0][..], &[6, 2, 4, 0x80, 1, 0], &[1, 2, 2, 3, 6, 4, 0x80, 1, 0]] {
        assert_eq!(registry.decode(&body(&registry, datum)).unwrap().at(0), &list, "{datum:02x?}");
    }
    for (datum, reason) in [
        (&[1, 4, 2, 4, 0][..], "a block whose items have another size than it says"),
        (&[3, 2, 2, 4, 0], "a block whose items have another size than it says"),
        (&[1, 8, 2, 0], "a length of 4 where 2 bytes are left"),
        (&[1, 1, 2, 0], "a length of -1 where 2 bytes are left"),
    ] {
        assert_eq!(malformed(&registry, datum), ("x".to_owned(), reason.to_owned()), "{datum:02x?}");
    }
    let registry = versions(&[r#"{"name": "x", "type": {"type": "map", "values": "int"}}"#]);
    let map = Value::Record(vec![("a".into(), Value::Int(1)), ("b".into(), Value::Int(2))]);
    // One block with its size, one without, and the keys in any order.
    let datum = [1, 6, 2, b'b', 4, 2, 2, b'a', 2, 0];
    assert_eq!(registry.decode(&body(&registry, &datum)).unwrap().at(0), &map);
    let twice = [2, 2, b'a', 4, 2, 2, b'a', 2, 0];
    assert_eq!(malformed(&registry, &twice).1, "a map has a duplicate key");
}
