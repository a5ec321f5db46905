//! Cursors: positions in the stream, sealed for clients to keep.

use fanfare_broker::Position;
use thiserror::Error;

use super::ReadTimes;
use crate::seal::{MAX_PAYLOAD_BYTES, Purpose, Seal};

/// A partition's number within its topic: the lower bits of its number. The rest is the number of the topic.
const WITHIN_TOPIC: u32 = 12;

/// A topic of no partitions, after all others: partitions were left out.
const LEFT_OUT: [u8; 2] = [0, 0];

/// The cursor was not issued by a node with this secret; a fault of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("The cursor was not issued by this server.")]
pub struct UnknownCursor;

/// The content of a cursor: a position, its hub, and whether its holder may have missed something before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// How far its holder has come.
    pub position: Position,
    /// The hub whose notifications its holder has received.
    pub hub: HubTag,
    /// Whether its holder may have missed something before the position: a resume with it is never complete.
    pub marked: bool,
}

/// A hub in a cursor: 24 bits of a hash of its path, to keep cursors short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HubTag([u8; 3]);

impl HubTag {
    /// The tag of the hub at a path.
    #[must_use]
    pub fn of(path: &str) -> Self {
        // FNV-1a: the same in every build and on every node, which std's hashers do not promise.
        let hash = path.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
        });
        let [.., a, b, c] = (hash ^ (hash >> 32)).to_be_bytes();
        Self([a, b, c])
    }
}

/// The position as an opaque, URL-safe text that every node with the same secret reads.
///
/// It holds the incarnation, the hub, the time of the newest record, and for each topic the offsets of its partitions.
/// Where they do not fit, partitions are left out whose last record is oldest, and the cursor says so; a resume reads
/// those from the begin of the window on.
#[must_use]
pub fn seal_cursor(seal: &Seal, position: &Position, times: &ReadTimes, hub: HubTag, marked: bool) -> String {
    let mut payload = encode(position, position.offsets(), hub, marked);
    if position.is_partial() {
        payload.extend(LEFT_OUT);
    }
    if payload.len() > MAX_PAYLOAD_BYTES {
        payload = encode(position, &the_newest(position, times), hub, marked);
        payload.extend(LEFT_OUT);
    }
    seal.close(Purpose::Cursor, &payload)
}

/// Reads a cursor back.
///
/// A cursor of an older version names no hub and may claim more than its holder has received: it counts as marked.
///
/// # Errors
/// [`UnknownCursor`] for any text that was not issued.
pub fn open_cursor(seal: &Seal, text: &str) -> Result<Cursor, UnknownCursor> {
    if let Some(payload) = seal.open(Purpose::Cursor, text) {
        return decode(&payload).ok_or(UnknownCursor);
    }
    let payload = seal.open(Purpose::CursorWithoutHub, text).ok_or(UnknownCursor)?;
    let (incarnation, rest) = payload.split_first_chunk::<8>().ok_or(UnknownCursor)?;
    let position = decode_position(u64::from_be_bytes(*incarnation), rest).ok_or(UnknownCursor)?;
    Ok(Cursor { position, hub: HubTag([0; 3]), marked: true })
}

/// As many partitions as fit, those read last first.
fn the_newest(position: &Position, times: &ReadTimes) -> Vec<(u32, u64)> {
    let mut by_time = position.offsets().to_vec();
    by_time.sort_by_key(|(partition, _)| std::cmp::Reverse(times.of(*partition)));
    let (mut chosen, mut topics) = (Vec::new(), Vec::new());
    let mut room = MAX_PAYLOAD_BYTES - encode(position, &[], HubTag([0; 3]), false).len() - LEFT_OUT.len();
    for (partition, offset) in by_time {
        let topic = partition >> WITHIN_TOPIC;
        let is_new = !topics.contains(&topic);
        // The longest that topic, count and number can be; numbers are written as differences, which are shorter.
        let cost = varint_len(offset) + 2 + if is_new { varint_len(topic.into()) + 2 } else { 0 };
        if cost > room {
            break;
        }
        room -= cost;
        chosen.push((partition, offset));
        if is_new {
            topics.push(topic);
        }
    }
    chosen.sort_unstable();
    chosen
}

fn encode(position: &Position, offsets: &[(u32, u64)], hub: HubTag, marked: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(40);
    out.extend_from_slice(&position.incarnation().to_be_bytes());
    out.push(u8::from(marked));
    out.extend_from_slice(&hub.0);
    push_varint(position.newest().max(0).unsigned_abs(), &mut out);
    for topic in offsets.chunk_by(|a, b| a.0 >> WITHIN_TOPIC == b.0 >> WITHIN_TOPIC) {
        push_varint(u64::from(topic[0].0 >> WITHIN_TOPIC), &mut out);
        push_varint(topic.len() as u64, &mut out);
        let mut last = 0;
        for (partition, offset) in topic {
            let within = partition & ((1 << WITHIN_TOPIC) - 1);
            push_varint(u64::from(within - last), &mut out);
            push_varint(*offset, &mut out);
            last = within;
        }
    }
    out
}

fn decode(payload: &[u8]) -> Option<Cursor> {
    let (incarnation, rest) = payload.split_first_chunk::<8>()?;
    let ([flags, hub @ ..], rest) = rest.split_first_chunk::<4>()?;
    let marked = match flags {
        0 => false,
        1 => true,
        _ => return None,
    };
    let position = decode_position(u64::from_be_bytes(*incarnation), rest)?;
    Some(Cursor { position, hub: HubTag(*hub), marked })
}

fn decode_position(incarnation: u64, mut rest: &[u8]) -> Option<Position> {
    let newest = i64::try_from(take_varint(&mut rest)?).ok()?;
    let (mut parts, mut is_partial) = (Vec::new(), false);
    while !rest.is_empty() {
        let topic = u32::try_from(take_varint(&mut rest)?).ok().filter(|topic| topic >> (32 - WITHIN_TOPIC) == 0)?;
        let mut within = 0u32;
        let count = take_varint(&mut rest)?;
        is_partial |= count == 0;
        for _ in 0..count {
            within = within.checked_add(u32::try_from(take_varint(&mut rest)?).ok()?)?;
            if within >> WITHIN_TOPIC != 0 {
                return None;
            }
            parts.push(((topic << WITHIN_TOPIC) | within, take_varint(&mut rest)?));
        }
    }
    let position = Position::from_parts(incarnation, parts).with_newest(newest);
    Some(if is_partial { position.partial() } else { position })
}

fn varint_len(value: u64) -> usize {
    (64 - value.max(1).leading_zeros() as usize).div_ceil(7)
}

fn push_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use fanfare_broker::{Message, Record, Stream};
    use proptest::prelude::*;

    use super::*;
    use crate::seal::MAX_SEALED_BYTES;

    const HUB: HubTag = HubTag([1, 2, 3]);

    fn seal() -> Seal {
        Seal::new(b"secret", &[])
    }

    fn read(partition: u32, time: i64) -> Record {
        let message = Message {
            stream: Stream::Events,
            org: None,
            topic: "t.T".into(),
            key: None,
            id: "1".into(),
            headers: vec![],
            body: bytes::Bytes::new(),
        };
        Record { partition, offset: 1, time, message }
    }

    fn times(all: impl IntoIterator<Item = (u32, i64)>) -> ReadTimes {
        let mut times = ReadTimes::default();
        all.into_iter().for_each(|(partition, time)| times.note(&read(partition, time)));
        times
    }

    #[test]
    fn a_cursor_of_sixty_kafka_partitions_is_whole() {
        let parts = (0..5).flat_map(|topic| (0..12).map(move |within| ((0xabcd0 + topic) << 12 | within, 1 << 27)));
        let position = Position::from_parts(u64::MAX, parts).with_newest(1_800_000_000_000);
        let cursor = seal_cursor(&seal(), &position, &ReadTimes::default(), HUB, false);
        assert!(cursor.len() <= MAX_SEALED_BYTES, "{}", cursor.len());
        assert_eq!(open_cursor(&seal(), &cursor), Ok(Cursor { position, hub: HUB, marked: false }));
    }

    #[test]
    fn cursors_that_were_never_issued_are_refused() {
        let cursor = seal_cursor(&Seal::new(b"other", &[]), &Position::start(1), &ReadTimes::default(), HUB, false);
        for text in ["", "abc", &cursor] {
            assert_eq!(open_cursor(&seal(), text), Err(UnknownCursor));
        }
        // Even under our seal, only what the encoder writes is a position.
        for payload in [&[0; 7][..], &[0; 8], &[0, 0, 0, 0, 0, 0, 0, 1, 0, 0], &[0xff; 40]] {
            let text = seal().close(Purpose::Cursor, payload);
            assert_eq!(open_cursor(&seal(), &text), Err(UnknownCursor), "{payload:?}");
        }
    }

    #[test]
    fn a_cursor_holds_its_hub_and_its_mark() {
        let position = Position::from_parts(1, [(0, 7)]);
        for (path, marked) in [("/hubs/notifications", true), ("/hubs/other", false)] {
            let text = seal_cursor(&seal(), &position, &ReadTimes::default(), HubTag::of(path), marked);
            let opened = open_cursor(&seal(), &text).expect("issued");
            assert_eq!((opened.hub, opened.marked), (HubTag::of(path), marked));
        }
        assert_ne!(HubTag::of("/hubs/notifications"), HubTag::of("/hubs/other"));
        assert_eq!(HubTag::of("/hubs/A"), HubTag::of("/hubs/a"), "paths are found whatever their case");
    }

    #[test]
    fn a_cursor_of_an_older_version_is_known_and_marked() {
        let mut payload = 9u64.to_be_bytes().to_vec();
        payload.extend([0, 0, 1, 0, 5]);
        let text = seal().close(Purpose::CursorWithoutHub, &payload);
        let opened = open_cursor(&seal(), &text).expect("issued");
        assert_eq!((opened.position, opened.marked), (Position::from_parts(9, [(0, 5)]), true));
    }

    fn any_parts(most: usize) -> impl Strategy<Value = BTreeMap<u32, (u64, i64)>> {
        let offset = prop_oneof![0u64..1000, 0u64..1 << 40, Just(u64::MAX)];
        prop::collection::btree_map(any::<u32>(), (offset, 0i64..1000), 0..most)
    }

    proptest! {
        #[test]
        fn a_cursor_carries_its_position(parts in any_parts(20), incarnation: u64, newest in 0i64..i64::MAX) {
            let position = Position::from_parts(incarnation, parts.iter().map(|(p, (o, _))| (*p, *o)));
            let position = position.with_newest(newest);
            let cursor = seal_cursor(&seal(), &position, &ReadTimes::default(), HUB, false);
            let opened = open_cursor(&seal(), &cursor).expect("issued").position;
            prop_assert_eq!(opened.newest(), newest);
            prop_assert!(!opened.is_partial());
            prop_assert_eq!(opened, position);
        }

        /// However many partitions there are, a cursor is short; what it holds is true, and what it leaves out was
        /// read before all that it holds.
        #[test]
        fn a_cursor_is_never_too_long(parts in any_parts(400), newest in 0i64..i64::MAX) {
            let position = Position::from_parts(7, parts.iter().map(|(p, (o, _))| (*p, *o))).with_newest(newest);
            let times = times(parts.iter().map(|(partition, (_, time))| (*partition, *time)));
            let cursor = seal_cursor(&seal(), &position, &times, HUB, false);
            prop_assert!(cursor.len() <= MAX_SEALED_BYTES);
            let opened = open_cursor(&seal(), &cursor).expect("issued").position;
            prop_assert_eq!((opened.incarnation(), opened.newest()), (7, newest));
            for (partition, offset) in opened.offsets() {
                prop_assert_eq!(position.offset(*partition), Some(*offset));
            }
            let oldest_kept = opened.offsets().iter().map(|(partition, _)| times.of(*partition)).min();
            let left_out = parts.keys().filter(|partition| opened.offset(**partition).is_none());
            let newest_left_out = left_out.map(|partition| times.of(*partition)).max();
            prop_assert!(newest_left_out <= oldest_kept || oldest_kept.is_none());
            prop_assert_eq!(opened.is_partial(), opened.offsets().len() < parts.len());
            prop_assert!(opened.offsets().len() == parts.len() || opened.offsets().len() >= 20);
        }

        #[test]
        fn a_changed_cursor_is_refused(at: prop::sample::Index, to in "[A-Za-z0-9_-]") {
            let position = Position::from_parts(3, [(0, 700), (1, 9)]).with_newest(5);
            let mut text = seal_cursor(&seal(), &position, &ReadTimes::default(), HUB, false);
            let at = at.index(text.len());
            prop_assume!(text.as_bytes()[at] != to.as_bytes()[0]);
            text.replace_range(at..=at, &to);
            prop_assert_eq!(open_cursor(&seal(), &text), Err(UnknownCursor));
        }
    }
}
