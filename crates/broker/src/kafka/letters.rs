//! Dead letters: a compacted topic of their own, with the place of the record as key.
//!
//! Many nodes write a letter about the same record, and each of them stays until the topic is compacted. Readers use
//! the first one. But a recreated log has other records in the same places; then the first letter about the place's
//! last record counts.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use rdkafka::message::{BorrowedMessage, Headers, Message as _, OwnedHeaders};

use super::cluster::{Cluster, Partitions};
use super::producer::Outgoing;
use super::scan::scan;
use super::wire::{MESSAGE_ID, put};
use crate::error::BrokerError;
use crate::letter::DeadLetter;
use crate::message::{Message, Stream};

const REASON: &str = "fanfare_reason";
const TIME: &str = "fanfare_time";
const BODY_SIZE: &str = "fanfare_body_size";
const STREAM: &str = "fanfare_stream";
const TYPE: &str = "fanfare_type";
const ORG: &str = "fanfare_org";
const KEY: &str = "fanfare_key";

/// How many places are remembered beyond the requested letters, so that a second letter about a record is not taken for
/// a first.
const PLACES: usize = 100_000;

type Place = (u32, u64);

/// The key of a letter's record.
pub(super) fn key(letter: &DeadLetter) -> String {
    format!("{}/{}", letter.partition, letter.offset)
}

/// The record of a letter.
pub(super) fn outgoing<'a>(topic: &'a str, key: &'a str, letter: &'a DeadLetter) -> Outgoing<'a> {
    let m = &letter.message;
    let mut headers = OwnedHeaders::new_with_capacity(m.headers.len() + 8);
    let stream = match m.stream {
        Stream::Events => "events",
        Stream::State => "state",
    };
    let (time, size) = (letter.time.to_string(), letter.body_size.to_string());
    let own = [(REASON, &*letter.reason), (TIME, &time), (BODY_SIZE, &size), (STREAM, stream), (TYPE, &m.topic)];
    for (name, value) in own.into_iter().chain([(MESSAGE_ID, &*m.id)]) {
        headers = put(headers, name, value);
    }
    let optional = [(ORG, &m.org), (KEY, &m.key)];
    for (name, value) in optional.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
        headers = put(headers, name, value);
    }
    for (name, value) in &m.headers {
        headers = match name.strip_prefix("ce-") {
            Some(attribute) => put(headers, &format!("ce_{attribute}"), value),
            None => put(headers, name, value),
        };
    }
    Outgoing { topic, key, headers, body: Some(&m.body) }
}

fn letter(place: Place, headers: &impl Headers, body: &[u8]) -> Option<DeadLetter> {
    // Our headers come first; a header of the record with the same name comes later and is kept.
    let mut own: HashMap<&'static str, String> = HashMap::new();
    let mut rest = Vec::new();
    for header in headers.iter() {
        let value = String::from_utf8_lossy(header.value.unwrap_or_default()).into_owned();
        let name = [REASON, TIME, BODY_SIZE, STREAM, TYPE, MESSAGE_ID, ORG, KEY].into_iter().find(|n| *n == header.key);
        match name {
            Some(name) if rest.is_empty() && !own.contains_key(name) => drop(own.insert(name, value)),
            _ => rest.push((
                header.key.strip_prefix("ce_").map_or_else(|| header.key.to_owned(), |name| format!("ce-{name}")),
                value,
            )),
        }
    }
    Some(DeadLetter {
        partition: place.0,
        offset: place.1,
        reason: own.remove(REASON)?,
        time: own.remove(TIME)?.parse().ok()?,
        body_size: own.remove(BODY_SIZE)?.parse().ok()?,
        message: Message {
            stream: if own.remove(STREAM)? == "state" { Stream::State } else { Stream::Events },
            org: own.remove(ORG),
            topic: own.remove(TYPE)?,
            key: own.remove(KEY),
            id: own.remove(MESSAGE_ID)?,
            headers: rest,
            body: Bytes::copy_from_slice(body),
        },
    })
}

/// The order in which letters are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Those that were written last.
    Newest,
    /// Those with the highest places, before this one.
    Place(Option<Place>),
}

/// Collects letters while the topic is read, and keeps only the requested ones.
struct Collection {
    order: Order,
    limit: usize,
    first: HashMap<Place, First>,
    kept: BTreeMap<Rank, DeadLetter>,
}

/// The broker's time of the first letter about a record, or the place again.
type Rank = (i64, Place);

/// The first letter about the record at a place.
#[derive(Debug, Clone, Copy)]
struct First {
    rank: Rank,
    stored: i64,
    about: About,
}

/// A hash that distinguishes the record from another one in the same place.
type About = u64;

impl Collection {
    fn take(&mut self, place: Place, stored: i64, about: About, letter: impl FnOnce() -> Option<DeadLetter>) {
        let rank = match self.order {
            Order::Newest => (stored, place),
            Order::Place(before) if before.is_none_or(|before| place < before) => (0, place),
            Order::Place(_) => return,
        };
        let first = First { rank, stored, about };
        // The first counts; across the topic's partitions that is the one stored first.
        if let Some(known) = self.first.get(&place) {
            let counts = if known.about == about { stored < known.stored } else { stored >= known.stored };
            if !counts {
                return;
            }
            self.kept.remove(&known.rank);
        }
        let full = self.kept.len() >= self.limit;
        if full && self.kept.first_key_value().is_none_or(|(lowest, _)| *lowest >= rank) {
            self.remember(place, first);
            return;
        }
        let Some(letter) = letter() else { return };
        self.remember(place, first);
        self.kept.insert(rank, letter);
        if self.kept.len() > self.limit {
            self.kept.pop_first();
        }
    }

    fn remember(&mut self, place: Place, first: First) {
        if self.first.len() >= self.limit + PLACES {
            let kept = &self.kept;
            self.first.retain(|_, first| kept.contains_key(&first.rank));
        }
        self.first.insert(place, first);
    }

    fn forget(&mut self, place: Place) {
        if let Some(first) = self.first.remove(&place) {
            self.kept.remove(&first.rank);
        }
    }

    fn into_letters(self) -> Vec<DeadLetter> {
        self.kept.into_values().rev().collect()
    }
}

/// Reads the topic from its first letter to its last, and returns the first `limit` letters in this order.
pub(super) fn read(cluster: &Cluster, order: Order, limit: usize) -> Result<Vec<DeadLetter>, BrokerError> {
    let topic = &cluster.names.letters;
    let count = match cluster.partitions_of(topic)? {
        Partitions::Ready(count) => count,
        _ => return Err(BrokerError::Unavailable(format!("the topic {topic} is not there"))),
    };
    let from = cluster.starts_of(topic, count)?;
    let mut collection = Collection { order, limit, first: HashMap::new(), kept: BTreeMap::new() };
    scan(cluster, topic, &from, |message| {
        take(&mut collection, message);
        true
    })?;
    Ok(collection.into_letters())
}

fn take(collection: &mut Collection, message: &BorrowedMessage<'_>) {
    let Some(place) = message.key().and_then(place) else { return };
    let Some(body) = message.payload() else { return collection.forget(place) };
    let stored = message.timestamp().to_millis().unwrap_or(0);
    let about = about(message.headers(), body);
    collection.take(place, stored, about, || letter(place, message.headers()?, body));
}

/// The identity of a letter's record. Messages of others are identified only by their places, so their bodies count
/// too.
fn about(headers: Option<&impl Headers>, body: &[u8]) -> About {
    let id = headers.and_then(|headers| headers.iter().find(|header| header.key == MESSAGE_ID));
    let mut hasher = DefaultHasher::new();
    (id.and_then(|id| id.value), body).hash(&mut hasher);
    hasher.finish()
}

fn place(key: &[u8]) -> Option<Place> {
    let (partition, offset) = std::str::from_utf8(key).ok()?.split_once('/')?;
    Some((partition.parse().ok()?, offset.parse().ok()?))
}

/// Letters about records of one partition are ordered by place, also if nodes wrote them in another order.
pub(super) fn by_place_within_partitions(letters: &mut [DeadLetter]) {
    let mut slots: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (slot, letter) in letters.iter().enumerate() {
        slots.entry(letter.partition).or_default().push(slot);
    }
    for slots in slots.into_values() {
        let mut sorted: Vec<DeadLetter> = slots.iter().map(|slot| letters[*slot].clone()).collect();
        sorted.sort_unstable_by_key(|letter| Reverse(letter.offset));
        for (slot, letter) in slots.into_iter().zip(sorted) {
            letters[slot] = letter;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(partition: u32, offset: u64, reason: &str) -> DeadLetter {
        DeadLetter {
            partition,
            offset,
            reason: reason.into(),
            time: 17,
            body_size: 9,
            message: Message {
                stream: Stream::State,
                org: Some("acme".into()),
                topic: "license.FlagToggled".into(),
                key: Some("k".into()),
                id: "1".into(),
                headers: vec![("ce-id".into(), "1".into()), (REASON.into(), "the record's own".into())],
                body: Bytes::from_static(b"body"),
            },
        }
    }

    #[test]
    fn a_letter_decodes_as_it_was_encoded() {
        let sent = sample(3, 7, "unreadable\nin two lines");
        let key = key(&sent);
        let out = outgoing("t", &key, &sent);
        let place = place(key.as_bytes()).expect("a place");
        assert_eq!(letter(place, &out.headers, out.body.expect("a body")), Some(sent));
        for strange in ["", "3", "3/", "a/7", "3/7/9"] {
            assert_eq!(super::place(strange.as_bytes()), None, "{strange}");
        }
    }

    fn collect(order: Order, limit: usize, letters: &[(i64, Place, &str)]) -> Vec<String> {
        let mut collection = Collection { order, limit, first: HashMap::new(), kept: BTreeMap::new() };
        for (stored, place, reason) in letters {
            let about = u64::from(reason.starts_with("of a new log"));
            collection.take(*place, *stored, about, || Some(sample(place.0, place.1, reason)));
        }
        collection.into_letters().into_iter().map(|letter| letter.reason).collect()
    }

    #[test]
    fn the_first_letter_about_a_record_counts_and_the_newest_are_kept() {
        let letters =
            [(10, (0, 1), "a"), (11, (0, 2), "b"), (12, (1, 1), "c"), (13, (0, 1), "a again"), (14, (0, 2), "b again")];
        assert_eq!(collect(Order::Newest, 5, &letters), ["c", "b", "a"]);
        assert_eq!(collect(Order::Newest, 2, &letters), ["c", "b"]);
        assert_eq!(collect(Order::Place(None), 2, &letters), ["c", "b"]);
        assert_eq!(collect(Order::Place(Some((1, 1))), 2, &letters), ["b", "a"]);
        assert!(collect(Order::Newest, 0, &letters).is_empty());
    }

    #[test]
    fn the_first_letter_about_the_last_record_of_a_place_counts() {
        let new = "of a new log";
        let letters = [
            (10, (0, 1), "a"),
            (11, (0, 2), "b"),
            (12, (0, 1), new),
            (13, (0, 1), "of a new log, again"),
            (12, (0, 2), "b again"),
        ];
        assert_eq!(collect(Order::Newest, 5, &letters), [new, "b"]);
        assert_eq!(collect(Order::Newest, 1, &letters), [new]);
        assert_eq!(collect(Order::Place(None), 5, &letters), ["b", new]);
        assert_eq!(collect(Order::Place(None), 1, &letters), ["b"]);
    }
}
