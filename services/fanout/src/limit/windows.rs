//! Counts for each key within a span of time that begins with its first event; in bounded memory.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hash};
use std::time::{Duration, Instant};

/// How many keys are counted separately within their spans.
const MOST_KEYS: usize = 65_536;

/// How often a full table is looked through for spans that are over.
const SWEEP: Duration = Duration::from_secs(1);

/// Counts by key; a key whose span is over costs nothing once others need its place.
#[derive(Debug)]
pub struct Windows {
    /// Random for this node, so that nobody can choose two keys that collide.
    hasher: RandomState,
    most: usize,
    spans: HashMap<u64, Span>,
    /// The count for all further keys: they share one per rate, rather than passing unchecked.
    rest: HashMap<u64, Span>,
    swept: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    ends: Instant,
    count: u32,
}

impl Default for Windows {
    fn default() -> Self {
        let (spans, rest) = (HashMap::new(), HashMap::new());
        Self { hasher: RandomState::new(), most: MOST_KEYS, spans, rest, swept: None }
    }
}

impl Windows {
    /// Counts one of `rate` for a key: at most `most` in a span.
    ///
    /// # Errors
    /// How long until the next span; nothing was counted.
    pub fn take(
        &mut self,
        rate: &str,
        key: impl Hash,
        most: u32,
        span: Duration,
        now: Instant,
    ) -> Result<(), Duration> {
        let (rate, key) = (self.hasher.hash_one(rate), self.hasher.hash_one((rate, key)));
        if self.spans.len() >= self.most && !self.spans.contains_key(&key) {
            self.sweep(now);
        }
        let has_room = self.spans.len() < self.most || self.spans.contains_key(&key);
        let (spans, key) = if has_room { (&mut self.spans, key) } else { (&mut self.rest, rate) };
        let counted = spans.entry(key).or_insert(Span { ends: now + span, count: 0 });
        if counted.ends <= now {
            *counted = Span { ends: now + span, count: 0 };
        }
        if counted.count >= most {
            return Err(counted.ends.saturating_duration_since(now));
        }
        counted.count += 1;
        Ok(())
    }

    fn sweep(&mut self, now: Instant) {
        if self.swept.is_some_and(|swept| now.saturating_duration_since(swept) < SWEEP) {
            return;
        }
        self.swept = Some(now);
        self.spans.retain(|_, span| span.ends > now);
        self.spans.shrink_to(1024);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_rate_admits_its_number_in_each_interval() {
        let (mut windows, start) = (Windows::default(), Instant::now());
        let mut passed = |key: &str, at| (0..150).filter(|_| windows.take("r", key, 100, MINUTE, at).is_ok()).count();
        assert_eq!(passed("alice", start), 100);
        assert_eq!(passed("bob", start), 100, "each key has a count of its own");
        assert_eq!(passed("alice", start + Duration::from_secs(59)), 0);
        assert_eq!(passed("alice", start + MINUTE), 100);
        assert!(windows.take("other", "alice", 1, MINUTE, start).is_ok(), "and so has each rate");
        assert_eq!(windows.take("other", "alice", 1, MINUTE, start), Err(MINUTE));
    }

    #[test]
    fn many_keys_take_bounded_memory_and_none_passes_unchecked() {
        let (mut windows, now) = (Windows::default(), Instant::now());
        windows.most = 10;
        let passed = (0..1000).filter(|key| windows.take("r", key, 2, MINUTE, now).is_ok()).count();
        assert_eq!(passed, 12, "ten of their own, and two of those that share a count");
        assert_eq!(windows.spans.len(), 10);
        assert!(windows.take("r", 5000, 2, MINUTE, now + MINUTE).is_ok());
        assert_eq!(windows.spans.len(), 1, "spans that are over are forgotten");
    }
}
