//! Every kind of value, in a body that another implementation of Avro (fastavro) has written.

use std::fs;
use std::path::Path;

use fanfare_event::confluent::{ForeignSchema, join};
use fanfare_event::{Registry, TypeName};
use serde_json::{Value as Json, json};

const SCHEMA: &str = include_str!("kinds/Everything.v1.avsc");
const BODY: &str = include_str!("kinds/Everything.v1.hex");
const SAID: &str = include_str!("kinds/Everything.v1.json");

fn registry(schema: &str) -> Registry {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("kinds")).expect("a folder in it");
    fs::write(folder.path().join("kinds/Everything.v1.avsc"), schema).expect("a file in that");
    Registry::load(Path::new(folder.path())).expect("a registry")
}

fn body() -> Vec<u8> {
    let digits: Vec<char> = BODY.chars().filter(|character| !character.is_whitespace()).collect();
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).expect("hexadecimal digits");
    digits.chunks(2).map(byte).collect()
}

fn said() -> Json {
    serde_json::from_str(SAID).expect("JSON")
}

#[test]
fn what_another_implementation_wrote_is_read() {
    let record = registry(SCHEMA).decode(&body()).expect("a record");
    assert_eq!(serde_json::to_value(&record).expect("JSON"), said());
    let texts: Vec<String> = record
        .schema()
        .fields
        .iter()
        .filter_map(|field| field.kind.time_text(record.get(&field.name)?.as_i64()?))
        .collect();
    let expected = [
        "2026-01-02T03:04:05.678Z",
        "2026-01-02T03:04:05.678901Z",
        "2026-01-02T03:04:05.678901234Z",
        "2026-01-02T03:04:05.678901",
        "1969-12-31",
        "03:04:05.678",
        "03:04:05.678901",
    ];
    assert_eq!(texts, expected);
}

/// With dates and times as text, and bytes as base64.
#[test]
fn the_same_values_are_written_as_the_same_bytes() {
    let mut json = said();
    for (field, text) in [
        ("at", "2026-01-02T04:04:05.678+01:00"),
        ("at_micros", "2026-01-02T03:04:05.678901Z"),
        ("at_nanos", "2026-01-02T03:04:05.678901234Z"),
        ("there", "2026-01-02T03:04:05.678901"),
        ("day", "1969-12-31"),
        ("time", "03:04:05.678"),
        ("time_micros", "03:04:05.678901"),
    ] {
        json[field] = json!(text);
    }
    json["raw"] = json!({"base64": "AAH+/w=="});
    let registry = registry(SCHEMA);
    let event_type = registry.event_type("kinds.Everything").expect("its type");
    assert_eq!(event_type.encode_json(None, &json), Ok(body()));
}

#[test]
fn a_reader_that_needs_one_field_reads_past_all_others() {
    let schema = r#"{"type": "record", "name": "Everything", "fields": [{"name": "ratio", "type": "double"}]}"#;
    let foreign = ForeignSchema::parse(7, SCHEMA).expect("a schema");
    let declared = TypeName::parse("kinds.Everything").expect("a name");
    let writer = registry(schema).writer(&foreign, &declared).expect("compatible");
    let record = writer.decode(&join(7, &body()[10..])).expect("a record");
    assert_eq!(serde_json::to_value(&record).expect("JSON"), json!({"ratio": 0.1}));
}

#[test]
fn every_truncation_is_refused() {
    let (registry, whole) = (registry(SCHEMA), body());
    for length in 0..whole.len() {
        assert!(registry.decode(&whole[..length]).is_err(), "{length}");
    }
}
