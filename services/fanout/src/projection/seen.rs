//! Which events have been here before.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

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
/// Two of 100,000 different keys share a digest with a chance of about 3 in 10 billion.
#[derive(Debug, Clone)]
pub struct Seen {
    bodies: HashMap<u64, u64>,
    by_age: VecDeque<(i64, u64)>,
    age_ms: i64,
    limit: usize,
}

impl Seen {
    /// Nothing seen yet; keys are kept for `age` and at most `limit` of them.
    #[must_use]
    pub fn new(age: Duration, limit: usize) -> Self {
        let age_ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        Self { bodies: HashMap::new(), by_age: VecDeque::new(), age_ms, limit }
    }

    /// How many keys are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bodies.len()
    }

    /// Whether no key is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bodies.is_empty()
    }

    /// Notes a key at broker time `now` (milliseconds) and says whether it is new.
    pub fn note(&mut self, key: &str, body: &[u8], now: i64) -> Novelty {
        self.forget(now);
        let (key, body) = (digest(key.as_bytes()), digest(body));
        match self.bodies.get(&key) {
            Some(known) if *known == body => return Novelty::Again,
            Some(_) => return Novelty::Conflict,
            None => {}
        }
        if self.by_age.len() >= self.limit {
            self.forget_oldest();
        }
        self.bodies.insert(key, body);
        self.by_age.push_back((now, key));
        Novelty::New
    }

    fn forget(&mut self, now: i64) {
        let horizon = now.saturating_sub(self.age_ms);
        while self.by_age.front().is_some_and(|(time, _)| *time < horizon) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, key)) = self.by_age.pop_front() {
            self.bodies.remove(&key);
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
    use super::*;

    #[test]
    fn keys_are_known_within_the_window_only() {
        let mut seen = Seen::new(Duration::from_secs(1), 10);
        assert_eq!(seen.note("a", b"1", 0), Novelty::New);
        assert_eq!(seen.note("a", b"1", 1000), Novelty::Again);
        assert_eq!(seen.note("a", b"2", 1000), Novelty::Conflict);
        assert_eq!(seen.note("a", b"2", 1001), Novelty::New);
    }

    #[test]
    fn the_oldest_key_gives_way() {
        let mut seen = Seen::new(Duration::from_secs(1000), 2);
        for key in ["a", "b", "c"] {
            assert_eq!(seen.note(key, b"", 0), Novelty::New);
        }
        assert_eq!(seen.note("c", b"", 0), Novelty::Again);
        assert_eq!(seen.note("a", b"", 0), Novelty::New);
        assert_eq!(seen.bodies.len(), 2);
    }
}
