//! Avro's kinds beyond the plain ones: how they are read and represented.

use super::*;
use crate::{Kind, MAX_DEPTH};

fn field(r#type: &str) -> Registry {
    versions(&[&format!(r#"{{"name": "x", "type": {type}}}"#)])
}

fn of(registry: &Registry, json: &Json) -> Value {
    through(registry, 1, &json!({"x": json})).at(0).clone()
}

const DECIMAL: &str = r#"{"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 2}"#;

#[test]
fn a_decimal_is_exact_text() {
    for r#type in
        [DECIMAL, r#"{"type": "fixed", "name": "D", "size": 9, "logicalType": "decimal", "precision": 20, "scale": 2}"#]
    {
        let registry = field(r#type);
        for (json, expected) in [
            (json!("12.34"), "12.34"),
            (json!(12.3), "12.30"),
            (json!(-7), "-7.00"),
            (json!("123456789012345678.90"), "123456789012345678.90"),
            (json!("-0.01"), "-0.01"),
        ] {
            assert_eq!(of(&registry, &json), text(expected), "{json}");
        }
    }
    let registry = field(r#"{"type": "bytes", "logicalType": "big-decimal"}"#);
    for number in ["12.345", "-0.5", "700"] {
        assert_eq!(of(&registry, &json!(number)), text(number));
    }
}

#[test]
fn a_decimal_without_end_is_refused() {
    let registry = field(DECIMAL);
    // A body of more than a megabyte is refused earlier.
    let size = 10 << 20;
    assert!(matches!(registry.decode(&vec![0xc3; size]), Err(DecodeError::TooLarge { .. })));
    let long = 1_000_000;
    let (at, reason) = malformed(&registry, &[&[0x80, 0x89, 0x7a][..], &vec![1; long]].concat());
    assert_eq!((at.as_str(), reason.as_str()), ("x", "a decimal of 1000000 bytes, at most 512 are read"));
    let error =
        registry.event_type("a.Changed").unwrap().encode_json(None, &json!({"x": "9".repeat(long)})).unwrap_err();
    assert_eq!(
        (error.field.as_str(), error.found.as_str()),
        ("x", "a decimal of 1000000 characters, at most 2000 are read")
    );
    let error = registry.event_type("a.Changed").unwrap().encode_json(None, &json!({"x": "1.234"})).unwrap_err();
    assert_eq!(error.found, "a number with more than 2 digits after the point");
    let registry = field(r#"{"type": "bytes", "logicalType": "big-decimal"}"#);
    // One digit and a scale of a billion.
    let (_, reason) = malformed(&registry, &[14, 2, 1, 0x80, 0xa8, 0xd6, 0xb9, 0x07]);
    assert_eq!(reason, "a decimal of scale 1000000000, at most 1000 is read");
}

#[test]
fn uuids_and_durations_are_text() {
    let uuid = "067e6162-3b6f-4ae2-a171-2470b63dff00";
    for r#type in [
        r#"{"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"}"#,
        r#"{"type": "bytes", "logicalType": "uuid"}"#,
        r#"{"type": "string", "logicalType": "uuid"}"#,
    ] {
        assert_eq!(of(&field(r#type), &json!(uuid)), text(uuid), "{type}");
    }
    let registry = field(r#"{"type": "bytes", "logicalType": "uuid"}"#);
    assert_eq!(malformed(&registry, &[2, 7]).1, "1 bytes where a uuid has 16");
    let registry = field(r#"{"type": "fixed", "name": "D", "size": 12, "logicalType": "duration"}"#);
    assert_eq!(of(&registry, &json!("P1Y3DT2.5S")), text("P12M3DT2.5S"));
}

#[test]
fn a_union_is_the_value_that_it_holds() {
    let registry = field(
        r#"["null", "boolean", "int", "string", {"type": "array", "items": "int"},
        {"type": "record", "name": "A", "fields": [{"name": "a", "type": "int"}]},
        {"type": "record", "name": "B", "fields": [{"name": "b", "type": "string"}, {"name": "c", "type": "null"}]}]"#,
    );
    for json in
        [json!(null), json!(true), json!(7), json!("t"), json!([1, 2]), json!({"a": 1}), json!({"b": "x", "c": null})]
    {
        assert_eq!(serde_json::to_value(of(&registry, &json)).unwrap(), json, "{json}");
    }
    for branch in [7, 100, -1] {
        let (at, reason) = malformed(&registry, &[(branch << 1 ^ branch >> 31) as u8 & 0x7f]);
        assert_eq!(at, "x");
        assert!(reason.ends_with("of a union with 7 branches"), "{reason}");
    }
    let wrong =
        |json: Json| registry.event_type("a.Changed").unwrap().encode_json(None, &json!({"x": json})).unwrap_err();
    assert_eq!(wrong(json!(1.5)).found, "a number");
    assert_eq!((wrong(json!([1, "x"])).field.as_str(), wrong(json!([1, "x"])).expected.as_str()), ("x[1]", "int"));
}

#[test]
fn records_may_be_empty_and_fields_nothing_but_null() {
    let registry =
        versions(&[r#"{"name": "none", "type": "null"}, {"name": "empty", "type": {"type": "record", "name": "E",
        "fields": []}}, {"name": "list", "type": {"type": "array", "items": "E"}}, {"name": "nulls", "type":
        {"type": "array", "items": "null"}}"#]);
    let json = json!({"none": null, "empty": {}, "list": [{}, {}], "nulls": [null, null, null]});
    assert_eq!(serde_json::to_value(through(&registry, 1, &json)).unwrap(), json);
    assert_eq!(registry.event_type("a.Changed").unwrap().newest().fields[0].kind, Kind::Null);
    // Values of zero bytes are bounded by the number of values.
    let many = [0x82, 0x89, 0x7a, 0];
    let (at, reason) = malformed(&registry, &many);
    assert_eq!((at.as_str(), reason.as_str()), ("list", "the record holds too many values"));
}

const TREE: &str = r#"{"name": "tree", "type": {"type": "record", "name": "Tree", "fields": [
    {"name": "name", "type": "string", "default": ""}, {"name": "left", "type": ["null", "Tree"], "default": null},
    {"name": "more", "type": {"type": "array", "items": "Tree"}, "default": []}]}}"#;

#[test]
fn a_record_may_hold_itself() {
    let registry = versions(&[TREE]);
    let leaf = json!({"name": "leaf", "left": null, "more": []});
    let json =
        json!({"tree": {"name": "root", "left": leaf, "more": [leaf, {"name": "n", "left": leaf, "more": [leaf]}]}});
    assert_eq!(serde_json::to_value(through(&registry, 1, &json)).unwrap(), json);
    let body = registry.event_type("a.Changed").unwrap().encode_json(None, &json!({"tree": {"left": {}}})).unwrap();
    let record = registry.decode(&body).unwrap();
    assert_eq!(record.at(0).get("left").and_then(|left| left.get("name")), Some(&text("")));
}

#[test]
fn a_recursive_value_has_a_bounded_depth() {
    let registry = versions(&[TREE]);
    let nested = |levels: usize| {
        let open: Vec<u8> = [0, 2].repeat(levels);
        [open, vec![0, 0], vec![0; levels + 1]].concat()
    };
    // The event itself is one level.
    assert!(registry.decode(&body(&registry, &nested(MAX_DEPTH - 3))).is_ok());
    for levels in [MAX_DEPTH, 10_000] {
        let (at, reason) = malformed(&registry, &nested(levels));
        assert!(at.starts_with("tree.left.left"), "{at}");
        assert_eq!(reason, "lists, maps and records lie more than 56 levels deep");
    }
    let json = |levels: usize| (0..levels).fold(json!({}), |inner, _| json!({"left": inner}));
    let encode = |json: Json| registry.event_type("a.Changed").unwrap().encode_json(None, &json!({"tree": json}));
    assert!(encode(json(MAX_DEPTH - 3)).is_ok());
    assert_eq!(encode(json(MAX_DEPTH)).unwrap_err().expected, "at most 56 levels");
    // Skipping checks as much as reading.
    let gone = TREE.replacen(r#"]}}"#, r#"]}, "default": {}}"#, 1);
    let registry =
        versions(&[&format!(r#"{gone}, {{"name": "x", "type": "int"}}"#), r#"{"name": "x", "type": "int"}"#]);
    let fingerprint = registry.event_type("a.Changed").unwrap().versions()[0].fingerprint;
    let deep = [&MARKER[..], &fingerprint.to_le_bytes(), &nested(10_000), &[0]].concat();
    assert!(matches!(registry.decode(&deep), Err(DecodeError::Malformed { .. })));
    let flat = [&MARKER[..], &fingerprint.to_le_bytes(), &nested(3), &[14]].concat();
    assert_eq!(registry.decode(&flat).unwrap().values(), [Value::Int(7)]);
}

/// Two types of a union that differ only in their innermost part: trying both at each level would take forever.
#[test]
fn unions_that_are_much_alike_take_no_time_without_end() {
    let side = |name: &str, leaf: &str| {
        format!(
            r#"{{"type": "record", "name": "{name}", "fields": [{{"name": "of", "type": ["null", "A", "B"], "default": null}},
            {{"name": "leaf", "type": ["null", "{leaf}"], "default": null}}]}}"#
        )
    };
    let b = side("B", "int");
    let a = side("A", "boolean").replacen("\"B\"", &b, 1);
    let registry = field(&format!(r#"["null", {a}, "B"]"#));
    let deep = (0..45).fold(json!({"leaf": "neither"}), |inner, _| json!({"of": inner}));
    let error = registry.event_type("a.Changed").unwrap().encode_json(None, &json!({"x": deep})).unwrap_err();
    assert_eq!(error.version, 1, "{error}");
}

#[test]
fn free_json_is_checked_and_keeps_its_form() {
    let registry = versions(&[r#"{"name": "x", "type": ["null", "string"], "default": null, "fanfare.json": true}"#]);
    let json = json!({"z": [1, 2.5, null, true], "a": {"b": "text"}});
    let value = of(&registry, &json);
    assert_eq!(serde_json::to_value(&value).unwrap(), json);
    let bytes = |text: &str| [vec![2, (text.len() * 2) as u8], text.as_bytes().to_vec()].concat();
    let record = registry.decode(&body(&registry, &bytes(r#"{"z": 1, "a": 2}"#))).unwrap();
    let Value::Record(entries) = record.at(0) else { panic!("{:?}", record.at(0)) };
    assert_eq!(entries.iter().map(|(key, _)| &**key).collect::<Vec<_>>(), ["z", "a"], "in the order of the text");
    for (text, part) in [
        ("{", "text that is not JSON, at line 1 and column 1"),
        ("", "text that is not JSON"),
        ("1 2", "text that is not JSON"),
        (r#"{"a":1,"a":2}"#, "text that is not JSON"),
        (&"[".repeat(60), "lie more than 56 levels deep"),
    ] {
        let (at, reason) = malformed(&registry, &bytes(text));
        assert!(at == "x" && reason.contains(part), "{text}: {reason}");
    }
}

#[test]
fn a_float_keeps_its_shortest_form() {
    let registry = field(r#""float""#);
    for number in [0.1_f32, -2.5e-3, 16_777_216.0, 3.4e38, 1e-45, 0.0] {
        let record = registry.decode(&body(&registry, &number.to_le_bytes())).unwrap();
        let Value::Float(read) = record.at(0) else { panic!("{:?}", record.at(0)) };
        assert_eq!((read.to_string(), *read as f32), (number.to_string(), number));
    }
    for number in [f32::NAN, f32::INFINITY] {
        let record = registry.decode(&body(&registry, &number.to_le_bytes())).unwrap();
        assert_eq!(record.at(0).as_f64().map(f64::is_finite), Some(false));
    }
}

#[test]
fn bytes_in_json_may_be_base64() {
    let registry = field(r#""bytes""#);
    assert_eq!(of(&registry, &json!({"base64": "AP8="})), Value::Bytes([0, 255][..].into()));
    assert_eq!(of(&registry, &json!("\u{0}ÿ")), Value::Bytes([0, 255][..].into()));
    let wrong =
        |json: Json| registry.event_type("a.Changed").unwrap().encode_json(None, &json!({"x": json})).unwrap_err();
    assert_eq!(wrong(json!({"base64": "AP"})).found, "a string that is not base64");
    assert_eq!(wrong(json!({"b64": "AP8="})).found, "an object that is not {\"base64\": \"...\"}");
}
