//! Canonical forms and fingerprints, compared with those of another implementation of Avro (fastavro).

use super::Definitions;
use super::canonical::{canonical, fingerprint};

/// Everything that the canonical form drops, renames or orders, with names in four namespaces.
const NAMES: &str = r#"{"type": "record", "name": "Changed", "namespace": "test.a", "doc": "d", "aliases": ["Old"],
    "fanfare.key": "plain", "fields": [
    {"name": "plain", "type": {"type": "string"}, "doc": "d", "aliases": ["p"], "default": "x"},
    {"name": "at", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}], "default": null},
    {"name": "day", "type": {"type": "int", "logicalType": "date"}},
    {"name": "uuid", "type": {"type": "string", "logicalType": "uuid"}},
    {"name": "near", "type": {"type": "enum", "name": "E", "symbols": ["A", "B"], "default": "A", "doc": "d"}},
    {"name": "far", "type": {"type": "fixed", "name": "F", "namespace": "test.other", "size": 2}},
    {"name": "dotted", "type": {"type": "record", "name": "test.third.R", "namespace": "ignored", "fields": [
        {"name": "inner", "type": {"type": "enum", "name": "E", "symbols": ["C"]}},
        {"name": "again", "type": ["E", "null"]},
        {"name": "other", "type": "test.a.E"}]}},
    {"name": "list", "type": {"type": "array", "items": {"type": "map", "values": "test.other.F"}, "default": []}},
    {"name": "same", "type": "E"}]}"#;

const NAMES_CANONICAL: &str = concat!(
    r#"{"name":"test.a.Changed","type":"record","fields":[{"name":"plain","type":"string"},"#,
    r#"{"name":"at","type":["null","long"]},{"name":"day","type":"int"},{"name":"uuid","type":"string"},"#,
    r#"{"name":"near","type":{"name":"test.a.E","type":"enum","symbols":["A","B"]}},"#,
    r#"{"name":"far","type":{"name":"test.other.F","type":"fixed","size":2}},"#,
    r#"{"name":"dotted","type":{"name":"test.third.R","type":"record","fields":["#,
    r#"{"name":"inner","type":{"name":"test.third.E","type":"enum","symbols":["C"]}},"#,
    r#"{"name":"again","type":["test.third.E","null"]},{"name":"other","type":"test.a.E"}]}},"#,
    r#"{"name":"list","type":{"type":"array","items":{"type":"map","values":"test.other.F"}}},"#,
    r#"{"name":"same","type":"test.a.E"}]}"#
);

/// A name without a namespace within one that has a namespace.
const BARE: &str = r#"{"type": "record", "name": "Changed", "fields": [
    {"name": "x", "type": {"type": "record", "name": "R", "namespace": "deep.er", "fields": [
        {"name": "y", "type": {"type": "fixed", "name": "F", "namespace": "", "size": 12}}]}},
    {"name": "z", "type": "F"}]}"#;

const BARE_CANONICAL: &str = concat!(
    r#"{"name":"Changed","type":"record","fields":[{"name":"x","type":{"name":"deep.er.R","type":"record","fields":["#,
    r#"{"name":"y","type":{"name":"F","type":"fixed","size":12}}]}},{"name":"z","type":"F"}]}"#
);

#[test]
fn canonical_forms_are_those_of_the_specification() {
    // A canonical form with full names is itself a schema, and its own canonical form.
    for (text, expected) in [(NAMES, NAMES_CANONICAL), (NAMES_CANONICAL, NAMES_CANONICAL), (BARE, BARE_CANONICAL)] {
        let parsed = apache_avro::Schema::parse_str(text).unwrap();
        assert_eq!(canonical(&parsed, &Definitions::of([&parsed])), expected);
    }
}

#[test]
fn fingerprints_are_those_of_the_specification() {
    for (text, expected) in [
        ("\"null\"", 0x63dd_24e7_cc25_8f8a),
        ("\"int\"", 0x7275_d51a_3f39_5c8f),
        (NAMES_CANONICAL, 0x9995_8308_abab_03ec),
        (BARE_CANONICAL, 0xac79_b04c_c63c_b260),
    ] {
        assert_eq!(fingerprint(text), expected, "{text}");
    }
}
