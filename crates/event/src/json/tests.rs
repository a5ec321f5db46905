use serde_json::json;

use super::*;
use crate::{Record, Registry, Value};

const ORDER: &str = r#"{"type": "record", "name": "Ordered", "namespace": "test.shop", "fields": [
    {"name": "user", "type": "string", "aliases": ["user_id", "customer"]},
    {"name": "paid", "type": "boolean", "default": false},
    {"name": "count", "type": "int", "default": 1},
    {"name": "total", "type": "long", "default": 0},
    {"name": "weight", "type": "float", "default": 0.5},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}, "default": 0},
    {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["open", "closed"]}, "default": "open"},
    {"name": "note", "type": ["null", "string"], "default": null},
    {"name": "code", "type": {"type": "fixed", "name": "Code", "size": 2}, "default": "ab"},
    {"name": "tags", "type": {"type": "map", "values": "int"}, "default": {}},
    {"name": "items", "type": {"type": "array", "items": {"type": "record", "name": "Item", "fields": [
        {"name": "name", "type": "string"}, {"name": "size", "type": ["null", "int"], "default": null}]}}, "default": []}
]}"#;

fn registry() -> Registry {
    Registry::of(&[("shop/Ordered.v1.avsc", ORDER)]).unwrap()
}

fn encoded(json: &Json) -> Result<Record, JsonMismatch> {
    let registry = registry();
    let body = registry.event_type("shop.Ordered").unwrap().encode_json(None, json)?;
    Ok(registry.decode(&body).unwrap())
}

#[track_caller]
fn mismatch(json: Json) -> (String, String, String, Option<String>) {
    let error = encoded(&json).expect_err("the input does not fit");
    assert_eq!(error.version, 1);
    (error.field, error.expected, error.found, error.suggestion.map(String::from))
}

#[test]
fn what_is_left_out_takes_its_default() {
    let record = encoded(&json!({"user": "alice"})).unwrap();
    let expected = [
        ("user", Value::String("alice".into())),
        ("paid", Value::Bool(false)),
        ("count", Value::Int(1)),
        ("weight", Value::Float(0.5)),
        ("state", Value::String("open".into())),
        ("note", Value::Null),
        ("code", Value::Bytes(b"ab"[..].into())),
        ("tags", Value::Record(vec![])),
        ("items", Value::List(vec![])),
    ];
    for (name, value) in expected {
        assert_eq!(record.get(name), Some(&value), "{name}");
    }
}

#[test]
fn aliases_are_names_too() {
    for name in ["user", "user_id", "customer"] {
        assert_eq!(encoded(&json!({name: "alice"})).unwrap().get("user"), Some(&Value::String("alice".into())));
    }
    let (field, expected, found, _) = mismatch(json!({"user": "alice", "user_id": "alice"}));
    assert_eq!((field.as_str(), expected.as_str()), ("user", "one value"));
    assert_eq!(found, "both `user` and an alias of it");
}

#[test]
fn timestamps_are_text_or_milliseconds() {
    for at in [json!("1970-01-01T00:00:01.500Z"), json!("1970-01-01T01:00:01.5+01:00"), json!(1500)] {
        assert_eq!(encoded(&json!({"user": "a", "at": at})).unwrap().get("at"), Some(&Value::Int(1500)), "{at}");
    }
    for (at, found) in [
        (json!("yesterday"), "a string of another form"),
        (json!(1.5), "a number with a fraction or an exponent"),
        (json!(u64::MAX), "a number out of range"),
        (json!(null), "null"),
    ] {
        let (field, expected, what, _) = mismatch(json!({"user": "a", "at": at}));
        assert_eq!((field.as_str(), what.as_str()), ("at", found));
        assert_eq!(expected, "timestamp (RFC 3339 text or milliseconds)");
    }
}

#[test]
fn nullable_fields_may_be_null_or_absent() {
    for json in [json!({"user": "a", "note": null}), json!({"user": "a"})] {
        assert_eq!(encoded(&json).unwrap().get("note"), Some(&Value::Null));
    }
    assert_eq!(mismatch(json!({"user": "a", "note": 1})).0, "note");
    assert_eq!(mismatch(json!({"user": "a", "count": null})).2, "null");
}

#[test]
fn a_wrong_type_is_named_with_its_field() {
    for (field, value, expected, found) in [
        ("user", json!(1), "string", "a number"),
        ("paid", json!("yes"), "boolean", "a string"),
        ("count", json!("1"), "int", "a string"),
        ("count", json!(1.5), "int", "a number with a fraction or an exponent"),
        ("count", json!(2_147_483_648_i64), "int", "a number out of range"),
        ("count", json!(-2_147_483_649_i64), "int", "a number out of range"),
        ("total", json!(9_223_372_036_854_775_808_u64), "long", "a number out of range"),
        ("weight", json!(1e39), "float", "a number out of range"),
        ("weight", json!([]), "float", "an array"),
        ("code", json!("abc"), "fixed of 2 bytes", "3 bytes"),
        ("code", json!("a✓"), "fixed of 2 bytes", "a string with a character above U+00FF"),
        ("state", json!(0), "one of open, closed", "a number"),
        ("items", json!({}), "array of record of name, size", "an object"),
        ("tags", json!([]), "map of int", "an array"),
    ] {
        let (at, what, is, _) = mismatch(json!({"user": "a", field: value}));
        if field != "user" {
            assert_eq!((at.as_str(), what.as_str(), is.as_str()), (field, expected, found));
        }
    }
    assert_eq!(mismatch(json!({"user": 1})), ("user".to_owned(), "string".to_owned(), "a number".to_owned(), None));
    assert_eq!(mismatch(json!(["user"])), (String::new(), "an object".to_owned(), "an array".to_owned(), None));
}

#[test]
fn what_is_missing_is_named() {
    assert_eq!(mismatch(json!({})), ("user".to_owned(), "string".to_owned(), "nothing".to_owned(), None));
    let (field, expected, found, _) = mismatch(json!({"user": "a", "items": [{"name": "x"}, {"size": 1}]}));
    assert_eq!((field.as_str(), expected.as_str(), found.as_str()), ("items[1].name", "string", "nothing"));
}

#[test]
fn an_unknown_field_is_refused_with_a_suggestion() {
    let (field, expected, found, suggestion) = mismatch(json!({"user": "a", "conut": 1}));
    assert_eq!((field.as_str(), found.as_str()), ("conut", "an unknown field"));
    assert!(expected.starts_with("one of the fields user, paid, count"), "{expected}");
    assert_eq!(suggestion.as_deref(), Some("count"));
    assert_eq!(mismatch(json!({"user": "a", "weather": 1})).3, None);
    let (field, .., suggestion) = mismatch(json!({"user": "a", "items": [{"name": "x", "sizes": 1}]}));
    assert_eq!((field.as_str(), suggestion.as_deref()), ("items[0].sizes", Some("size")));
    assert_eq!(mismatch(json!({"x".repeat(10_000): 1})).0.len(), 64);
}

#[test]
fn an_unknown_symbol_is_refused_with_a_suggestion() {
    let (field, expected, found, suggestion) = mismatch(json!({"user": "a", "state": "Closed"}));
    assert_eq!((field.as_str(), expected.as_str()), ("state", "one of open, closed"));
    assert_eq!((found.as_str(), suggestion.as_deref()), ("a string that is none of them", Some("closed")));
}

#[test]
fn paths_lead_into_lists_maps_and_records() {
    assert_eq!(mismatch(json!({"user": "a", "items": [{"name": "x"}, {"name": "y"}, {"name": 3}]})).0, "items[2].name");
    assert_eq!(mismatch(json!({"user": "a", "items": ["x"]})).0, "items[0]");
    assert_eq!(mismatch(json!({"user": "a", "tags": {"b": "x"}})).0, "tags[\"b\"]");
}

#[test]
fn the_message_is_the_whole_text() {
    let error = |json| encoded(&json).unwrap_err().to_string();
    assert_eq!(error(json!({"user": "a", "count": "x"})), "`count` of shop.Ordered v1: expected int, found a string");
    assert_eq!(error(json!(1)), "shop.Ordered v1: expected an object, found a number");
    let unknown = error(json!({"user": "a", "state": "opened"}));
    assert!(unknown.ends_with("found a string that is none of them; did you mean `open`?"), "{unknown}");
}

#[test]
fn the_message_never_repeats_the_input() {
    for json in [
        json!({"user": "a", "state": "secret"}),
        json!({"user": "a", "at": "secret"}),
        json!({"user": "a", "count": "secret"}),
    ] {
        let error = encoded(&json).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"));
    }
}

#[test]
fn a_version_may_be_chosen() {
    let registry = Registry::builtin();
    let updated = registry.event_type("license.LicenseUpdated").unwrap();
    let json = json!({"org": "acme", "plan": "pro", "seats": 5});
    for (asked, written) in [(None, 2), (Some(1), 1), (Some(2), 2)] {
        let body = updated.encode_json(asked, &json).unwrap();
        assert_eq!(registry.decode(&body).unwrap().written_version(), written);
    }
    let newer = json!({"org": "acme", "plan": "pro", "seats": 5, "expires_at": 7});
    let error = updated.encode_json(Some(1), &newer).unwrap_err();
    assert_eq!((error.field.as_str(), error.version), ("expires_at", 1));
    let unknown = updated.encode_json(Some(3), &json).unwrap_err();
    assert_eq!(unknown.to_string(), "license.LicenseUpdated v3: expected a version from 1 to 2, found version 3");
}

#[test]
fn what_is_too_large_is_refused() {
    let (field, expected, ..) = mismatch(json!({"user": "a".repeat(MAX_BODY)}));
    assert_eq!((field.as_str(), expected.as_str()), ("", "at most 1048576 bytes encoded"));
}

/// A field of free JSON has the text of its default, like the fields of other kinds.
#[test]
fn a_default_of_free_json_is_parsed_from_its_text() {
    let schema = |default: &str| {
        format!(
            r#"{{"type": "record", "name": "Shown", "fields": [
                {{"name": "board", "type": "string", "fanfare.json": true, "default": {default}}}]}}"#
        )
    };
    let registry = Registry::of(&[("a/Shown.v1.avsc", &schema(r#""{\"rows\": [1, null]}""#))]).unwrap();
    let body = registry.event_type("a.Shown").unwrap().encode_json(None, &json!({})).unwrap();
    let rows = Value::List(vec![Value::Int(1), Value::Null]);
    assert_eq!(registry.decode(&body).unwrap().get("board"), Some(&Value::Record(vec![("rows".into(), rows)])));
    let deep = format!("\"{}{}\"", "[".repeat(100), "]".repeat(100));
    for (default, told) in [("\"no json\"", "not JSON, at line 1"), ("\"\"", "not JSON"), (&*deep, "levels")] {
        let error = Registry::of(&[("a/Shown.v1.avsc", &schema(default))]).unwrap_err().to_string();
        assert!(error.contains("board") && error.contains(told), "{default}: {error}");
    }
}

/// A JSON number of more digits has lost some before anybody can say so.
#[test]
fn a_decimal_keeps_the_digits_of_a_number_or_is_refused() {
    let schema = r#"{"type": "record", "name": "Paid", "fields": [{"name": "user", "type": "string"}, {"name": "sum",
        "type": {"type": "bytes", "logicalType": "decimal", "precision": 30, "scale": 2}}]}"#;
    let registry = Registry::of(&[("a/Paid.v1.avsc", schema)]).unwrap();
    let encode = |sum: &str| {
        let data = serde_json::from_str(&format!(r#"{{"user": "alice", "sum": {sum}}}"#)).unwrap();
        let encoded = registry.event_type("a.Paid").unwrap().encode_json(None, &data);
        encoded.map(|body| registry.decode(&body).unwrap().get("sum").cloned()).map_err(|error| error.found)
    };
    for (sum, text) in [
        ("0.1", "0.10"),
        ("1234567890123.45", "1234567890123.45"),
        ("1e22", "10000000000000000000000.00"),
        ("18446744073709551615", "18446744073709551615.00"),
        (r#""12345678901234567.89""#, "12345678901234567.89"),
    ] {
        assert_eq!(encode(sum), Ok(Some(Value::String(text.into()))), "{sum}");
    }
    for sum in ["12345678901234567.89", "123456789012345678901234567890"] {
        assert!(encode(sum).is_err_and(|found| found.contains("write it as text")), "{sum}");
    }
}

/// Whether a number fits a fixed size is known only once it is encoded.
#[test]
fn a_decimal_that_takes_more_room_than_there_is_is_named() {
    let schema = r#"{"type": "record", "name": "Paid", "fields": [{"name": "user", "type": "string"}, {"name": "sum",
        "type": {"type": "fixed", "size": 2, "name": "Sum", "logicalType": "decimal", "precision": 4, "scale": 2}}]}"#;
    let registry = Registry::of(&[("a/Paid.v1.avsc", schema)]).unwrap();
    let encode = |sum: &str| {
        let data = json!({"user": "alice", "sum": sum});
        registry.event_type("a.Paid").unwrap().encode_json(None, &data).map_err(|error| (error.field, error.found))
    };
    assert!(encode("327.67").is_ok());
    assert_eq!(encode("327.68"), Err(("sum".to_owned(), "a value that is no decimal that fits".to_owned())));
    let (field, found) = encode(&"9".repeat(100_000)).unwrap_err();
    assert!(field == "sum" && found == "a decimal of 100000 characters, at most 2000 are read", "{found}");
}
