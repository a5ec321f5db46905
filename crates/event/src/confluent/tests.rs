use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::{DecodeError, Record, Registry, TypeName, Value};

/// A registry of `a.Changed` with these fields.
fn registry(fields: &str) -> Registry {
    Registry::of(&[("a/Changed.v1.avsc", &schema("Changed", fields))]).unwrap()
}

fn schema(name: &str, fields: &str) -> String {
    format!(r#"{{"type": "record", "name": "{name}", "namespace": "com.example.a", "fields": [{fields}]}}"#)
}

fn declared(name: &str) -> TypeName {
    TypeName::parse(name).unwrap()
}

fn writer(reader: &str, written: &str) -> Result<Writer, WriterError> {
    let foreign = ForeignSchema::parse(7, &schema("Changed", written)).unwrap();
    registry(reader).writer(&foreign, &declared("a.Changed"))
}

/// Encodes JSON with one schema and reads it as an event type with these fields.
fn through(reader: &str, written: &str, json: &Json) -> Record {
    let body = registry(written).event_type("a.Changed").unwrap().encode_json(None, json).unwrap();
    writer(reader, written).unwrap().decode(&join(7, &body[10..])).unwrap()
}

#[track_caller]
fn incompatible(reader: &str, written: &str, field: &str, part: &str) {
    match writer(reader, written) {
        Err(error @ WriterError::Incompatible { .. }) => {
            let text = error.to_string();
            assert!(text.contains(&format!("`{field}`")) && text.contains(part), "{text}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_format_is_a_zero_and_an_id() {
    assert_eq!(split(&[0, 0, 0, 1, 2, 3, 4]), Some((258, &[3, 4][..])));
    assert_eq!(split(&join(u32::MAX, b"x")), Some((u32::MAX, &b"x"[..])));
    for other in [&b""[..], &[0], &[0, 1, 2, 3], &[0xc3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1], b"{\"a\": 1}"] {
        assert_eq!(split(other), None, "{other:02x?}");
    }
}

#[test]
fn what_another_schema_wrote_is_read_as_the_newest_version() {
    let reader = r#"{"name": "org", "type": "string", "aliases": ["org_id"]}, {"name": "count", "type": "long"},
        {"name": "share", "type": "double"}, {"name": "note", "type": ["null", "string"]},
        {"name": "kind", "type": {"type": "enum", "name": "K", "symbols": ["A", "B"], "default": "B"}},
        {"name": "plan", "type": "string", "default": "free"}"#;
    let written = r#"{"name": "extra", "type": {"type": "map", "values": "int"}}, {"name": "count", "type": "int"},
        {"name": "share", "type": "float"},
        {"name": "kind", "type": {"type": "enum", "name": "K", "symbols": ["C", "A"]}},
        {"name": "org_id", "type": "string"}"#;
    let json = json!({"extra": {"x": 1}, "count": -3, "share": 0.5, "kind": "C", "org_id": "acme"});
    let record = through(reader, written, &json);
    let text = |text: &str| Value::String(text.into());
    let values = [text("acme"), Value::Int(-3), Value::Float(0.5), Value::Null, text("B"), text("free")];
    assert_eq!(record.values(), values);
    assert_eq!(record.written_version(), 1);
    let known = through(reader, written, &json!({"extra": {}, "count": 1, "share": 1, "kind": "A", "org_id": "x"}));
    assert_eq!(known.get("kind"), Some(&text("A")));
}

#[test]
fn a_symbol_is_the_default_wherever_it_lies() {
    let reader = r#"{"name": "list", "type": {"type": "array", "items": {"type": "record", "name": "R", "fields": [
        {"name": "kind", "type": ["null", {"type": "enum", "name": "K", "symbols": ["A"], "default": "A"}]}]}}}"#;
    let written = reader.replace(r#"["A"]"#, r#"["Z", "A"]"#);
    let record = through(reader, &written, &json!({"list": [{"kind": "Z"}, {"kind": null}]}));
    assert_eq!(serde_json::to_value(&record).unwrap(), json!({"list": [{"kind": "A"}, {"kind": null}]}));
}

#[test]
fn what_cannot_be_read_is_refused_with_the_field() {
    let org = r#"{"name": "org", "type": "string"}"#;
    incompatible(org, r#"{"name": "organisation", "type": "string"}"#, "org", "missing");
    incompatible(org, r#"{"name": "org", "type": "long"}"#, "org", "long");
    incompatible(r#"{"name": "n", "type": "int"}"#, r#"{"name": "n", "type": "long"}"#, "n", "long");
    let typed = |r#type: &str| format!(r#"{{"name": "at", "type": {type}}}"#);
    let date = typed(r#"{"type": "int", "logicalType": "date"}"#);
    incompatible(&date, &typed(r#"{"type": "int", "logicalType": "time-millis"}"#), "at", "time-millis");
    incompatible(&typed(r#""int""#), &typed(r#"["string", "boolean"]"#), "at", "string");
    let symbols =
        |symbols| format!(r#"{{"name": "k", "type": {{"type": "enum", "name": "K", "symbols": {symbols}}}}}"#);
    incompatible(&symbols(r#"["A"]"#), &symbols(r#"["B"]"#), "k", "B");
}

/// A value that the reader cannot hold is refused only when it occurs.
#[test]
fn what_cannot_be_read_is_refused_when_it_comes() {
    let refused = |reader: &str, written: &str, json: Json| {
        let body = registry(written).event_type("a.Changed").unwrap().encode_json(None, &json).unwrap();
        writer(reader, written).unwrap().decode(&join(7, &body[10..])).unwrap_err().to_string()
    };
    let org = r#"{"name": "org", "type": "string"}"#;
    let nullable = r#"{"name": "org", "type": ["null", "string"]}"#;
    assert_eq!(through(org, nullable, &json!({"org": "acme"})).at(0), &Value::String("acme".into()));
    let error = refused(org, nullable, json!({"org": null}));
    assert!(error.contains("`org`: it may be null there, but not here"), "{error}");
    let number = r#"{"name": "n", "type": "long"}"#;
    let union = r#"{"name": "n", "type": ["string", "int", "null"]}"#;
    assert_eq!(through(number, union, &json!({"n": 7})).at(0), &Value::Int(7));
    let error = refused(number, union, json!({"n": "x"}));
    assert!(error.contains("`n`: its type is string there, and long here"), "{error}");
    let symbols =
        |symbols| format!(r#"{{"name": "k", "type": {{"type": "enum", "name": "K", "symbols": {symbols}}}}}"#);
    let (reader, written) = (symbols(r#"["A"]"#), symbols(r#"["A", "B"]"#));
    assert_eq!(through(&reader, &written, &json!({"k": "A"})).at(0), &Value::String("A".into()));
    let error = refused(&reader, &written, json!({"k": "B"}));
    assert!(error.contains("`k`: symbol 1 of the enum, which is unknown here"), "{error}");
}

/// The promotions of Avro, and times in other units.
#[test]
fn types_are_promoted() {
    let field = |r#type: &str| format!(r#"{{"name": "x", "type": {type}}}"#);
    let time = |logical: &str| format!(r#"{{"type": "long", "logicalType": "{logical}"}}"#);
    let text = |text: &str| Value::String(text.into());
    for (reader, written, json, expected) in [
        (r#""long""#, r#""int""#, json!(-3), Value::Int(-3)),
        (r#""float""#, r#""long""#, json!(3), Value::Float(3.0)),
        (r#""double""#, r#""float""#, json!(0.1), Value::Float(0.1)),
        (r#""bytes""#, r#""string""#, json!("ab"), Value::Bytes(b"ab"[..].into())),
        (r#""string""#, r#""bytes""#, json!("ab"), text("ab")),
        (&time("timestamp-millis"), r#""long""#, json!(1500), Value::Int(1500)),
        (&time("timestamp-millis"), &time("timestamp-micros"), json!(1_999), Value::Int(1)),
        (&time("timestamp-nanos"), &time("timestamp-millis"), json!(2), Value::Int(2_000_000)),
        (r#""long""#, &time("timestamp-micros"), json!(1_999), Value::Int(1_999)),
        (r#"["null", "string", "long"]"#, r#""int""#, json!(5), Value::Int(5)),
        (r#"["null", "string"]"#, r#""string""#, json!("a"), text("a")),
    ] {
        let record = through(&field(reader), &field(written), &json!({"x": json}));
        assert_eq!(record.at(0), &expected, "{written} as {reader}");
    }
}

#[test]
fn a_type_that_the_reader_does_not_need_is_passed_over() {
    let reader = r#"{"name": "org", "type": "string"}"#;
    let unused = r#"{"name": "tree", "type": {"type": "record", "name": "T", "fields": [
            {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
            {"name": "of", "type": ["null", "string", "long"]}, {"name": "nothing", "type": "null"},
            {"name": "time", "type": {"type": "fixed", "name": "D", "size": 12, "logicalType": "duration"}},
            {"name": "next", "type": {"type": "array", "items": "T"}}]}}"#;
    let written = format!("{unused}, {reader}");
    let tree = json!({"price": "1.50", "of": "x", "nothing": null, "time": "P1D", "next": [
        {"price": "-2", "of": 7, "nothing": null, "time": "PT1S", "next": []}]});
    assert_eq!(
        through(reader, &written, &json!({"tree": tree, "org": "acme"})).values(),
        [Value::String("acme".into())]
    );
}

#[test]
fn schemas_may_refer_to_others() {
    let money = r#"{"type": "record", "name": "Money", "namespace": "com.example.common", "fields": [
        {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "currency", "type": "Currency"}]}"#;
    let currency =
        r#"{"type": "enum", "name": "Currency", "namespace": "com.example.common", "symbols": ["EUR", "USD"]}"#;
    let referring = schema("Changed", r#"{"name": "price", "type": "com.example.common.Money"}"#);
    // As a registry would have it that keeps the schema in one piece.
    let whole = r#"{"name": "price", "type": {"type": "record", "name": "Money", "namespace": "com.example.common",
        "fields": [{"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "currency", "type": {"type": "enum", "name": "Currency", "symbols": ["EUR", "USD"]}}]}}"#;
    let registry = registry(whole);
    let body = registry
        .event_type("a.Changed")
        .unwrap()
        .encode_json(None, &json!({"price": {"amount": "9.90", "currency": "USD"}}));
    let body = join(7, &body.unwrap()[10..]);
    let foreign = ForeignSchema::parse_with(7, &referring, &[currency.to_owned(), money.to_owned()]).unwrap();
    let record = registry.writer(&foreign, &declared("a.Changed")).unwrap().decode(&body).unwrap();
    assert_eq!(serde_json::to_value(&record).unwrap(), json!({"price": {"amount": "9.90", "currency": "USD"}}));
    let error = ForeignSchema::parse_with(7, &referring, &[money.to_owned()]).unwrap_err().to_string();
    assert!(error.contains("Currency"), "{error}");
    let error = ForeignSchema::parse(7, &referring).unwrap_err().to_string();
    assert!(error.contains("com.example.common.Money"), "{error}");
}

#[test]
fn the_type_is_the_one_that_the_schema_names_or_else_the_event() {
    let fields = r#"{"name": "x", "type": "int"}"#;
    let registry = Registry::of(&[
        ("a/Changed.v1.avsc", &*schema("Changed", fields)),
        ("b/Other.v1.avsc", &*schema("Other", r#"{"name": "x", "type": "int", "default": 1}"#)),
    ])
    .unwrap();
    let named = |name: &str, declared_type| {
        let foreign = ForeignSchema::parse(7, &schema(name, fields)).unwrap();
        registry.writer(&foreign, &declared(declared_type)).map(|writer| writer.event_type().name().to_string())
    };
    assert_eq!(named("Changed", "b.Other").unwrap(), "a.Changed");
    assert_eq!(named("ChangedV2", "b.Other").unwrap(), "b.Other");
    let unknown = named("ChangedV2", "b.Gone").unwrap_err().to_string();
    assert!(unknown.contains("com.example.a.ChangedV2") && unknown.contains("b.Gone"), "{unknown}");
    let bare = ForeignSchema::parse(7, r#"{"type": "record", "name": "Changed", "fields": []}"#).unwrap();
    assert_eq!(registry.writer(&bare, &declared("b.Other")).unwrap().event_type().name().as_str(), "b.Other");
}

#[test]
fn the_version_is_that_of_the_schema_if_it_is_one() {
    let registry = Registry::builtin();
    let old = include_str!("../../../../schemas/license/LicenseUpdated.v1.avsc");
    let foreign = ForeignSchema::parse(7, old).unwrap();
    let writer = registry.writer(&foreign, &declared("license.LicenseUpdated")).unwrap();
    let event_type = registry.event_type("license.LicenseUpdated").unwrap();
    let body = event_type.encode_json(Some(1), &json!({"org": "acme", "plan": "pro", "seats": 3})).unwrap();
    let record = writer.decode(&join(7, &body[10..])).unwrap();
    assert_eq!(record.written_version(), 1);
    assert_eq!(record.values(), registry.decode(&body).unwrap().values());
}

#[test]
fn schemas_that_no_event_can_have_are_refused() {
    let refused = |text: &str| ForeignSchema::parse(7, text).unwrap_err().to_string();
    for (text, part) in [
        ("<html>", "not JSON"),
        (r#"{"type": "recor"}"#, "not an Avro schema"),
        (r#""string""#, "must be a record"),
        (
            r#"{"type": "record", "name": "R", "fields": [{"name": "next", "type": "R"}]}"#,
            "`R` contains itself without end",
        ),
        (&schema("R", r#"{"name": "u", "type": "Missing"}"#), "Missing"),
    ] {
        let error = refused(text);
        assert!(error.starts_with("schema 7") && error.contains(part), "{error}");
    }
    let large = format!("{}{}", schema("R", ""), " ".repeat(MAX_SCHEMA));
    assert!(refused(&large).contains("at most"), "{}", refused(&large));
    let deep = (0..40).fold("\"int\"".to_owned(), |inner, _| format!(r#"{{"type": "array", "items": {inner}}}"#));
    assert!(refused(&schema("R", &format!(r#"{{"name": "x", "type": {deep}}}"#))).contains("levels deep"));
    // Each record contains the one before it twice: a few lines describe a billion fields.
    let mut growing =
        r#"{"name": "f0", "type": {"type": "record", "name": "R0", "fields": [{"name": "x", "type": "int"}]}}"#
            .to_owned();
    for level in 1..30 {
        growing.push_str(&format!(
            r#", {{"name": "f{level}", "type": {{"type": "record", "name": "R{level}", "fields": [{{"name": "a", "type": "R{0}"}}, {{"name": "b", "type": "R{0}"}}]}}}}"#,
            level - 1
        ));
    }
    // It is written out once, and skipped within the bounds.
    let growing = schema("Top", &growing);
    let foreign = ForeignSchema::parse(7, &growing).unwrap();
    let registry = registry(r#"{"name": "x", "type": "int", "default": 1}"#);
    let writer = registry.writer(&foreign, &declared("a.Changed")).unwrap();
    let error = writer.decode(&join(7, &vec![0; crate::MAX_BODY - 5])).unwrap_err().to_string();
    assert!(error.contains("the record holds too many values"), "{error}");
}

/// Checking them would take forever, and a writer does not need them.
#[test]
fn defaults_within_defaults_take_no_time() {
    let mut fields =
        r#"{"name": "f0", "type": {"type": "record", "name": "R0", "fields": [{"name": "x", "type": "int", "default": 1}]}}"#
            .to_owned();
    for level in 1..28 {
        let inner = format!(r#""type": "R{}", "default": {{}}"#, level - 1);
        fields.push_str(&format!(
            r#", {{"name": "f{level}", "type": {{"type": "record", "name": "R{level}", "fields": [
            {{"name": "a", {inner}}}, {{"name": "b", {inner}}}]}}}}"#
        ));
    }
    ForeignSchema::parse(7, &schema("Changed", &fields)).unwrap();
}

#[test]
fn bodies_that_do_not_fit_are_refused() {
    let fields = r#"{"name": "x", "type": "string"}"#;
    let writer = writer(fields, fields).unwrap();
    let refused = |body: &[u8]| writer.decode(body).unwrap_err().to_string();
    assert!(refused(&join(7, &[4, b'a'])).contains("at `x`"), "{}", refused(&join(7, &[4, b'a'])));
    assert!(refused(&join(7, &[2, b'a', 9])).contains("1 bytes follow"));
    assert!(refused(&join(8, &[2, b'a'])).contains("does not name schema 7"));
    let size = crate::MAX_BODY + 1;
    assert_eq!(writer.decode(&vec![0; size]).unwrap_err(), DecodeError::TooLarge { size });
}

proptest! {
    /// A body in either encoding decodes to the same record.
    #[test]
    fn both_encodings_are_one(org in "[a-z]{1,8}", plan in ".{0,20}", seats: i32, ends in proptest::option::of(any::<i64>()), id: u32) {
        let registry = Registry::builtin();
        let event_type = registry.event_type("license.LicenseUpdated").unwrap();
        let json = json!({"org": org, "plan": plan, "seats": seats, "expires_at": ends});
        let body = event_type.encode_json(None, &json).unwrap();
        let text = include_str!("../../../../schemas/license/LicenseUpdated.v2.avsc");
        let foreign = ForeignSchema::parse(id, text).unwrap();
        let writer = registry.writer(&foreign, event_type.name()).unwrap();
        let read = writer.decode(&join(id, &body[10..])).unwrap();
        let own = registry.decode(&body).unwrap();
        prop_assert_eq!(read.values(), own.values());
        prop_assert_eq!(read.written_version(), own.written_version());
    }

    #[test]
    fn any_bytes_do_no_harm(datum in proptest::collection::vec(any::<u8>(), 0..300), text in ".{0,80}") {
        let registry = Registry::builtin();
        for event_type in registry.event_types() {
            let service = event_type.name().service().to_owned();
            let file = format!("{}/../../schemas/{service}/{}.v1.avsc", env!("CARGO_MANIFEST_DIR"), event_type.name().event());
            let foreign = ForeignSchema::parse(1, &std::fs::read_to_string(file).unwrap()).unwrap();
            let writer = registry.writer(&foreign, event_type.name()).unwrap();
            let _ = writer.decode(&join(1, &datum));
            let _ = writer.decode(&datum);
        }
        let _ = split(&datum);
        let _ = ForeignSchema::parse(1, &text);
    }
}
