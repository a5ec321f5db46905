use std::borrow::Cow;

use super::*;
use crate::{BindingError, BindingFailure, Decoded, MAX_DEPTH, Message, Outcome, ProtocolError, Value};

fn message(body: &[u8]) -> Message<'_> {
    match decode(body) {
        Ok(Decoded::Message { message, .. }) => message,
        other => panic!("{body:x?}: {other:?}"),
    }
}

fn error(body: &[u8]) -> String {
    decode(body).expect_err("an error").to_string()
}

/// `[2, {}, "1", value]`
fn item_body(value: &[u8]) -> Vec<u8> {
    [b"\x94\x02\x80\xa11", value].concat()
}

fn item(value: &[u8]) -> Value<'static> {
    match message(&item_body(value)).into_owned() {
        Message::StreamItem { item, .. } => item,
        other => panic!("{other:?}"),
    }
}

/// `[1, {}, "1", "T", arguments]`
fn failure(arguments: &[u8]) -> BindingFailure<'static> {
    let body = [b"\x95\x01\x80\xa11\xa1T", arguments].concat();
    match decode(&body) {
        Ok(Decoded::BindingFailure(failure)) => failure.into_owned(),
        other => panic!("{other:?}"),
    }
}

fn written(message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    encode(message, &mut out);
    out
}

fn written_item(item: Value<'_>) -> Vec<u8> {
    written(&Message::StreamItem { invocation_id: "1".into(), item }).split_off(5)
}

#[test]
fn optional_elements_may_be_absent_and_further_ones_are_ignored() {
    let close = Message::Close { error: None, allow_reconnect: false };
    assert_eq!(message(b"\x92\x07\xc0"), close);
    assert_eq!(message(b"\x93\x07\xc0\xc2"), close);
    assert_eq!(message(b"\x94\x07\xc0\xc2\xc3"), close);
    assert_eq!(message(b"\x93\x07\xc0\xc3"), Message::Close { error: None, allow_reconnect: true });

    let invocation = message(b"\x95\x01\x80\xc0\xa1T\x90");
    assert_eq!(message(b"\x96\x01\x80\xc0\xa1T\x90\x90"), invocation);
    assert_eq!(message(b"\x96\x01\x80\xc0\xa1T\x90\xc0"), invocation);
    assert_eq!(message(b"\x97\x01\x80\xc0\xa1T\x90\x90\xa3new"), invocation);
    assert_eq!(message(b"\x96\x01\x80\xa0\xa1T\x90\x90"), invocation, "an empty id is none");
    assert_eq!(message(b"\x92\x06\x01"), Message::Ping);
}

#[test]
fn any_size_of_number_and_length_is_read() {
    let ack = Message::Ack { sequence_id: 36 };
    for body in [
        &b"\x92\x08\x24"[..],
        b"\x92\x08\xcc\x24",
        b"\x92\xd0\x08\xcd\x00\x24",
        b"\x92\xcc\x08\xce\x00\x00\x00\x24",
        b"\xdc\x00\x02\x08\xcf\x00\x00\x00\x00\x00\x00\x00\x24",
        b"\xdd\x00\x00\x00\x02\x08\xd1\x00\x24",
        b"\x92\x08\xd2\x00\x00\x00\x24",
        b"\x92\x08\xd3\x00\x00\x00\x00\x00\x00\x00\x24",
    ] {
        assert_eq!(message(body), ack, "{body:x?}");
    }
    let cancel = Message::CancelInvocation { invocation_id: "1".into() };
    for body in [
        &b"\x93\x05\x80\xa11"[..],
        b"\x93\x05\x80\xd9\x011",
        b"\x93\x05\xde\x00\x00\xda\x00\x011",
        b"\x93\x05\xdf\x00\x00\x00\x00\xdb\x00\x00\x00\x011",
    ] {
        assert_eq!(message(body), cancel, "{body:x?}");
    }
}

#[test]
fn values_are_read_in_every_form() {
    for (bytes, value) in [
        (&b"\xc0"[..], Value::Null),
        (b"\xff", Value::Int(-1)),
        (b"\xd0\x80", Value::Int(-128)),
        (b"\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", Value::Int(i64::MAX)),
        (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", Value::UInt(u64::MAX)),
        (b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00", Value::Int(i64::MIN)),
        (b"\xca\x3f\xc0\x00\x00", Value::Float(1.5)),
        (b"\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00", Value::Float(1.5)),
        (b"\xc4\x01\xff", Value::binary(vec![255])),
        (b"\xc5\x00\x01\xff", Value::binary(vec![255])),
        (b"\xc6\x00\x00\x00\x01\xff", Value::binary(vec![255])),
        (b"\xd6\xff\x58\xec\x1c\x80", Value::Timestamp { seconds: 1_491_868_800, nanoseconds: 0 }),
        (b"\xd7\xff\x00\x00\x00\x04\x00\x00\x00\x02", Value::Timestamp { seconds: 2, nanoseconds: 1 }),
        (
            b"\xc7\x0c\xff\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff\xff\xfe",
            Value::Timestamp { seconds: -2, nanoseconds: 1 },
        ),
        (b"\x82\x01\xc2\xa1k\xc3", Value::map([("1", false), ("k", true)])),
        (b"\x81\xcf\xff\xff\xff\xff\xff\xff\xff\xff\x90", Value::map([("18446744073709551615", Value::Array(vec![]))])),
    ] {
        assert_eq!(item(bytes), value, "{bytes:x?}");
    }
}

#[test]
fn text_and_bytes_are_borrowed() {
    let body = item_body(b"\x92\xa5plain\xc4\x01\x00");
    let Message::StreamItem { invocation_id, item: Value::Array(items) } = message(&body) else {
        panic!("no item");
    };
    assert!(matches!(invocation_id, Cow::Borrowed("1")));
    assert!(matches!(items[0], Value::String(Cow::Borrowed("plain"))));
    assert!(matches!(items[1], Value::Binary(Cow::Borrowed([0]))));
}

#[test]
fn half_a_surrogate_pair_is_replaced() {
    assert_eq!(item(b"\xa5a\xed\xa0\xbdb").as_str(), Some("a\u{fffd}\u{fffd}\u{fffd}b"));
}

#[test]
fn arguments_that_cannot_be_bound_fail_the_call_alone() {
    for arguments in [&b""[..], b"\xc0", b"\xa1x", b"\x80", b"\x07"] {
        let expected =
            BindingFailure { invocation_id: Some("1".into()), target: "T".into(), error: BindingError::NoArguments };
        assert_eq!(failure(arguments), expected, "{arguments:x?}");
    }
    // An extension of another type, and a map whose key is not text.
    for arguments in [&b"\x91\xd4\x05\x00"[..], b"\x91\xc7\x01\x05\x00", b"\x91\x81\xc0\x01", b"\x91\x81\x90\x01"] {
        assert_eq!(failure(arguments).error, BindingError::ArgumentType, "{arguments:x?}");
    }
    let streaming = b"\x94\x04\x80\xa11\xa1T";
    assert!(matches!(
        decode(streaming),
        Ok(Decoded::BindingFailure(BindingFailure { invocation_id: Some(_), error: BindingError::NoArguments, .. }))
    ));
}

#[test]
fn an_unreadable_item_or_result_fails_its_stream_or_call() {
    for body in [item_body(b"\xd4\x05\x00"), b"\x95\x03\x80\xa11\x03\xd4\x05\x00".to_vec()] {
        let Message::Completion { invocation_id, outcome: Outcome::Error(_) } = message(&body) else {
            panic!("{body:x?}");
        };
        assert_eq!(invocation_id, "1");
    }
}

#[test]
fn errors_name_the_element() {
    for (body, text) in [
        (&b""[..], "Reading array length for 'elementCount' failed."),
        (b"\x06", "Reading array length for 'elementCount' failed."),
        (b"\x90", "Reading 'messageType' as Int32 failed."),
        (b"\x96\x01\xc0", "Reading map length for 'headers' failed."),
        (b"\x96\x01\x81\x01\xa1v", "Reading 'headers[0].Key' as String failed."),
        (b"\x96\x01\x82\xa1k\xa1v\xa1k", "Reading 'headers[1].Value' as String failed."),
        (b"\x96\x01\x80\xc0\xc0", "Reading 'target' as String failed."),
        (b"\x96\x01\x80\xc0\xa0\x90\x90", "Reading 'target' as String failed."),
        (b"\x96\x01\x80\xc0\xa1T\x90\x01", "Reading array length for 'streamIds' failed."),
        (b"\x96\x01\x80\xc0\xa1T\x90", "Reading array length for 'streamIds' failed."),
        (b"\x96\x01\x80\xc0\xa1T\x90\x91\x01", "Reading 'streamIds' as String failed."),
        (b"\x94\x02\x80\xc0\xc0", "Reading 'invocationId' as String failed."),
        (b"\x96\x04\x80\xc0\xa1T\x90\x90", "Reading 'invocationId' as String failed."),
        (b"\x95\x03\x80\xa11\x01\xc0", "Reading 'error' as String failed."),
        (b"\x95\x03\x80\xa11\x04\xc0", "Invalid invocation result kind 4."),
        (b"\x93\x07\x01\xc2", "Reading 'error' as String failed."),
        (b"\x93\x07\xc0\x01", "Reading 'allowReconnect' as Boolean failed."),
        (b"\x92\x09\xff", "Reading 'sequenceId' as Int64 failed."),
        (b"\x91\x08", "Reading 'sequenceId' as Int64 failed."),
        (b"\x94\x02\x80\xa11", "Error reading MessagePack: the bytes end too early at byte 5."),
        (b"\x94\x02\x80\xa11\x92\x01", "Error reading MessagePack: the bytes end too early at byte 7."),
        (b"\x94\x02\x80\xa11\xc1", "Error reading MessagePack: a byte without a meaning at byte 6."),
        (b"\x94\x02\x80\xa11\xd4\xff\x00", "Error reading MessagePack: a timestamp of another form at byte 8."),
        (b"\x95\x01\x80\xc0\xa1T\x92\x01", "Error reading MessagePack: the bytes end too early at byte 8."),
    ] {
        assert_eq!(error(body), text, "{body:x?}");
    }
}

#[test]
fn a_timestamp_has_less_than_a_second_of_nanoseconds() {
    let mut bytes = b"\xd7\xff".to_vec();
    bytes.extend_from_slice(&(1_000_000_000_u64 << 34).to_be_bytes());
    assert!(decode(&item_body(&bytes)).is_err());
}

#[test]
fn unknown_types_are_ignored_whatever_follows() {
    assert_eq!(decode(b"\x91\x63"), Ok(Decoded::Ignored { message_type: 99 }));
    assert_eq!(decode(b"\x92\xff\xc1"), Ok(Decoded::Ignored { message_type: -1 }));
}

#[test]
fn headers_are_kept() {
    let Ok(Decoded::Message { headers, .. }) = decode(b"\x93\x05\x82\xa1a\xa1b\xa1c\xa0\xa11") else {
        panic!("no message");
    };
    assert_eq!(headers, [(Cow::Borrowed("a"), Cow::Borrowed("b")), (Cow::Borrowed("c"), Cow::Borrowed(""))]);
}

#[test]
fn nesting_ends_at_the_limit() {
    let nested = |levels: usize| [vec![0x91; levels], vec![0xc0]].concat();
    let maps = |levels: usize| [b"\x81\xa0".repeat(levels), vec![0xc0]].concat();
    item(&nested(MAX_DEPTH));
    item(&maps(MAX_DEPTH));
    let too_deep = Err(ProtocolError::TooDeep { limit: MAX_DEPTH });
    for value in [nested(MAX_DEPTH + 1), maps(MAX_DEPTH + 1), nested(1_000_000)] {
        assert_eq!(decode(&item_body(&value)), too_deep);
    }
    // The array of arguments is itself a level, as in JSON.
    let arguments = |levels| [b"\x95\x01\x80\xc0\xa1T", &nested(levels)[..]].concat();
    message(&arguments(MAX_DEPTH));
    assert_eq!(decode(&arguments(MAX_DEPTH + 1)), too_deep);
}

#[test]
fn a_claimed_length_is_not_believed() {
    for claim in [
        &b"\xdd\xff\xff\xff\xff"[..],
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xc9\xff\xff\xff\xff\xff",
    ] {
        assert!(decode(&item_body(claim)).is_err(), "{claim:x?}");
        let claims = item_body(&[claim.repeat(30), vec![0xc0]].concat());
        // A map as a map's key fails the stream; any other such key fails the connection.
        let decoded = decode(&claims);
        assert!(!matches!(decoded, Ok(Decoded::Message { message: Message::StreamItem { .. }, .. })), "{claim:x?}");
    }
    assert!(decode(b"\x93\x05\xdf\xff\xff\xff\xff\xa1a\xa1b").is_err());
    assert!(decode(b"\x96\x01\x80\xc0\xa1T\x90\xdd\xff\xff\xff\xff").is_err());
}

/// A method without a result returns null, as in ASP.NET: a client that waits for a value gets one.
#[test]
fn no_result_is_null() {
    let completion = Message::Completion { invocation_id: "1".into(), outcome: Outcome::Value(Value::Null) };
    let mut out = Vec::new();
    encode(&completion, &mut out);
    assert_eq!(out, b"\x95\x03\x80\xa11\x03\xc0");
    let mut out = Vec::new();
    crate::json::encode(&completion, &mut out);
    assert_eq!(out, br#"{"type":3,"invocationId":"1","result":null}"#);
}

#[test]
fn a_float_of_32_bits_is_what_its_client_wrote() {
    for number in [0.1_f32, -2.5, 3.4e38, 1e-45] {
        let bytes = [&b"\xca"[..], &number.to_be_bytes()].concat();
        let Value::Float(read) = item(&bytes) else { panic!("{number}") };
        assert_eq!((read.to_string(), read as f32), (number.to_string(), number));
    }
    let Value::Float(read) = item(b"\xca\x7f\xc0\x00\x00") else { panic!("not a number") };
    assert!(read.is_nan());
}

#[test]
fn dates_and_clocks_are_timestamps() {
    assert_eq!(written_item(Value::Local { seconds: 1, nanoseconds: 0 }), b"\xd6\xff\x00\x00\x00\x01");
    assert_eq!(written_item(Value::Date { days: 1 }), b"\xd6\xff\x00\x01\x51\x80");
}

#[test]
fn values_are_written_in_their_shortest_form() {
    for (value, bytes) in [
        (Value::Int(-1), &b"\xff"[..]),
        (Value::Int(200), b"\xcc\xc8"),
        (Value::Int(-200), b"\xd1\xff\x38"),
        (Value::UInt(7), b"\x07"),
        (Value::Float(1.5), b"\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00"),
        (Value::binary(&b"\x01"[..]), b"\xc4\x01\x01"),
        (Value::Timestamp { seconds: 1_491_868_800, nanoseconds: 0 }, b"\xd6\xff\x58\xec\x1c\x80"),
        (Value::Timestamp { seconds: 2, nanoseconds: 1 }, b"\xd7\xff\x00\x00\x00\x04\x00\x00\x00\x02"),
        (Value::Timestamp { seconds: 1 << 32, nanoseconds: 0 }, b"\xd7\xff\x00\x00\x00\x01\x00\x00\x00\x00"),
        (
            Value::Timestamp { seconds: -2, nanoseconds: 1 },
            b"\xc7\x0c\xff\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff\xff\xfe",
        ),
        (
            Value::Timestamp { seconds: 1 << 34, nanoseconds: 0 },
            b"\xc7\x0c\xff\x00\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00",
        ),
    ] {
        assert_eq!(written_item(value.clone()), bytes, "{value:?}");
    }
}

#[test]
fn framed_sizes_are_those_of_other_servers() {
    let id = || Cow::Borrowed("1");
    let invocation = |invocation_id, stream_ids| Message::Invocation {
        invocation_id,
        target: "Target".into(),
        arguments: vec![Value::Int(1)],
        stream_ids,
    };
    let completion = |outcome| Message::Completion { invocation_id: id(), outcome };
    let streaming = Message::StreamInvocation {
        invocation_id: id(),
        target: "Target".into(),
        arguments: vec![],
        stream_ids: vec![],
    };
    for (message, size) in [
        (invocation(None, vec![]), 15),
        (invocation(Some(id()), vec![]), 16),
        (invocation(Some(id()), vec!["2".into()]), 18),
        (Message::Close { error: None, allow_reconnect: false }, 5),
        (Message::Close { error: Some("error".into()), allow_reconnect: false }, 10),
        (Message::StreamItem { invocation_id: id(), item: Value::Int(1) }, 7),
        (completion(Outcome::Void), 7),
        (completion(Outcome::Value(Value::Int(1))), 8),
        (completion(Outcome::Error("error".into())), 13),
        (streaming, 15),
        (Message::CancelInvocation { invocation_id: id() }, 6),
        (Message::Ping, 3),
    ] {
        let mut framed = Vec::new();
        crate::Protocol::MessagePack.encode(&message, &mut framed);
        assert_eq!(framed.len(), size, "{message:?}");
    }
}
