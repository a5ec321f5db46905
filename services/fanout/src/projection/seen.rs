//! De-duplication: which events have been read before.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use fanfare_broker::Record;

use super::ReadTimes;

/// Whether an event is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Novelty {
    /// Not seen within the window.
    New,
    /// Seen with the same body.
    Again,
    /// Its id was seen with another body: one of the two producers is wrong.
    Conflict,
}

/// The de-duplication keys of the replay window, as 64-bit digests.
///
/// A key is forgotten once its partition has been read far enough beyond it: a duplicate comes to the same partition,
/// and a node that is behind may read another partition to its end first.
///
/// Two of 100,000 different keys share a digest with a chance of about 3 in 10 billion.
#[derive(Debug, Clone)]
pub struct Seen {
    events: HashMap<u64, Known>,
    /// Where each key was seen, in the order of reading.
    places: VecDeque<Entry>,
    age_ms: i64,
    limit: usize,
}

/// What is known of an event.
#[derive(Debug, Clone, Copy)]
struct Known {
    body: u64,
    /// Whether it was delivered.
    told: bool,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    time: i64,
    partition: u32,
    key: u64,
}

impl Seen {
    /// Nothing seen yet; keys are kept for `age` and at most `limit` of them.
    #[must_use]
    pub fn new(age: Duration, limit: usize) -> Self {
        let age_ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        Self { events: HashMap::new(), places: VecDeque::new(), age_ms, limit }
    }

    /// How many keys are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether no key is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Notes the key of a record and returns whether it is new; `read` is how far each partition was read, `now` the
    /// latest possible time, since records may be dated ahead, and `told` whether its event is delivered if it is new.
    pub fn note(&mut self, key: &str, record: &Record, read: &ReadTimes, (now, told): (i64, bool)) -> Novelty {
        self.forget(read, now);
        let (key, body) = (digest(key.as_bytes()), digest(&record.message.body));
        match self.events.get(&key) {
            Some(known) if known.body == body => return Novelty::Again,
            Some(_) => return Novelty::Conflict,
            None => {}
        }
        if self.places.len() >= self.limit {
            self.forget_oldest();
        }
        self.events.insert(key, Known { body, told });
        self.places.push_back(Entry { time: record.time, partition: record.partition, key });
        Novelty::New
    }

    /// Whether an event is known and was not delivered; from now on it counts as delivered.
    pub fn tell(&mut self, key: &str) -> bool {
        let known = self.events.get_mut(&digest(key.as_bytes()));
        known.is_some_and(|known| !std::mem::replace(&mut known.told, true))
    }

    /// What would be said of this body under this key, without noting it.
    #[must_use]
    pub fn of(&self, key: &str, body: &[u8]) -> Novelty {
        match self.events.get(&digest(key.as_bytes())) {
            None => Novelty::New,
            Some(known) if known.body == digest(body) => Novelty::Again,
            Some(_) => Novelty::Conflict,
        }
    }

    /// Takes back the note of the last key that was new.
    pub fn retract(&mut self) {
        if let Some(newest) = self.places.pop_back() {
            self.events.remove(&newest.key);
        }
    }

    /// Forgets only from the front: the number of keys of a partition at rest is bounded by the limit.
    fn forget(&mut self, read: &ReadTimes, now: i64) {
        let age_ms = self.age_ms;
        let is_old = |seen: &Entry| seen.time < read.of(seen.partition).min(now).saturating_sub(age_ms);
        while self.places.front().is_some_and(is_old) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.places.pop_front() {
            self.events.remove(&oldest.key);
        }
    }
}

fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use fanfare_broker::{Message, Stream};

    use super::*;

    struct Reader {
        seen: Seen,
        read: ReadTimes,
        now: i64,
    }

    impl Reader {
        fn new(age: Duration, limit: usize) -> Self {
            Self { seen: Seen::new(age, limit), read: ReadTimes::default(), now: i64::MAX }
        }

        fn note(&mut self, partition: u32, key: &str, body: &'static str, time: i64) -> Novelty {
            let message = Message {
                stream: Stream::Events,
                org: None,
                topic: "t.T".into(),
                key: None,
                id: key.into(),
                headers: vec![],
                body: body.into(),
            };
            let record = Record { partition, offset: 1, time, message };
            self.read.note(&record);
            self.seen.note(key, &record, &self.read, (self.now, true))
        }
    }

    #[test]
    fn keys_are_known_within_the_window_only() {
        let mut reader = Reader::new(Duration::from_secs(1), 10);
        assert_eq!(reader.note(0, "a", "1", 0), Novelty::New);
        assert_eq!(reader.note(0, "a", "1", 1000), Novelty::Again);
        assert_eq!(reader.note(0, "a", "2", 1000), Novelty::Conflict);
        assert_eq!(reader.note(0, "a", "2", 1001), Novelty::New);
    }

    #[test]
    fn a_key_is_known_for_as_long_as_its_partition_is_behind_others() {
        let mut reader = Reader::new(Duration::from_secs(1), 10);
        assert_eq!(reader.note(0, "a", "", 0), Novelty::New);
        assert_eq!(reader.note(1, "b", "", 60_000), Novelty::New);
        assert_eq!(reader.note(0, "a", "", 900), Novelty::Again);
        assert_eq!(reader.note(0, "a", "", 1001), Novelty::New);
    }

    #[test]
    fn a_record_that_is_dated_ahead_makes_no_key_old() {
        let mut reader = Reader::new(Duration::from_secs(1), 10);
        reader.now = 100;
        assert_eq!(reader.note(0, "a", "", 0), Novelty::New);
        assert_eq!(reader.note(0, "ahead", "", 1_000_000), Novelty::New);
        assert_eq!(reader.note(0, "a", "", 1_000_000), Novelty::Again);
        reader.now = 1_001;
        assert_eq!(reader.note(0, "a", "", 1_000_000), Novelty::New, "that much time has passed");
    }

    #[test]
    fn the_oldest_key_is_evicted() {
        let mut reader = Reader::new(Duration::from_secs(1000), 2);
        for key in ["a", "b", "c"] {
            assert_eq!(reader.note(0, key, "", 0), Novelty::New);
        }
        assert_eq!(reader.note(0, "c", "", 0), Novelty::Again);
        assert_eq!(reader.note(0, "a", "", 0), Novelty::New);
        assert_eq!(reader.seen.events.len(), 2);
    }
}
