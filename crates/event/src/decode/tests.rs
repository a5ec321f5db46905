use proptest::prelude::*;
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

/// Encodes as one version and reads with all.
fn through(registry: &Registry, version: u32, json: &Json) -> Record {
    let body = registry.event_type("a.Changed").unwrap().encode_json(Some(version), json).unwrap();
    let record = registry.decode(&body).unwrap();
    assert_eq!(record.written_version(), version);
    record
}

/// A body of the newest version with these bytes after the header.
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

/// Every type there is.
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
fn symbols_stay_what_was_written() {
    let symbols = |symbols: &str| {
        format!(r#"{{"name": "x", "type": {{"type": "enum", "name": "E", "symbols": [{symbols}], "default": "B"}}}}"#)
    };
    let registry = versions(&[&symbols(r#""A", "B""#), &symbols(r#""B", "C""#)]);
    assert_eq!(through(&registry, 1, &json!({"x": "A"})).at(0), &text("A"));
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

#[test]
fn bodies_in_another_encoding_are_refused() {
    let registry = versions(&[r#"{"name": "x", "type": "int"}"#]);
    for bytes in [
        &b""[..],
        b"{}",
        &MARKER,
        &[0xC3, 0x01, 0, 0, 0, 0, 0, 0, 0],
        b"{\"x\": 1, \"y\": 2}",
        &[0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7],
    ] {
        assert_eq!(registry.decode(bytes).unwrap_err(), DecodeError::NotSingleObject, "{bytes:02x?}");
    }
    let unknown = [0xC3, 0x01, 8, 7, 6, 5, 4, 3, 2, 1, 2];
    assert_eq!(
        registry.decode(&unknown).unwrap_err(),
        DecodeError::UnknownSchema { fingerprint: 0x0102_0304_0506_0708 }
    );
    let size = MAX_BODY + 1;
    assert_eq!(registry.decode(&vec![0; size]).unwrap_err(), DecodeError::TooLarge { size });
}

#[test]
fn what_follows_a_record_is_refused() {
    let registry = versions(&[r#"{"name": "x", "type": "int"}"#]);
    assert_eq!(registry.decode(&body(&registry, &[2])).unwrap().at(0), &Value::Int(1));
    match registry.decode(&body(&registry, &[2, 0, 0])) {
        Err(DecodeError::TrailingBytes { count: 2, version: 1, .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_truncation_is_refused() {
    let registry = Registry::builtin();
    let alert = registry.event_type("system.Alert").unwrap();
    let json =
        json!({"org": "acme", "user": "alice", "severity": "success", "title": "t", "message": "m", "link": "/x"});
    let whole = alert.encode_json(None, &json).unwrap();
    assert!(registry.decode(&whole).is_ok());
    for length in 0..whole.len() {
        assert!(registry.decode(&whole[..length]).is_err(), "{length}");
    }
}

/// The zigzag varint of a number.
fn varint(number: i64) -> Vec<u8> {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    let mut bytes = Vec::new();
    while rest > 0x7f {
        bytes.push((rest as u8) | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}

#[test]
fn absurd_lengths_are_refused() {
    let types = [
        r#""string""#,
        r#""bytes""#,
        r#"{"type": "array", "items": "int"}"#,
        r#"{"type": "array", "items": "boolean"}"#,
        r#"{"type": "map", "values": "int"}"#,
        r#"["null", "string"]"#,
        r#"{"type": "enum", "name": "E", "symbols": ["A"]}"#,
    ];
    for r#type in types {
        let registry = versions(&[&format!(r#"{{"name": "x", "type": {type}}}"#)]);
        for length in [1 << 20, 1 << 31, 1 << 40, i64::MAX, -(1 << 20), i64::MIN + 1, i64::MIN] {
            for rest in [&[][..], &[0; 100], &varint(1 << 40)] {
                let (field, _) = malformed(&registry, &[&varint(length), rest].concat());
                assert_eq!(field, "x");
            }
        }
        for endless in [&[0xff; 9][..], &[0xff; 100], &[0x80; 50]] {
            malformed(&registry, endless);
        }
    }
}

#[test]
fn lists_within_lists_cannot_multiply() {
    let nested = r#"{"name": "x", "type": {"type": "array", "items": {"type": "array", "items": {"type": "record", "name": "R",
        "fields": [{"name": "a", "type": "int"}, {"name": "b", "type": ["null", "int"], "default": null}]}}}}"#;
    let registry = versions(&[nested]);
    let (_, reason) = malformed(&registry, &[varint(30), varint(1 << 30), vec![0; 200]].concat());
    assert!(reason.contains("max sequence size"), "{reason}");
}

#[test]
fn a_record_of_too_many_values_is_refused() {
    let registry = versions(&[r#"{"name": "x", "type": {"type": "array", "items": "int"}}"#]);
    let list = |count: usize| [varint(count as i64), vec![0; count], vec![0]].concat();
    // The list itself is a value too.
    assert!(registry.decode(&body(&registry, &list(MAX_VALUES - 1))).is_ok());
    let (field, reason) = malformed(&registry, &list(MAX_VALUES));
    assert_eq!((field.as_str(), reason.as_str()), ("x", "the record holds too many values"));
}

/// One byte of an old record becomes a hundred values of the newest: the bound counts these.
#[test]
fn defaults_count_as_values() {
    let items = |fields: &str| {
        format!(
            r#"{{"name": "x", "type": {{"type": "array", "items": {{"type": "record", "name": "R", "fields": [{fields}]}}}}}}"#
        )
    };
    let old = r#"{"name": "a", "type": "boolean"}"#.to_owned();
    let new = (0..100)
        .fold(old.clone(), |fields, index| format!(r#"{fields}, {{"name": "f{index}", "type": "int", "default": 0}}"#));
    let registry = versions(&[&items(&old), &items(&new)]);
    let fingerprint = registry.event_type("a.Changed").unwrap().versions()[0].fingerprint;
    let body = [&MARKER[..], &fingerprint.to_le_bytes(), &varint(5000), &[1; 5000], &[0]].concat();
    assert!(matches!(registry.decode(&body), Err(DecodeError::Malformed { .. })));
}

#[test]
fn the_field_at_fault_is_named() {
    let nested = r#"{"name": "a", "type": "int"}, {"name": "outer", "type": {"type": "record", "name": "R", "fields": [
        {"name": "b", "type": "int"}, {"name": "inner", "type": ["null", {"type": "enum", "name": "E", "symbols": ["A", "B"]}]}]}}"#;
    let registry = versions(&[nested]);
    let (field, reason) = malformed(&registry, &[2, 2, 2, 6]);
    assert_eq!((field.as_str(), reason.as_str()), ("outer.inner", "symbol 3 of an enum with 2 symbols"));
    let (field, _) = malformed(&registry, &[2, 2, 4, 0]);
    assert_eq!(field, "outer.inner");
    let (field, _) = malformed(&registry, &[]);
    assert_eq!(field, "a");
    let error = registry.decode(&body(&registry, &[2])).unwrap_err().to_string();
    assert!(error.starts_with("a.Changed v1: the body does not fit the schema at `outer.b`: "), "{error}");
}

#[test]
fn bytes_that_no_value_has_are_refused() {
    for (r#type, datum) in [
        (r#""boolean""#, &[2][..]),
        (r#""string""#, &[2, 0xff]),
        (r#""int""#, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
        (r#"{"type": "map", "values": "int"}"#, &[4, 2, b'k', 2, 2, b'k', 4, 0]),
        (r#"{"type": "map", "values": "int"}"#, &[2, 2, 0xff, 2, 0]),
    ] {
        let registry = versions(&[&format!(r#"{{"name": "x", "type": {type}}}"#)]);
        let (field, _) = malformed(&registry, datum);
        assert_eq!(field, "x", "{type}");
    }
}

/// Lists in several blocks, with and without their size in bytes, as other writers have them.
#[test]
fn blocks_of_other_writers_are_read() {
    let registry = versions(&[r#"{"name": "x", "type": {"type": "array", "items": "int"}}"#]);
    let record = registry.decode(&body(&registry, &[2, 2, 3, 4, 4, 6, 0])).unwrap();
    assert_eq!(record.at(0), &Value::List(vec![Value::Int(1), Value::Int(2), Value::Int(3)]));
}

/// Records of [`ALL`], as JSON.
fn records() -> impl Strategy<Value = Json> {
    let bytes = |count| {
        proptest::collection::vec(0..=255_u8, count)
            .prop_map(|bytes| bytes.into_iter().map(char::from).collect::<String>())
    };
    let symbol = || prop_oneof![Just("A"), Just("B")];
    let inner = || {
        (proptest::option::of(symbol()), proptest::option::of(bytes(2..=2)))
            .prop_map(|(symbol, two)| json!({"symbol": symbol, "two": two}))
    };
    let scalars = (any::<bool>(), any::<i32>(), any::<i64>(), -1e30..1e30_f32, -1e300..1e300_f64, ".{0,20}");
    let others = (bytes(0..=20), bytes(2..=2), any::<i64>(), any::<i32>(), ".{0,5}", symbol());
    let list = proptest::collection::vec(proptest::option::of(any::<i32>()), 0..50);
    let map = proptest::collection::btree_map(".{0,5}", proptest::collection::vec(".{0,5}", 0..3), 0..5);
    (scalars, others, list, map, inner(), proptest::option::of(inner())).prop_map(
        |(
            (boolean, int, long, float, double, string),
            (bytes, fixed, at, day, uuid, symbol),
            list,
            map,
            record,
            none,
        )| {
            json!({"boolean": boolean, "int": int, "long": long, "float": float, "double": double, "string": string,
                "bytes": bytes, "fixed": fixed, "at": at, "day": day, "uuid": uuid, "symbol": symbol, "list": list,
                "map": map, "record": record, "none": none})
        },
    )
}

/// The values as JSON, bytes as JSON input has them.
fn as_json(value: &Value) -> Json {
    match value {
        Value::Bytes(bytes) => Json::String(bytes.iter().copied().map(char::from).collect()),
        Value::List(items) => items.iter().map(as_json).collect(),
        Value::Record(entries) => entries.iter().map(|(key, value)| (key.to_string(), as_json(value))).collect(),
        other => serde_json::to_value(other).unwrap(),
    }
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(json in records()) {
        let registry = versions(&[ALL]);
        let record = through(&registry, 1, &json);
        for (name, expected) in json.as_object().unwrap() {
            let found = as_json(record.get(name).unwrap());
            match (name.as_str(), expected.as_f64()) {
                // Through 32 bits and back.
                ("float", Some(expected)) => prop_assert_eq!(found.as_f64().map(|found| found as f32), Some(expected as f32)),
                _ => prop_assert_eq!(&found, expected, "{}", name),
            }
        }
    }

    #[test]
    fn damaged_bodies_do_no_harm(json in records(), edits in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6)) {
        let registry = versions(&[ALL]);
        let mut bytes = registry.event_type("a.Changed").unwrap().encode_json(None, &json).unwrap();
        for (index, byte) in edits {
            let at = HEADER + index.index(bytes.len() - HEADER);
            bytes[at] = byte;
        }
        let _ = registry.decode(&bytes);
    }

    #[test]
    fn random_bodies_do_no_harm(datum in proptest::collection::vec(any::<u8>(), 0..300)) {
        let registry = Registry::builtin();
        for schema in registry.event_types().flat_map(|event_type| event_type.versions()) {
            let _ = registry.decode(&[&MARKER[..], &schema.fingerprint.to_le_bytes(), &datum].concat());
        }
        let all = versions(&[ALL]);
        let _ = all.decode(&body(&all, &datum));
        let _ = all.decode(&datum);
    }
}
