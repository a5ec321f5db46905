//! Faults of one schema file.

use proptest::prelude::*;

use super::*;

/// The field and the text of the fault in the only file.
fn fault(text: &str) -> (Option<String>, String) {
    match Registry::of(&[("a/Changed.v1.avsc", text)]) {
        Err(error @ RegistryError::Invalid { .. }) => {
            assert_eq!(error.file(), Path::new("a/Changed.v1.avsc"));
            (error.field().map(str::to_owned), error.to_string())
        }
        other => panic!("{text} gave {other:?}"),
    }
}

#[track_caller]
fn expect(text: &str, field: Option<&str>, fragment: &str) {
    let (found, message) = fault(text);
    assert_eq!(found.as_deref(), field, "{message}");
    assert!(message.contains(fragment), "{message}");
}

#[test]
fn a_file_must_be_a_record_of_the_right_name() {
    expect("{", None, "not JSON");
    expect(r#"{"type": "recrd"}"#, None, "not an Avro schema");
    expect(r#""string""#, None, "must be a record");
    expect(r#"{"type": "enum", "name": "Changed", "symbols": ["A"]}"#, None, "must be a record");
    expect(
        r#"{"type": "record", "name": "Altered", "fields": []}"#,
        None,
        "`Altered`, by its path it should be `Changed`",
    );
}

#[test]
fn what_no_event_can_have_is_named_with_its_field() {
    for (r#type, fragment) in [
        (r#"["null"]"#, "a union without a type"),
        (
            r#"{"type": "bytes", "logicalType": "decimal", "precision": 2000, "scale": 1500}"#,
            "at most 1000 digits after the point, not 1500",
        ),
    ] {
        expect(&schema(&format!(r#"{{"name": "x", "type": {type}}}"#), ""), Some("x"), fragment);
    }
    let nested = r#"{"name": "outer", "type": {"type": "record", "name": "R", "fields": [
        {"name": "items", "type": {"type": "array", "items": ["null"]}}]}}"#;
    expect(&schema(nested, ""), Some("outer.items[]"), "a union without a type");
    let beside = r#"{"name": "at", "type": "long", "logicalType": "timestamp-millis"}"#;
    expect(&schema(beside, ""), Some("at"), "belongs within the type");
    let json = |field: &str| schema(&format!(r#"{{"name": "x", {field}}}"#), "");
    expect(
        &json(r#""type": "int", "fanfare.json": true"#),
        Some("x"),
        "`fanfare.json` needs a string, and this is int",
    );
    expect(&json(r#""type": "string", "fanfare.json": 1"#), Some("x"), "must be true or false");
    expect(&json(r#""type": "string", "fanfare.jsn": true"#), Some("x"), "did you mean `fanfare.json`?");
}

#[test]
fn a_fault_names_its_line() {
    let text = "{\"type\": \"record\", \"name\": \"Changed\", \"fields\": [\n {\"name\": \"y\", \"type\": \"int\"},\n\
                {\"name\": \"x\", \"type\": [\"null\"]}]}";
    let error = Registry::of(&[("a/Changed.v1.avsc", text)]).unwrap_err();
    assert_eq!(error.line(), Some(3), "{error}");
    assert!(error.to_string().starts_with("a/Changed.v1.avsc:3: field `x`: "), "{error}");
    assert!(error.reason().starts_with("field `x`: "), "{}", error.reason());
    let error = Registry::of(&[("a/Changed.v1.avsc", "{\n\n]")]).unwrap_err();
    assert_eq!(error.line(), Some(3), "{error}");
    let older = text.replace("[\"null\"]", "\"int\"");
    let newer = older.replace("\"y\", \"type\": \"int\"", "\"y\", \"type\": \"string\"");
    let error = Registry::of(&[("a/Changed.v1.avsc", &*older), ("a/Changed.v2.avsc", &*newer)]).unwrap_err();
    assert!(error.to_string().starts_with("a/Changed.v2.avsc:2: field `y`: v2 cannot read"), "{error}");
}

#[test]
fn a_record_that_never_ends_is_refused() {
    let direct = r#"{"name": "next", "type": "test.a.Changed"}"#;
    expect(&schema(direct, ""), None, "`Changed` contains itself without end");
    let mutual = r#"{"name": "tree", "type": {"type": "record", "name": "Tree", "fields": [
        {"name": "leaf", "type": {"type": "record", "name": "Leaf", "fields": [{"name": "tree", "type": "Tree"}]}}]}}"#;
    expect(&schema(mutual, ""), None, "contains itself without end");
}

#[test]
fn a_type_may_be_used_again() {
    let again = r#"{"name": "one", "type": {"type": "enum", "name": "E", "symbols": ["A"]}},
        {"name": "two", "type": "E"}, {"name": "many", "type": {"type": "array", "items": "test.a.E"}}"#;
    let registry = versions(&[again]).unwrap();
    let changed = registry.event_type("a.Changed").unwrap();
    let body = changed.encode_json(None, &json!({"one": "A", "two": "A", "many": ["A"]})).unwrap();
    let record = registry.decode(&body).unwrap();
    assert_eq!(record.get("two"), Some(&Value::String("A".into())));
}

#[test]
fn schemas_that_grow_or_nest_without_end_are_refused() {
    // Each record contains the previous one twice: a thousand lines would have 2^1000 fields.
    let mut fields = vec![
        r#"{"name": "f0", "type": {"type": "record", "name": "R0", "fields": [{"name": "x", "type": "int"}]}}"#
            .to_owned(),
    ];
    for level in 1..25 {
        let inner = format!(r#"{{"name": "a", "type": "R{0}"}}, {{"name": "b", "type": "R{0}"}}"#, level - 1);
        fields.push(format!(
            r#"{{"name": "f{level}", "type": {{"type": "record", "name": "R{level}", "fields": [{inner}]}}}}"#
        ));
    }
    // Each record is written out once, however often it is used.
    Registry::of(&[("a/Changed.v1.avsc", &schema(&fields.join(","), ""))]).unwrap();
    // A default that contains defaults still grows.
    let with_default = fields[..19].join(",").replace(r#""type": "int""#, r#""type": "int", "default": 0"#);
    let with_default = (0..19).fold(with_default, |fields, level| {
        fields.replace(&format!(r#""type": "R{level}"}}"#), &format!(r#""type": "R{level}", "default": {{}}}}"#))
    });
    let (_, message) = fault(&schema(&with_default, ""));
    assert!(message.contains("expected at most 100000 values"), "{message}");
    let deep = format!("{}\"int\"{}", r#"{"type": "array", "items": "#.repeat(40), "}".repeat(40));
    expect(&schema(&format!(r#"{{"name": "x", "type": {deep}}}"#), ""), Some("x"), "30 levels deep");
    let bottomless = format!("{}\"int\"{}", r#"{"type": "array", "items": "#.repeat(10_000), "}".repeat(10_000));
    expect(&schema(&format!(r#"{{"name": "x", "type": {bottomless}}}"#), ""), None, "not JSON");
}

#[test]
fn names_and_aliases_must_be_distinct() {
    for (fields, name) in [
        (r#"{"name": "x", "type": "int"}, {"name": "x", "type": "int"}"#, "x"),
        (r#"{"name": "x", "type": "int", "aliases": ["y"]}, {"name": "y", "type": "int"}"#, "y"),
        (r#"{"name": "x", "type": "int"}, {"name": "y", "type": "int", "aliases": ["x"]}"#, "x"),
        (r#"{"name": "x", "type": "int", "aliases": ["z"]}, {"name": "y", "type": "int", "aliases": ["z"]}"#, "z"),
    ] {
        let (_, message) = fault(&schema(fields, ""));
        assert!(
            message.contains(&format!("name {name}")) || message.contains(&format!("`{name}` is a name or an alias")),
            "{message}"
        );
    }
}

#[test]
fn defaults_must_fit() {
    for field in [
        r#"{"name": "x", "type": ["null", "int"], "default": 3000000000}"#,
        r#"{"name": "x", "type": {"type": "enum", "name": "E", "symbols": ["A"]}, "default": "B"}"#,
        r#"{"name": "x", "type": "string", "default": null}"#,
        r#"{"name": "x", "type": "int", "default": "1"}"#,
        r#"{"name": "x", "type": "long", "default": 18446744073709551615}"#,
    ] {
        let (_, message) = fault(&schema(field, ""));
        assert!(message.contains("default") || message.contains("not an Avro schema"), "{message}");
    }
}

#[test]
fn the_key_must_name_fields() {
    let fields = r#"{"name": "flag", "type": "string", "aliases": ["name"]}, {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "revision", "type": ["null", "long"], "default": null}"#;
    let with = |attributes: &str| schema(fields, attributes);
    expect(&with(r#", "fanfare.key": "flga""#), Some("flga"), "did you mean `flag`?");
    expect(&with(r#", "fanfare.key": ["flag", "colour"]"#), Some("colour"), "not there");
    expect(&with(r#", "fanfare.key": ["flag", "flag"]"#), Some("flag"), "twice");
    expect(&with(r#", "fanfare.key": ["flag", "name"]"#), Some("name"), "twice");
    expect(&with(r#", "fanfare.key": "tags""#), Some("tags"), "needs a string");
    expect(&with(r#", "fanfare.key": []"#), None, "name of a field or a list");
    expect(&with(r#", "fanfare.key": 3"#), None, "name of a field or a list");
    expect(&with(r#", "fanfare.key": "flag", "fanfare.revision": "flag""#), Some("flag"), "needs a long");
    expect(&with(r#", "fanfare.key": "flag", "fanfare.revision": ["revision"]"#), None, "name of a field");
    expect(&with(r#", "fanfare.key": "flag", "fanfare.revision": "rev""#), Some("rev"), "not there");
    expect(&with(r#", "fanfare.revision": "revision""#), None, "needs a `fanfare.key`");
    expect(&with(r#", "fanfare.keys": "flag""#), None, "did you mean `fanfare.key`?");
    Registry::of(&[("a/Changed.v1.avsc", &with(r#", "fanfare.key": "flag", "fanfare.revision": "revision""#))])
        .unwrap();
}

/// apache-avro panics on these in its canonical form.
#[test]
fn attributes_of_others_do_no_harm() {
    for attribute in
        [r#""size": true"#, r#""precision": "x""#, r#""items": 5"#, r#""symbols": null"#, r#""values": [1]"#]
    {
        let at_field = schema(&format!(r#"{{"name": "x", "type": "int", {attribute}}}"#), "");
        let at_record = schema(r#"{"name": "x", "type": "int"}"#, &format!(", {attribute}"));
        for text in [at_field, at_record] {
            // It loads or is refused.
            let _ = Registry::of(&[("a/Changed.v1.avsc", &text)]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// A file with a few bytes changed loads or is refused.
    #[test]
    fn damaged_files_do_no_harm(file in 0..builtin::FILES.len(), edits in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4)) {
        let (path, text) = builtin::FILES[file];
        let path = path.replace(".v2.", ".v1.");
        let mut bytes = text.as_bytes().to_vec();
        for (index, byte) in edits {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = Registry::of(&[(&path, &String::from_utf8_lossy(&bytes))]);
    }

    /// A file with one of its JSON values replaced by another loads or is refused.
    #[test]
    fn reshaped_files_do_no_harm(file in 0..builtin::FILES.len(), at in any::<proptest::sample::Index>(), with in 0..9_usize) {
        let (path, text) = builtin::FILES[file];
        let path = path.replace(".v2.", ".v1.");
        let mut json: serde_json::Value = serde_json::from_str(text).unwrap();
        let replacements = [json!(null), json!(true), json!(-1), json!(1e300), json!(""), json!("x.y"), json!([]), json!({}), json!({"type": "int", "size": {}})];
        let count = count(&json);
        *nth(&mut json, &mut at.index(count)).unwrap() = replacements[with].clone();
        let _ = Registry::of(&[(&path, &json.to_string())]);
    }
}

fn count(json: &serde_json::Value) -> usize {
    1 + match json {
        serde_json::Value::Array(items) => items.iter().map(count).sum(),
        serde_json::Value::Object(entries) => entries.values().map(count).sum(),
        _ => 0,
    }
}

fn nth<'a>(json: &'a mut serde_json::Value, index: &mut usize) -> Option<&'a mut serde_json::Value> {
    if *index == 0 {
        return Some(json);
    }
    *index -= 1;
    match json {
        serde_json::Value::Array(items) => items.iter_mut().find_map(|item| nth(item, index)),
        serde_json::Value::Object(entries) => entries.values_mut().find_map(|item| nth(item, index)),
        _ => None,
    }
}
