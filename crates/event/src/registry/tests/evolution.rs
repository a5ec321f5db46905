//! Which new versions are accepted.

use super::*;

#[track_caller]
fn refused(older: &str, newer: &str, field: Option<&str>, fragment: &str) {
    match versions(&[older, newer]) {
        Err(error @ RegistryError::Incompatible { .. }) => {
            assert_eq!(error.file(), Path::new("a/Changed.v2.avsc"));
            assert_eq!(error.field(), field, "{error}");
            let message = error.to_string();
            assert!(message.contains(fragment) && message.contains("a/Changed.v1.avsc"), "{message}");
        }
        other => panic!("{older} -> {newer} gave {other:?}"),
    }
}

const X: &str = r#"{"name": "x", "type": "int"}"#;

fn x(r#type: &str) -> String {
    format!(r#"{{"name": "x", "type": {type}}}"#)
}

#[test]
fn fields_come_and_go_with_a_default_only() {
    let plain = format!(r#"{X}, {{"name": "y", "type": "int"}}"#);
    let default = format!(r#"{X}, {{"name": "y", "type": "int", "default": 1}}"#);
    let nullable = format!(r#"{X}, {{"name": "y", "type": ["null", "int"]}}"#);
    refused(X, &plain, Some("y"), "v2 cannot read what v1 wrote: it is missing there, and has no default here");
    refused(X, &nullable, Some("y"), "v2 cannot read what v1 wrote");
    refused(&plain, X, Some("y"), "v1 cannot read what v2 wrote");
    versions(&[X, &default]).unwrap();
    versions(&[&default, X]).unwrap();
}

#[test]
fn a_version_must_fit_all_older_ones() {
    let with_y = format!(r#"{X}, {{"name": "y", "type": "int", "default": 1}}"#);
    let with_text = format!(r#"{X}, {{"name": "y", "type": "string", "default": ""}}"#);
    // v3 fits v2, which has no `y`, but not v1.
    match versions(&[&with_y, X, &with_text]) {
        Err(RegistryError::Incompatible { file, other, field, .. }) => {
            assert_eq!(
                (file.as_path(), other.as_path()),
                (Path::new("a/Changed.v3.avsc"), Path::new("a/Changed.v1.avsc"))
            );
            assert_eq!(field.as_deref(), Some("y"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn types_do_not_change() {
    let logical = |of: &str, logical: &str| format!(r#"{{"type": "{of}", "logicalType": "{logical}"}}"#);
    let decimal =
        |scale: u32| format!(r#"{{"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": {scale}}}"#);
    for (older, newer) in [
        (r#""int""#.to_owned(), r#""string""#.to_owned()),
        (r#""boolean""#.to_owned(), r#""int""#.to_owned()),
        // The bytes would fit, but the meaning would change.
        (logical("int", "date"), logical("int", "time-millis")),
        (logical("long", "timestamp-millis"), logical("long", "local-timestamp-millis")),
        (decimal(2), decimal(3)),
        (
            r#"{"type": "fixed", "name": "F", "size": 2}"#.to_owned(),
            r#"{"type": "fixed", "name": "F", "size": 3}"#.to_owned(),
        ),
        (r#"{"type": "array", "items": "int"}"#.to_owned(), r#"{"type": "map", "values": "int"}"#.to_owned()),
        (r#"["null", "int"]"#.to_owned(), r#"["null", "int", "string"]"#.to_owned()),
    ] {
        for (older, newer) in [(&older, &newer), (&newer, &older)] {
            refused(&x(older), &x(newer), Some("x"), "cannot read what");
        }
    }
    refused(
        &x(r#"{"type": "array", "items": "int"}"#),
        &x(r#"{"type": "array", "items": "string"}"#),
        Some("x[]"),
        "its type is int there, and string here",
    );
    refused(&x(r#""int""#), &x(r#"["null", "int"]"#), Some("x"), "v1 cannot read what v2 wrote: it may be null there");
    refused(&x(r#"["null", "int"]"#), &x(r#""int""#), Some("x"), "v2 cannot read what v1 wrote: it may be null there");
}

/// An older version need not hold what Avro promotes, as long as the newest reads it: nodes read everything as the
/// newest.
#[test]
fn types_grow_as_avro_promotes_them() {
    for (older, newer) in [
        (r#""int""#, r#""long""#),
        (r#""int""#, r#""double""#),
        (r#""long""#, r#""float""#),
        (r#""float""#, r#""double""#),
        (r#""string""#, r#""bytes""#),
        (r#""bytes""#, r#""string""#),
        (r#"{"type": "array", "items": "int"}"#, r#"{"type": "array", "items": "long"}"#),
    ] {
        versions(&[&x(older), &x(newer)]).unwrap_or_else(|error| panic!("{older} -> {newer}: {error}"));
    }
    for (older, newer, message) in [
        (r#""long""#, r#""int""#, "v2 cannot read what v1 wrote: its type is long there, and int here"),
        (r#""double""#, r#""float""#, "v2 cannot read what v1 wrote: its type is double there, and float here"),
    ] {
        refused(&x(older), &x(newer), Some("x"), message);
    }
    let registry = versions(&[&x(r#""int""#), &x(r#""double""#)]).unwrap();
    let body = registry.event_type("a.Changed").unwrap().encode_json(Some(1), &json!({"x": -7})).unwrap();
    assert_eq!(registry.decode(&body).unwrap().at(0), &Value::Float(-7.0));
}

#[test]
fn faults_in_nested_records_are_found() {
    let record = |fields: &str| {
        x(&format!(
            r#"{{"type": "array", "items": ["null", {{"type": "record", "name": "R", "fields": [{fields}]}}]}}"#
        ))
    };
    let older = record(r#"{"name": "y", "type": "int"}"#);
    let newer = record(r#"{"name": "y", "type": "int"}, {"name": "z", "type": "int"}"#);
    refused(&older, &newer, Some("x[].z"), "v2 cannot read what v1 wrote");
}

#[test]
fn symbols_come_with_a_default_of_the_enum_only() {
    let symbols = |symbols: &str, default: &str| {
        x(&format!(r#"{{"type": "enum", "name": "E", "symbols": [{symbols}]{default}}}"#))
    };
    refused(
        &symbols(r#""A""#, ""),
        &symbols(r#""A", "B""#, ""),
        Some("x"),
        "v1 cannot read what v2 wrote: the symbols B are missing here",
    );
    refused(
        &symbols(r#""A", "B""#, ""),
        &symbols(r#""A""#, ""),
        Some("x"),
        "v2 cannot read what v1 wrote: the symbols B are missing here",
    );
    versions(&[&symbols(r#""A""#, r#", "default": "A""#), &symbols(r#""A", "B""#, r#", "default": "A""#)]).unwrap();
    refused(
        &symbols(r#""A""#, ""),
        &x(r#"{"type": "enum", "name": "Other", "symbols": ["A"]}"#),
        Some("x"),
        "name must be the same",
    );
}

#[test]
fn a_renamed_field_needs_an_alias_and_a_default() {
    let renamed = r#"{"name": "z", "type": "int", "aliases": ["x"]}"#;
    let with_default = r#"{"name": "x", "type": "int", "default": 0}"#;
    refused(X, renamed, Some("x"), "v1 cannot read what v2 wrote");
    refused(with_default, r#"{"name": "z", "type": "int"}"#, Some("z"), "v2 cannot read what v1 wrote");
    versions(&[with_default, renamed]).unwrap();
}

#[test]
fn the_key_does_not_change() {
    let fields = r#"{"name": "x", "type": "string"}, {"name": "y", "type": "string"}"#;
    let more = r#"{"name": "x", "type": "string"}, {"name": "y", "type": "string"}, {"name": "r", "type": "long", "default": 0}"#;
    let load = |older: &str, newer: &str| {
        Registry::of(&[("a/Changed.v1.avsc", &schema(fields, older)), ("a/Changed.v2.avsc", &schema(more, newer))])
    };
    load(r#", "fanfare.key": "x""#, r#", "fanfare.key": "x", "fanfare.revision": "r""#).unwrap();
    for (older, newer, fragment) in [
        (r#", "fanfare.key": "x""#, "", "names x in v1, and nothing in v2"),
        ("", r#", "fanfare.key": "x""#, "names nothing in v1, and x in v2"),
        (r#", "fanfare.key": ["x", "y"]"#, r#", "fanfare.key": ["y", "x"]"#, "names x, y in v1, and y, x in v2"),
    ] {
        let error = load(older, newer).unwrap_err();
        assert!(matches!(error, RegistryError::Incompatible { .. }), "{error}");
        assert!(error.to_string().contains(fragment), "{error}");
    }
}

#[test]
fn the_revision_stays() {
    let load = |newer: &str| {
        let fields = r#"{"name": "x", "type": "string"}, {"name": "r", "type": "long"}"#;
        let more = r#"{"name": "x", "type": "string"}, {"name": "r", "type": "long"}, {"name": "s", "type": "long", "default": 0}"#;
        let older = schema(fields, r#", "fanfare.key": "x", "fanfare.revision": "r""#);
        Registry::of(&[("a/Changed.v1.avsc", &older), ("a/Changed.v2.avsc", &schema(more, newer))])
    };
    load(r#", "fanfare.key": "x", "fanfare.revision": "r""#).unwrap();
    for newer in [r#", "fanfare.key": "x""#, r#", "fanfare.key": "x", "fanfare.revision": "s""#] {
        assert_eq!(load(newer).unwrap_err().field(), Some("r"));
    }
}
