//! Decoding a body never allocates much more than its length, whatever lengths it claims.

use std::fs;

use allocation_counter::measure;
use fanfare_event::{MAX_BODY, MAX_VALUES, Registry};
use proptest::prelude::*;

/// Lists of lists, maps of records, and everything else with a length of its own.
const NESTED: &str = r#"{"type": "record", "name": "Nested", "fields": [
    {"name": "lists", "type": {"type": "array", "items": {"type": "array", "items": "boolean"}}},
    {"name": "map", "type": {"type": "map", "values": {"type": "record", "name": "R", "fields": [
        {"name": "text", "type": ["null", "string"], "default": null}, {"name": "bytes", "type": "bytes"}]}}},
    {"name": "text", "type": "string"}]}"#;

/// The largest cost of a value beyond its own bytes: itself, its key and their reference counts, three times while its
/// list grows.
const PER_VALUE: u64 = 400;
/// The cost of an error: its text, and the names of the fields that lead to the fault.
const ONCE: u64 = 4096;

fn nested() -> Registry {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("a")).expect("a folder in it");
    fs::write(folder.path().join("a/Nested.v1.avsc"), NESTED).expect("a file in that");
    Registry::load(folder.path()).expect("a registry")
}

fn bodies<'a>(registry: &'a Registry, datum: &'a [u8]) -> impl Iterator<Item = Vec<u8>> + 'a {
    let schemas = registry.event_types().flat_map(|event_type| event_type.versions());
    schemas.map(move |schema| [&[0xC3, 0x01], &schema.fingerprint.to_le_bytes()[..], datum].concat())
}

/// The largest amount allocated at one time while a body was decoded.
fn peak(registry: &Registry, body: &[u8]) -> u64 {
    measure(|| drop(registry.decode(body))).bytes_max
}

#[track_caller]
fn within_bounds(registry: &Registry, body: &[u8]) {
    let most = ONCE + body.len() as u64 * PER_VALUE;
    let peak = peak(registry, body);
    assert!(peak <= most, "{peak} bytes for {} of {body:02x?}", body.len());
}

fn varint(number: i64) -> Vec<u8> {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    let mut bytes = Vec::new();
    while rest > 0x7f {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}

#[test]
fn claimed_lengths_are_not_believed() {
    let registry = nested();
    for claim in [1 << 16, 1 << 20, 1 << 31, 1 << 40, i64::MAX, -(1 << 20), i64::MIN] {
        let claim = varint(claim);
        // The outer list, an inner one, the map, the bytes within it, and the text at the end.
        for before in [&[][..], &[2], &[0], &[0, 2, 2, b'k', 0], &[0, 0]] {
            for after in [&[][..], &[0; 100], &claim] {
                let datum = [before, &claim, after].concat();
                bodies(&registry, &datum).for_each(|body| within_bounds(&registry, &body));
            }
        }
    }
}

#[test]
fn the_largest_bodies_stay_within_the_bound_on_values() {
    let registry = nested();
    let most = MAX_BODY as u64 + MAX_VALUES as u64 * PER_VALUE;
    let fill = MAX_BODY - 20;
    // One list with as many empty lists as there are bytes, and lists of one item each.
    for datum in [
        [varint(fill as i64 - 5), vec![0; fill - 5]].concat(),
        [varint(1 << 18), [2, 1, 0].repeat(fill / 3 - 5)].concat(),
    ] {
        for body in bodies(&registry, &datum) {
            let peak = peak(&registry, &body);
            assert!(body.len() <= MAX_BODY && peak <= most, "{peak} of at most {most} for {}", body.len());
        }
    }
}

/// Every other kind of value, some of which take no bytes and some of which contain themselves.
fn kinds() -> Registry {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("kinds")).expect("a folder in it");
    let file = folder.path().join("kinds/Everything.v1.avsc");
    fs::write(file, include_str!("kinds/Everything.v1.avsc")).expect("a file in that");
    Registry::load(folder.path()).expect("a registry")
}

/// Most bodies are like a flag: it costs its values and the list of them, and no more.
#[test]
fn a_plain_record_costs_no_more_allocations_than_it_has_texts() {
    let registry = Registry::builtin();
    let event_type = registry.event_type("license.FlagToggled").expect("its type");
    let json =
        serde_json::json!({"org": "acme", "flag": "dark-mode", "enabled": true, "changed_by": "a", "revision": 1});
    let body = event_type.encode_json(None, &json).expect("it fits");
    // The list of values, and one text each for the org, the flag and its author.
    assert_eq!(measure(|| drop(registry.decode(&body))).count_total, 4);
}

proptest! {
    #[test]
    fn random_bytes_are_not_believed(datum in proptest::collection::vec(any::<u8>(), 0..300)) {
        for registry in [nested(), kinds(), Registry::builtin()] {
            bodies(&registry, &datum).for_each(|body| within_bounds(&registry, &body));
        }
    }

    /// Bytes that more often are lengths, ends of blocks and small numbers.
    #[test]
    fn small_numbers_are_not_believed(datum in proptest::collection::vec(prop_oneof![0..8_u8, 0x7e..0x84_u8], 0..300)) {
        for registry in [nested(), kinds()] {
            bodies(&registry, &datum).for_each(|body| within_bounds(&registry, &body));
        }
    }
}
