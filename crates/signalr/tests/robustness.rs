//! Hostile bytes: no input panics, and none allocates more memory than its length allows.

#![allow(missing_docs, clippy::unwrap_used)]

use std::borrow::Cow;
use std::mem::size_of;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fanfare_signalr::handshake::Request;
use fanfare_signalr::{Decoded, Message, Outcome, Protocol, ProtocolError, Value};

const LIMIT: usize = 32 * 1024;

/// The largest number of heap bytes per byte of input. The worst is an empty array in an array: two bytes of JSON for a
/// vector of four values.
const HEAP_PER_BYTE: usize = 72;

/// A small generator of pseudo-random numbers (xorshift), the same on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }
}

#[allow(clippy::ptr_arg, reason = "what is borrowed costs nothing")]
fn text_heap(text: &Cow<'_, str>) -> usize {
    match text {
        Cow::Borrowed(_) => 0,
        Cow::Owned(text) => text.capacity(),
    }
}

fn texts_heap(texts: &Vec<Cow<'_, str>>) -> usize {
    texts.capacity() * size_of::<Cow<'_, str>>() + texts.iter().map(text_heap).sum::<usize>()
}

fn values_heap(values: &Vec<Value<'_>>) -> usize {
    values.capacity() * size_of::<Value<'_>>() + values.iter().map(value_heap).sum::<usize>()
}

fn value_heap(value: &Value<'_>) -> usize {
    match value {
        Value::String(text) => text_heap(text),
        Value::Binary(Cow::Owned(bytes)) => bytes.capacity(),
        Value::Array(items) => values_heap(items),
        Value::Map(entries) => {
            let inner = entries.iter().map(|(name, value)| text_heap(name) + value_heap(value));
            entries.capacity() * size_of::<(Cow<'_, str>, Value<'_>)>() + inner.sum::<usize>()
        }
        _ => 0,
    }
}

fn message_heap(message: &Message<'_>) -> usize {
    match message {
        Message::Invocation { target, arguments, stream_ids, .. }
        | Message::StreamInvocation { target, arguments, stream_ids, .. } => {
            text_heap(target) + values_heap(arguments) + texts_heap(stream_ids)
        }
        Message::StreamItem { item, .. } => value_heap(item),
        Message::Completion { outcome: Outcome::Value(result), .. } => value_heap(result),
        _ => 0,
    }
}

fn decode(protocol: Protocol, body: &[u8]) -> Result<Decoded<'_>, ProtocolError> {
    let decoded = protocol.decode(body);
    if let Ok(Decoded::Message { message, headers }) = &decoded {
        let pairs = headers.capacity() * size_of::<(Cow<'_, str>, Cow<'_, str>)>();
        let heap = message_heap(message) + pairs;
        let allowed = 1024 + HEAP_PER_BYTE * body.len();
        assert!(heap <= allowed, "{heap} bytes from {} of {protocol}: {body:x?}", body.len());
    }
    decoded
}

/// Decodes like a connection does, until the bytes end or break the protocol.
fn read_all(protocol: Protocol, mut bytes: &[u8]) {
    while let Ok(Some(frame)) = protocol.split(bytes, LIMIT) {
        assert!(frame.consumed > 0 && frame.body.len() <= LIMIT);
        if decode(protocol, frame.body).is_err() {
            return;
        }
        bytes = &bytes[frame.consumed..];
    }
}

fn seeds(protocol: Protocol) -> Vec<Vec<u8>> {
    let all: serde_json::Value = serde_json::from_str(include_str!("vectors.json")).unwrap();
    let lists = ["vectors", "invalid", "binding_failures"];
    let vectors = lists.iter().flat_map(|list| all[list].as_array().unwrap());
    vectors
        .filter(|vector| vector["protocol"] == protocol.name())
        .map(|vector| STANDARD.decode(vector["bytes_b64"].as_str().unwrap()).unwrap())
        .collect()
}

/// Bytes with special meanings in either protocol.
const TELLING: &[u8] = b"\"\\{}[]:,0-eu\x1e\x00\x80\x90\x91\xc0\xc1\xc6\xc9\xd6\xd7\xdb\xdd\xdf\xff";

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    match random.below(5) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, TELLING[random.below(TELLING.len())]),
        2 if at < bytes.len() => bytes[at] = random.byte(),
        3 if at < bytes.len() => {
            bytes.remove(at);
        }
        _ => {
            let copy = bytes[at / 2..at].to_vec();
            bytes.splice(at..at, copy);
        }
    }
}

#[test]
fn mutated_vectors_do_no_harm() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for protocol in Protocol::ALL {
        let seeds = seeds(protocol);
        for _ in 0..20_000 {
            let mut bytes = seeds[random.below(seeds.len())].clone();
            for _ in 0..=random.below(4) {
                mutate(&mut bytes, &mut random);
            }
            read_all(protocol, &bytes);
            let _ = decode(protocol, &bytes);
            let _ = Request::parse(&bytes, LIMIT);
        }
    }
}

#[test]
fn random_bytes_do_no_harm() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for _ in 0..20_000 {
        let length = random.below(64);
        let bytes: Vec<u8> = (0..length).map(|_| random.byte()).collect();
        for protocol in Protocol::ALL {
            read_all(protocol, &bytes);
            let _ = decode(protocol, &bytes);
        }
        // Random bytes seldom start like a message; these do.
        let item = [b"\x94\x02\x80\xa11", &bytes[..]].concat();
        let _ = decode(Protocol::MessagePack, &item);
        let call = [b"\x96\x01\x80\xc0\xa1T", &bytes[..]].concat();
        let _ = decode(Protocol::MessagePack, &call);
    }
}

/// The parser refuses the same JSON as `serde_json`, except for half a surrogate pair, which it accepts.
#[test]
fn mutated_json_is_judged_as_serde_json_does() {
    let mut random = Random(0xd1b5_4a32_d192_ed03);
    let seeds = seeds(Protocol::Json);
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let mut bytes = seeds[random.below(seeds.len())].clone();
        bytes.pop();
        mutate(&mut bytes, &mut random);
        let reference = serde_json::from_slice::<serde_json::Value>(&bytes);
        let ours = Protocol::Json.decode(&bytes);
        let shown = String::from_utf8_lossy(&bytes);
        match (&ours, reference) {
            (Err(ProtocolError::Json { .. }), Ok(_)) => panic!("refused: {shown}: {ours:?}"),
            (Ok(_), Err(error)) => assert!(shown.contains("\\u"), "accepted: {shown}: {error}"),
            (Ok(_), Ok(_)) => accepted += 1,
            _ => refused += 1,
        }
    }
    assert!(accepted > 1_000 && refused > 1_000, "{accepted} accepted, {refused} refused");
}

#[test]
fn the_densest_messages_stay_within_the_bound() {
    let json = |unit: &str| {
        let items = vec![unit; 5_000].join(",");
        format!(r#"{{"type":2,"invocationId":"1","item":[{items}]}}"#).into_bytes()
    };
    for unit in ["0", "[]", "[0]", "[[0]]", "[[[[[[[[0]]]]]]]]", r#"{"":0}"#, r#""\n""#, r#""\u0000""#] {
        decode(Protocol::Json, &json(unit)).unwrap();
    }
    let messagepack = |unit: &[u8]| {
        let mut body = b"\x94\x02\x80\xa11\xdc\x13\x88".to_vec();
        body.extend(unit.repeat(5_000));
        body
    };
    for unit in [&b"\x00"[..], b"\x90", b"\x91\x00", b"\x91\x91\x91\x91\x00", b"\x81\x00\x00", b"\xa1\xff"] {
        decode(Protocol::MessagePack, &messagepack(unit)).unwrap();
    }
}
