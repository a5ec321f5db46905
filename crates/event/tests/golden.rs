//! Bodies that were written once must decode forever.
//!
//! `golden/{type}.v{N}.hex` is a body of that version, `golden/{type}.v{N}.json` its values. They were created with
//! another implementation of Avro and never change: a new version adds two files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fanfare_event::{Registry, Schema};
use serde_json::Value as Json;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(golden(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn body(schema: &Schema) -> Vec<u8> {
    let text = read(&format!("{}.v{}.hex", schema.event_type, schema.version));
    let digits: Vec<char> = text.chars().filter(|character| !character.is_whitespace()).collect();
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).expect("hexadecimal digits");
    digits.chunks(2).map(byte).collect()
}

fn values(schema: &Schema) -> Json {
    serde_json::from_str(&read(&format!("{}.v{}.json", schema.event_type, schema.version))).expect("JSON")
}

fn each(mut check: impl FnMut(&Registry, &Schema)) {
    let registry = Registry::builtin();
    for schema in registry.event_types().flat_map(|event_type| event_type.versions()) {
        check(&registry, schema);
    }
}

#[test]
fn every_version_decodes_to_its_own_values() {
    each(|registry, schema| {
        let record = registry.decode(&body(schema)).unwrap_or_else(|error| panic!("{schema:?}: {error}"));
        assert_eq!(record.event_type().name(), &schema.event_type);
        assert_eq!(record.written_version(), schema.version);
        let said = values(schema);
        let said = said.as_object().expect("an object");
        assert_eq!(said.len(), schema.fields.len(), "{schema:?}");
        for (name, value) in said {
            let found = record.get(name).map(|found| serde_json::to_value(found).expect("a value is JSON"));
            assert_eq!(found.as_ref(), Some(value), "{schema:?} {name}");
        }
    });
}

#[test]
fn the_same_values_are_encoded_to_the_same_bytes() {
    each(|registry, schema| {
        let event_type = registry.event_type(schema.event_type.as_str()).expect("its type is known");
        let encoded = event_type.encode_json(Some(schema.version), &values(schema));
        assert_eq!(encoded, Ok(body(schema)), "{schema:?}");
    });
}

#[test]
fn there_is_a_file_for_every_version_and_no_other() {
    let mut expected = BTreeSet::new();
    each(|_, schema| {
        for ending in ["hex", "json"] {
            expected.insert(format!("{}.v{}.{ending}", schema.event_type, schema.version));
        }
    });
    let found: BTreeSet<String> = fs::read_dir(golden(""))
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(found, expected);
}
