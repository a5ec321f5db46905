//! Properties of every message: it decodes as it was encoded, however its bytes are cut.

#![allow(missing_docs, clippy::unwrap_used)]

use std::borrow::Cow;

use fanfare_signalr::{Decoded, Headers, Message, Outcome, Protocol, Value};
use proptest::collection::vec;
use proptest::prelude::*;

const LIMIT: usize = 1024 * 1024;

fn text() -> impl Strategy<Value = Cow<'static, str>> {
    vec(any::<char>(), 0..12).prop_map(|chars| Cow::Owned(chars.into_iter().collect()))
}

fn filled_text() -> impl Strategy<Value = Cow<'static, str>> {
    vec(any::<char>(), 1..12).prop_map(|chars| Cow::Owned(chars.into_iter().collect()))
}

/// Values that both protocols preserve.
fn shared_leaf() -> BoxedStrategy<Value<'static>> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i8>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |float| float.is_finite()).prop_map(Value::from),
        text().prop_map(Value::String),
    ]
    .boxed()
}

/// Values that only MessagePack preserves.
fn binary_leaf() -> BoxedStrategy<Value<'static>> {
    prop_oneof![
        4 => shared_leaf(),
        1 => vec(any::<u8>(), 0..300).prop_map(Value::binary),
        1 => (any::<i64>(), 0..1_000_000_000_u32)
            .prop_map(|(seconds, nanoseconds)| Value::Timestamp { seconds, nanoseconds }),
        1 => (0..1_i64 << 35, Just(0)).prop_map(|(seconds, nanoseconds)| Value::Timestamp { seconds, nanoseconds }),
    ]
    .boxed()
}

fn value(leaf: BoxedStrategy<Value<'static>>) -> impl Strategy<Value = Value<'static>> {
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![vec(inner.clone(), 0..20).prop_map(Value::Array), vec((text(), inner), 0..5).prop_map(Value::Map),]
    })
}

fn message(leaf: BoxedStrategy<Value<'static>>) -> impl Strategy<Value = Message<'static>> {
    let value = value(leaf).boxed();
    let call = (filled_text(), vec(value.clone(), 0..4), vec(text(), 0..3)).boxed();
    let outcome =
        prop_oneof![Just(Outcome::Void), value.clone().prop_map(Outcome::Value), text().prop_map(Outcome::Error),];
    prop_oneof![
        (proptest::option::of(filled_text()), call.clone()).prop_map(
            |(invocation_id, (target, arguments, stream_ids))| {
                Message::Invocation { invocation_id, target, arguments, stream_ids }
            }
        ),
        (filled_text(), call).prop_map(|(invocation_id, (target, arguments, stream_ids))| {
            Message::StreamInvocation { invocation_id, target, arguments, stream_ids }
        }),
        (filled_text(), value).prop_map(|(invocation_id, item)| Message::StreamItem { invocation_id, item }),
        (filled_text(), outcome).prop_map(|(invocation_id, outcome)| Message::Completion { invocation_id, outcome }),
        filled_text().prop_map(|invocation_id| Message::CancelInvocation { invocation_id }),
        Just(Message::Ping),
        (proptest::option::of(text()), any::<bool>())
            .prop_map(|(error, allow_reconnect)| Message::Close { error, allow_reconnect }),
        any::<u64>().prop_map(|sequence_id| Message::Ack { sequence_id }),
        any::<u64>().prop_map(|sequence_id| Message::Sequence { sequence_id }),
    ]
}

fn encoded(protocol: Protocol, messages: &[Message<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        protocol.encode(message, &mut bytes);
    }
    bytes
}

/// Consumes every complete message from the start of the buffer.
fn drain(protocol: Protocol, buffer: &mut Vec<u8>) -> Vec<Message<'static>> {
    let mut messages = Vec::new();
    while let Some(frame) = protocol.split(buffer, LIMIT).unwrap() {
        match protocol.decode(frame.body).unwrap() {
            Decoded::Message { message, headers } => {
                assert_eq!(headers, Headers::new());
                messages.push(message.into_owned());
            }
            other => panic!("{other:?}"),
        }
        buffer.drain(..frame.consumed);
    }
    messages
}

/// Passes the bytes in pieces; every cut is a fraction of the whole.
fn in_pieces(protocol: Protocol, bytes: &[u8], cuts: &[f64]) -> Vec<Message<'static>> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| (cut * bytes.len() as f64) as usize).collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    let (mut buffer, mut messages, mut start) = (Vec::new(), Vec::new(), 0);
    for end in ends {
        buffer.extend_from_slice(&bytes[start..end]);
        messages.extend(drain(protocol, &mut buffer));
        start = end;
    }
    assert!(buffer.is_empty());
    messages
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn json_is_read_back_however_it_is_cut(
        messages in vec(message(shared_leaf()), 1..4),
        cuts in vec(0.0..1.0, 0..6),
    ) {
        let bytes = encoded(Protocol::Json, &messages);
        let read = in_pieces(Protocol::Json, &bytes, &cuts);
        prop_assert_eq!(encoded(Protocol::Json, &read), bytes);
        prop_assert_eq!(read, messages);
    }

    #[test]
    fn messagepack_is_read_back_however_it_is_cut(
        messages in vec(message(binary_leaf()), 1..4),
        cuts in vec(0.0..1.0, 0..6),
    ) {
        let bytes = encoded(Protocol::MessagePack, &messages);
        let read = in_pieces(Protocol::MessagePack, &bytes, &cuts);
        prop_assert_eq!(encoded(Protocol::MessagePack, &read), bytes);
        prop_assert_eq!(read, messages);
    }

    #[test]
    fn bytes_come_one_at_a_time(message in message(shared_leaf())) {
        for protocol in Protocol::ALL {
            let bytes = encoded(protocol, std::slice::from_ref(&message));
            for cut in 0..bytes.len() {
                prop_assert_eq!(protocol.split(&bytes[..cut], LIMIT), Ok(None));
            }
            let frame = protocol.split(&bytes, LIMIT).unwrap().unwrap();
            prop_assert_eq!(frame.consumed, bytes.len());
        }
    }

    #[test]
    fn json_is_what_serde_json_makes_of_it(value in value(binary_leaf())) {
        let message = Message::StreamItem { invocation_id: "1".into(), item: value.clone() };
        let bytes = encoded(Protocol::Json, &[message]);
        let ours: serde_json::Value = serde_json::from_slice(&bytes[..bytes.len() - 1]).unwrap();
        prop_assert_eq!(&ours["item"], &serde_json::to_value(&value).unwrap());
    }

    #[test]
    fn json_of_serde_json_is_read(value in value(shared_leaf()), pretty in any::<bool>()) {
        let json = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let framed = format!(r#"{{"item":{},"invocationId":"1","type":2}}"#, json.unwrap());
        let expected = Message::StreamItem { invocation_id: "1".into(), item: value };
        let decoded = Protocol::Json.decode(framed.as_bytes());
        prop_assert_eq!(decoded, Ok(Decoded::Message { message: expected, headers: Headers::new() }));
    }
}
