//! Properties of any record and of any bytes.

use proptest::prelude::*;

use super::*;

/// Records of [`ALL`], as JSON.
fn records() -> impl Strategy<Value = Json> {
    let bytes = |count| {
        proptest::collection::vec(0..=255_u8, count)
            .prop_map(|bytes| bytes.into_iter().map(char::from).collect::<String>())
    };
    let symbol = || prop_oneof![Just("A"), Just("B")];
    let inner = || {
        (proptest::option::of(symbol()), proptest::option::of(bytes(2..=2)))
            .prop_map(|(symbol, two)| json!({"symbol": symbol, "two": two}))
    };
    let scalars = (any::<bool>(), any::<i32>(), any::<i64>(), -1e30..1e30_f32, -1e300..1e300_f64, ".{0,20}");
    let others = (bytes(0..=20), bytes(2..=2), any::<i64>(), any::<i32>(), ".{0,5}", symbol());
    let list = proptest::collection::vec(proptest::option::of(any::<i32>()), 0..50);
    let map = proptest::collection::btree_map(".{0,5}", proptest::collection::vec(".{0,5}", 0..3), 0..5);
    (scalars, others, list, map, inner(), proptest::option::of(inner())).prop_map(
        |(
            (boolean, int, long, float, double, string),
            (bytes, fixed, at, day, uuid, symbol),
            list,
            map,
            record,
            none,
        )| {
            json!({"boolean": boolean, "int": int, "long": long, "float": float, "double": double, "string": string,
                "bytes": bytes, "fixed": fixed, "at": at, "day": day, "uuid": uuid, "symbol": symbol, "list": list,
                "map": map, "record": record, "none": none})
        },
    )
}

/// The values as JSON, with bytes in their JSON input form.
fn as_json(value: &Value) -> Json {
    match value {
        Value::Bytes(bytes) => Json::String(bytes.iter().copied().map(char::from).collect()),
        Value::List(items) => items.iter().map(as_json).collect(),
        Value::Record(entries) => entries.iter().map(|(key, value)| (key.to_string(), as_json(value))).collect(),
        other => serde_json::to_value(other).unwrap(),
    }
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(json in records()) {
        let registry = versions(&[ALL]);
        let record = through(&registry, 1, &json);
        for (name, expected) in json.as_object().unwrap() {
            let found = as_json(record.get(name).unwrap());
            match (name.as_str(), expected.as_f64()) {
                // Converted to 32 bits and back.
                ("float", Some(expected)) => prop_assert_eq!(found.as_f64().map(|found| found as f32), Some(expected as f32)),
                _ => prop_assert_eq!(&found, expected, "{}", name),
            }
        }
    }

    #[test]
    fn damaged_bodies_do_no_harm(json in records(), edits in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6)) {
        let registry = versions(&[ALL]);
        let mut bytes = registry.event_type("a.Changed").unwrap().encode_json(None, &json).unwrap();
        for (index, byte) in edits {
            let at = HEADER + index.index(bytes.len() - HEADER);
            bytes[at] = byte;
        }
        let _ = registry.decode(&bytes);
    }

    #[test]
    fn random_bodies_do_no_harm(datum in proptest::collection::vec(any::<u8>(), 0..300)) {
        let registry = Registry::builtin();
        for schema in registry.event_types().flat_map(|event_type| event_type.versions()) {
            let _ = registry.decode(&[&MARKER[..], &schema.fingerprint.to_le_bytes(), &datum].concat());
        }
        let all = versions(&[ALL]);
        let _ = all.decode(&body(&all, &datum));
        let _ = all.decode(&datum);
    }
}
