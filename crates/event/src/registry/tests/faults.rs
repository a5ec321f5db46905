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
fn unsupported_types_are_named_with_their_field() {
    for (r#type, fragment) in [
        (r#""null""#, "always null"),
        (r#"["int", "string"]"#, "null and one other type"),
        (r#"["null", "int", "string"]"#, "null and one other type"),
        (r#"["int"]"#, "null and one other type"),
        (r#"{"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}"#, "decimal is not supported"),
        (r#"{"type": "fixed", "name": "F", "size": 12, "logicalType": "duration"}"#, "duration is not supported"),
        (r#"{"type": "fixed", "name": "F", "size": 0}"#, "must have a size"),
        (r#"{"type": "record", "name": "R", "fields": []}"#, "must have a field"),
    ] {
        expect(&schema(&format!(r#"{{"name": "x", "type": {type}}}"#), ""), Some("x"), fragment);
    }
    let nested = r#"{"name": "outer", "type": {"type": "record", "name": "R", "fields": [
        {"name": "items", "type": {"type": "array", "items": ["int", "string"]}}]}}"#;
    expect(&schema(nested, ""), Some("outer.items[]"), "null and one other type");
    let beside = r#"{"name": "at", "type": "long", "logicalType": "timestamp-millis"}"#;
    expect(&schema(beside, ""), Some("at"), "belongs within the type");
}

#[test]
fn recursive_schemas_are_refused() {
    let direct = r#"{"name": "next", "type": ["null", "test.a.Changed"], "default": null}"#;
    expect(&schema(direct, ""), Some("next"), "contains itself");
    let mutual = r#"{"name": "tree", "type": {"type": "record", "name": "Tree", "fields": [
        {"name": "leaves", "type": {"type": "array", "items": {"type": "record", "name": "Leaf", "fields": [
            {"name": "tree", "type": ["null", "Tree"]}]}}}]}}"#;
    expect(&schema(mutual, ""), Some("tree.leaves.tree"), "contains itself");
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
    // Each record holds the previous one twice: a thousand lines of it would have 2^1000 fields.
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
    let (_, message) = fault(&schema(&fields.join(","), ""));
    assert!(message.contains("more than 10000 types"), "{message}");
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
            // Loads or is refused.
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

    /// So does a file with one of its JSON values replaced by another.
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
