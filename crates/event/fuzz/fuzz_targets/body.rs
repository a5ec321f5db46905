//! Decodes arbitrary bytes as the body of an event of any type, in both encodings.

#![no_main]

use std::sync::LazyLock;

use fanfare_event::confluent::{ForeignSchema, Writer, join};
use fanfare_event::{Registry, TypeName};
use libfuzzer_sys::fuzz_target;

/// A record with every type, some of whose fields the registry's own types read.
const EVERYTHING: &str = r#"{"type": "record", "name": "Alert", "namespace": "com.example.system", "fields": [
    {"name": "org", "type": ["null", "string"]}, {"name": "title", "type": "string"},
    {"name": "message", "type": "string"}, {"name": "raised_by", "type": "string"},
    {"name": "severity", "type": {"type": "enum", "name": "Severity", "symbols": ["odd", "info", "error"]}},
    {"name": "list", "type": {"type": "array", "items": ["null", "long"]}},
    {"name": "map", "type": {"type": "map", "values": {"type": "array", "items": "double"}}},
    {"name": "fixed", "type": {"type": "fixed", "name": "F", "size": 3}}, {"name": "bytes", "type": "bytes"},
    {"name": "inner", "type": {"type": "record", "name": "I", "fields": [{"name": "b", "type": "boolean"}]}},
    {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
    {"name": "big", "type": {"type": "bytes", "logicalType": "big-decimal"}},
    {"name": "uuid", "type": {"type": "bytes", "logicalType": "uuid"}},
    {"name": "span", "type": {"type": "fixed", "name": "D", "size": 12, "logicalType": "duration"}},
    {"name": "either", "type": ["int", "string", {"type": "array", "items": "null"}]}, {"name": "none", "type": "null"},
    {"name": "empty", "type": {"type": "array", "items": {"type": "record", "name": "E", "fields": []}}},
    {"name": "tree", "type": {"type": "record", "name": "T", "fields": [
        {"name": "left", "type": ["null", "T"]}, {"name": "more", "type": {"type": "map", "values": "T"}}]}}]}"#;

/// The same as an event of its own, so that each field is read instead of skipped.
static KINDS: LazyLock<Registry> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("fanfare-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("system")).expect("a folder");
    std::fs::write(folder.join("system/Alert.v1.avsc"), EVERYTHING).expect("a file");
    Registry::load(&folder).expect("a registry")
});

static WRITER: LazyLock<Writer> = LazyLock::new(|| {
    let schema = ForeignSchema::parse(1, EVERYTHING).expect("a schema");
    let declared = TypeName::parse("system.Alert").expect("a name");
    Registry::builtin().writer(&schema, &declared).expect("compatible")
});

fuzz_target!(|bytes: &[u8]| {
    let registry = Registry::builtin();
    for schema in registry.event_types().flat_map(|event_type| event_type.versions()) {
        let _ = registry.decode(&[&[0xc3, 1][..], &schema.fingerprint.to_le_bytes(), bytes].concat());
    }
    for schema in KINDS.event_types().flat_map(|event_type| event_type.versions()) {
        let _ = KINDS.decode(&[&[0xc3, 1][..], &schema.fingerprint.to_le_bytes(), bytes].concat());
    }
    let _ = WRITER.decode(&join(1, bytes));
    let _ = WRITER.decode(bytes);
});
