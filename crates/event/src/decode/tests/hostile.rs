//! Bodies that are not events: truncated, damaged, or hostile.

use super::*;

#[test]
fn bodies_in_another_encoding_are_refused() {
    let registry = versions(&[r#"{"name": "x", "type": "int"}"#]);
    for bytes in [
        &b""[..],
        b"{}",
        &MARKER,
        &[0xC3, 0x01, 0, 0, 0, 0, 0, 0, 0],
        b"{\"x\": 1, \"y\": 2}",
        &[0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7],
    ] {
        assert_eq!(registry.decode(bytes).unwrap_err(), DecodeError::NotSingleObject, "{bytes:02x?}");
    }
    let unknown = [0xC3, 0x01, 8, 7, 6, 5, 4, 3, 2, 1, 2];
    assert_eq!(
        registry.decode(&unknown).unwrap_err(),
        DecodeError::UnknownSchema { fingerprint: 0x0102_0304_0506_0708 }
    );
    let size = MAX_BODY + 1;
    assert_eq!(registry.decode(&vec![0; size]).unwrap_err(), DecodeError::TooLarge { size });
}

#[test]
fn what_follows_a_record_is_refused() {
    let registry = versions(&[r#"{"name": "x", "type": "int"}"#]);
    assert_eq!(registry.decode(&body(&registry, &[2])).unwrap().at(0), &Value::Int(1));
    match registry.decode(&body(&registry, &[2, 0, 0])) {
        Err(DecodeError::TrailingBytes { count: 2, version: 1, .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_truncation_is_refused() {
    let registry = Registry::builtin();
    let alert = registry.event_type("system.Alert").unwrap();
    let json =
        json!({"org": "acme", "user": "alice", "severity": "success", "title": "t", "message": "m", "link": "/x"});
    let whole = alert.encode_json(None, &json).unwrap();
    assert!(registry.decode(&whole).is_ok());
    for length in 0..whole.len() {
        assert!(registry.decode(&whole[..length]).is_err(), "{length}");
    }
}

/// The zigzag varint of a number.
fn varint(number: i64) -> Vec<u8> {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    let mut bytes = Vec::new();
    while rest > 0x7f {
        bytes.push((rest as u8) | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}

#[test]
fn absurd_lengths_are_refused() {
    let types = [
        r#""string""#,
        r#""bytes""#,
        r#"{"type": "array", "items": "int"}"#,
        r#"{"type": "array", "items": "boolean"}"#,
        r#"{"type": "map", "values": "int"}"#,
        r#"["null", "string"]"#,
        r#"{"type": "enum", "name": "E", "symbols": ["A"]}"#,
    ];
    for r#type in types {
        let registry = versions(&[&format!(r#"{{"name": "x", "type": {type}}}"#)]);
        for length in [1 << 20, 1 << 31, 1 << 40, i64::MAX, -(1 << 20), i64::MIN + 1, i64::MIN] {
            for rest in [&[][..], &[0; 100], &varint(1 << 40)] {
                let (field, _) = malformed(&registry, &[&varint(length), rest].concat());
                assert_eq!(field, "x");
            }
        }
        for endless in [&[0xff; 9][..], &[0xff; 100], &[0x80; 50]] {
            malformed(&registry, endless);
        }
    }
}

#[test]
fn lists_within_lists_cannot_multiply() {
    let nested = r#"{"name": "x", "type": {"type": "array", "items": {"type": "array", "items": {"type": "record", "name": "R",
        "fields": [{"name": "a", "type": "int"}, {"name": "b", "type": ["null", "int"], "default": null}]}}}}"#;
    let registry = versions(&[nested]);
    let (_, reason) = malformed(&registry, &[varint(30), varint(1 << 20), vec![0; 200]].concat());
    assert_eq!(reason, "a block of 1048576 items where 200 bytes are left");
}

#[test]
fn a_record_of_too_many_values_is_refused() {
    let registry = versions(&[r#"{"name": "x", "type": {"type": "array", "items": "int"}}"#]);
    let list = |count: usize| [varint(count as i64), vec![0; count], vec![0]].concat();
    // The list itself is a value too.
    assert!(registry.decode(&body(&registry, &list(MAX_VALUES - 1))).is_ok());
    let (field, reason) = malformed(&registry, &list(MAX_VALUES));
    assert_eq!((field.as_str(), reason.as_str()), ("x", "the record holds too many values"));
}

/// One byte of an old record becomes a hundred values in the newest version: the bound counts these.
#[test]
fn defaults_count_as_values() {
    let items = |fields: &str| {
        format!(
            r#"{{"name": "x", "type": {{"type": "array", "items": {{"type": "record", "name": "R", "fields": [{fields}]}}}}}}"#
        )
    };
    let old = r#"{"name": "a", "type": "boolean"}"#.to_owned();
    let new = (0..100)
        .fold(old.clone(), |fields, index| format!(r#"{fields}, {{"name": "f{index}", "type": "int", "default": 0}}"#));
    let registry = versions(&[&items(&old), &items(&new)]);
    let fingerprint = registry.event_type("a.Changed").unwrap().versions()[0].fingerprint;
    let body = [&MARKER[..], &fingerprint.to_le_bytes(), &varint(5000), &[1; 5000], &[0]].concat();
    assert!(matches!(registry.decode(&body), Err(DecodeError::Malformed { .. })));
}

#[test]
fn the_field_at_fault_is_named() {
    let nested = r#"{"name": "a", "type": "int"}, {"name": "outer", "type": {"type": "record", "name": "R", "fields": [
        {"name": "b", "type": "int"}, {"name": "inner", "type": ["null", {"type": "enum", "name": "E", "symbols": ["A", "B"]}]}]}}"#;
    let registry = versions(&[nested]);
    let (field, reason) = malformed(&registry, &[2, 2, 2, 6]);
    assert_eq!((field.as_str(), reason.as_str()), ("outer.inner", "symbol 3 of an enum with 2 symbols"));
    let (field, _) = malformed(&registry, &[2, 2, 4, 0]);
    assert_eq!(field, "outer.inner");
    let (field, _) = malformed(&registry, &[]);
    assert_eq!(field, "a");
    let error = registry.decode(&body(&registry, &[2])).unwrap_err().to_string();
    assert!(error.starts_with("a.Changed v1: the body does not fit the schema at `outer.b`: "), "{error}");
}

#[test]
fn bytes_that_no_value_has_are_refused() {
    for (r#type, datum) in [
        (r#""boolean""#, &[2][..]),
        (r#""string""#, &[2, 0xff]),
        (r#""int""#, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
        (r#"{"type": "map", "values": "int"}"#, &[4, 2, b'k', 2, 2, b'k', 4, 0]),
        (r#"{"type": "map", "values": "int"}"#, &[2, 2, 0xff, 2, 0]),
    ] {
        let registry = versions(&[&format!(r#"{{"name": "x", "type": {type}}}"#)]);
        let (field, _) = malformed(&registry, datum);
        assert_eq!(field, "x", "{type}");
    }
}

/// Fields that the newest version dropped are not converted, but they must be valid.
#[test]
fn dropped_fields_are_checked_too() {
    let record = r#"{"type": "record", "name": "R", "fields": [{"name": "a", "type": "string"}, {"name": "b", "type": "boolean"}]}"#;
    let old = format!(
        r#"{{"name": "x", "type": "int"}}, {{"name": "gone", "default": [], "type": {{"type": "array", "items": {record}}}}}"#
    );
    let registry = versions(&[&old, r#"{"name": "x", "type": "int"}"#]);
    let fingerprint = registry.event_type("a.Changed").unwrap().versions()[0].fingerprint;
    let decode = |datum: &[u8]| registry.decode(&[&MARKER[..], &fingerprint.to_le_bytes(), datum].concat());
    assert_eq!(decode(&[2, 2, 2, b'k', 1, 0]).unwrap().values(), [Value::Int(1)]);
    for (datum, fault) in [
        (&[2, 2, 2, 0xff, 1, 0][..], ("gone.a", "text that is not UTF-8")),
        (&[2, 2, 2, b'k', 2, 0], ("gone.b", "the byte 02 is neither true nor false")),
        (&[2, 2, 2, b'k', 1], ("gone", "the body ends here")),
    ] {
        match decode(datum) {
            Err(DecodeError::Malformed { field, reason, .. }) => assert_eq!((field.as_str(), reason.as_str()), fault),
            other => panic!("{datum:02x?} gave {other:?}"),
        }
    }
}

#[test]
fn branches_and_symbols_that_are_not_there_are_refused() {
    let registry =
        versions(&[r#"{"name": "x", "type": ["null", {"type": "enum", "name": "E", "symbols": ["A", "B"]}]}"#]);
    for (datum, fault) in [
        (&[4, 0][..], "branch 2 of a union with 2 branches"),
        (&[1, 0], "branch -1 of a union with 2 branches"),
        (&[2, 4], "symbol 2 of an enum with 2 symbols"),
        (&[2, 1], "symbol -1 of an enum with 2 symbols"),
    ] {
        assert_eq!(malformed(&registry, datum), ("x".to_owned(), fault.to_owned()));
    }
}
