//! The encoding of a record and of a dead letter in the file.
//!
//! A record starts with its broker time (8 bytes, little-endian), so that it can be stamped and
//! searched without looking at the rest; the body comes last, so that it can be shared without a
//! copy. Lengths are LEB128.

use bytes::Bytes;

use crate::letter::DeadLetter;
use crate::message::{Message, Record, Stream};

const TIME_BYTES: usize = 8;
const IS_STATE: u8 = 1;
const HAS_ORG: u8 = 2;
const HAS_KEY: u8 = 4;

/// Encodes a message, with room for its time.
pub(super) fn encode(message: &Message) -> Vec<u8> {
    // 5 bytes for each length and the count cover all but absurd sizes; the Vec grows if not.
    let lengths = 5 * (6 + 2 * message.headers.len());
    let mut out = Vec::with_capacity(TIME_BYTES + 1 + lengths + message.size());
    out.extend_from_slice(&[0; TIME_BYTES]);
    put_message(&mut out, message);
    out
}

/// Writes the broker time into an encoded record.
pub(super) fn stamp(encoded: &mut [u8], time: i64) {
    encoded[..TIME_BYTES].copy_from_slice(&time.to_le_bytes());
}

/// The broker time of an encoded record.
pub(super) fn time(encoded: &[u8]) -> Option<i64> {
    encoded.first_chunk().map(|time| i64::from_le_bytes(*time))
}

/// Decodes a record; the body shares the memory of `encoded`. None if the bytes are damaged.
pub(super) fn decode(offset: u64, encoded: Bytes) -> Option<Record> {
    let mut cursor = Cursor::new(&encoded);
    let time = cursor.time()?;
    let message = cursor.message(&encoded)?;
    Some(Record { partition: super::PARTITION, offset, time, message })
}

/// The de-duplication id in an encoded record.
pub(super) fn id(encoded: &[u8]) -> Option<String> {
    let mut cursor = Cursor::new(encoded);
    cursor.time()?;
    cursor.byte()?;
    cursor.text()
}

/// The key of a state record: org, topic and key, joined unambiguously. None for events.
pub(super) fn state_key(message: &Message) -> Option<Vec<u8>> {
    if message.stream != Stream::State {
        return None;
    }
    let mut out = Vec::new();
    match &message.org {
        Some(org) => {
            out.push(1);
            put_bytes(&mut out, org.as_bytes());
        }
        None => out.push(0),
    }
    put_bytes(&mut out, message.topic.as_bytes());
    out.extend_from_slice(message.key.as_deref()?.as_bytes());
    Some(out)
}

/// Encodes a dead letter.
pub(super) fn encode_letter(letter: &DeadLetter) -> Vec<u8> {
    let mut out = Vec::with_capacity(letter.message.size() + letter.reason.len() + 128);
    out.extend_from_slice(&letter.time.to_le_bytes());
    put_number(&mut out, letter.body_size);
    put_bytes(&mut out, letter.reason.as_bytes());
    put_message(&mut out, &letter.message);
    out
}

/// Decodes a dead letter. None if the bytes are damaged.
pub(super) fn decode_letter(source: (u32, u64), encoded: Bytes) -> Option<DeadLetter> {
    let mut cursor = Cursor::new(&encoded);
    Some(DeadLetter {
        partition: source.0,
        offset: source.1,
        time: cursor.time()?,
        body_size: cursor.number()?,
        reason: cursor.text()?,
        message: cursor.message(&encoded)?,
    })
}

fn put_message(out: &mut Vec<u8>, message: &Message) {
    let mut flags = 0;
    if message.stream == Stream::State {
        flags |= IS_STATE;
    }
    if message.org.is_some() {
        flags |= HAS_ORG;
    }
    if message.key.is_some() {
        flags |= HAS_KEY;
    }
    out.push(flags);
    put_bytes(out, message.id.as_bytes());
    put_bytes(out, message.topic.as_bytes());
    for part in [&message.org, &message.key].into_iter().flatten() {
        put_bytes(out, part.as_bytes());
    }
    put_number(out, message.headers.len() as u64);
    for (name, value) in &message.headers {
        put_bytes(out, name.as_bytes());
        put_bytes(out, value.as_bytes());
    }
    out.extend_from_slice(&message.body);
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Decodes step by step; every read is checked, so damaged bytes return None.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(len)?;
        let part = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(part)
    }

    fn time(&mut self) -> Option<i64> {
        time(self.take(TIME_BYTES)?)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|b| b[0])
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn text(&mut self) -> Option<String> {
        let len = usize::try_from(self.number()?).ok()?;
        String::from_utf8(self.take(len)?.to_vec()).ok()
    }

    /// The body is the rest of `whole`, the bytes that are being read.
    fn message(&mut self, whole: &Bytes) -> Option<Message> {
        let flags = self.byte()?;
        let id = self.text()?;
        let topic = self.text()?;
        let org = if flags & HAS_ORG != 0 { Some(self.text()?) } else { None };
        let key = if flags & HAS_KEY != 0 { Some(self.text()?) } else { None };
        let count = self.number()?;
        let mut headers = Vec::new();
        for _ in 0..count {
            headers.push((self.text()?, self.text()?));
        }
        let stream = if flags & IS_STATE != 0 { Stream::State } else { Stream::Events };
        Some(Message { stream, org, topic, key, id, headers, body: whole.slice(self.at..) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_message() -> impl Strategy<Value = Message> {
        let text = || ".{0,20}";
        (
            any::<bool>(),
            proptest::option::of(text()),
            text(),
            proptest::option::of(text()),
            "\\PC{0,300}",
            proptest::collection::vec((text(), text()), 0..4),
            proptest::collection::vec(any::<u8>(), 0..300),
        )
            .prop_map(|(state, org, topic, key, id, headers, body)| Message {
                stream: if state { Stream::State } else { Stream::Events },
                org,
                topic,
                key,
                id,
                headers,
                body: body.into(),
            })
    }

    proptest! {
        #[test]
        fn a_record_comes_back_as_it_was(message in any_message(), at: i64, offset: u64) {
            let mut encoded = encode(&message);
            stamp(&mut encoded, at);
            prop_assert_eq!(time(&encoded), Some(at));
            prop_assert_eq!(id(&encoded), Some(message.id.clone()));
            let record = decode(offset, encoded.into()).expect("decodes");
            prop_assert_eq!((record.offset, record.time), (offset, at));
            prop_assert_eq!(record.message, message);
        }

        #[test]
        fn a_letter_decodes_as_it_was_encoded(
            message in any_message(), reason in ".{0,50}", time: i64, body_size: u64,
            partition: u32, offset: u64,
        ) {
            let letter = DeadLetter { partition, offset, reason, time, message, body_size };
            let read = decode_letter((partition, offset), encode_letter(&letter).into());
            prop_assert_eq!(read, Some(letter));
        }

        #[test]
        fn damaged_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(1, bytes.clone().into());
            let _ = decode_letter((0, 1), bytes.into());
        }
    }

    #[test]
    fn state_keys_of_different_parts_differ() {
        let key = |org: Option<&str>, topic: &str, key: &str| {
            state_key(&Message {
                stream: Stream::State,
                org: org.map(Into::into),
                topic: topic.into(),
                key: Some(key.into()),
                id: "1".into(),
                headers: vec![],
                body: Bytes::new(),
            })
        };
        assert_ne!(key(Some("a"), "bc", "d"), key(Some("ab"), "c", "d"));
        assert_ne!(key(Some("a"), "b", "cd"), key(Some("a"), "bc", "d"));
        assert_ne!(key(None, "a", "b"), key(Some(""), "a", "b"));
    }
}
