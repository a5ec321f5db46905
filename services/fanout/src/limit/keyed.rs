//! A token bucket for each key, in bounded memory.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::bucket::{Rate, TokenBucket};

/// How many keys are counted separately. Only buckets that are not full are kept, so many keys may come in one refill.
const MOST_KEYS: usize = 65_536;

/// Buckets by key; a key that was not used lately costs nothing.
#[derive(Debug)]
pub struct KeyedBuckets {
    rate: Rate,
    most: usize,
    buckets: HashMap<u64, TokenBucket>,
    /// The bucket for all further keys: they share one, rather than passing unchecked.
    rest: Option<TokenBucket>,
    /// From when on looking for full buckets may be worth it again.
    swept: Option<Instant>,
}

impl KeyedBuckets {
    /// Buckets of one rate.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self { rate, most: MOST_KEYS, buckets: HashMap::new(), rest: None, swept: None }
    }

    /// How fast they fill.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Whether one may be taken for a key.
    ///
    /// # Errors
    /// How long until one may.
    pub fn check(&self, key: u64, now: Instant) -> Result<(), Duration> {
        let known = self.buckets.get(&key);
        let bucket = known.or(self.rest.as_ref().filter(|_| self.buckets.len() >= self.most));
        bucket.map_or(Ok(()), |bucket| bucket.check(self.rate, now))
    }

    /// Takes one for a key.
    ///
    /// # Errors
    /// How long until one may be taken.
    pub fn take(&mut self, key: u64, now: Instant) -> Result<(), Duration> {
        if !self.buckets.contains_key(&key) && self.buckets.len() >= self.most {
            self.sweep(now);
        }
        let full = TokenBucket::full(now);
        let has_room = self.buckets.len() < self.most;
        let bucket = match self.buckets.get_mut(&key) {
            Some(bucket) => bucket,
            None if has_room => self.buckets.entry(key).or_insert(full),
            None => self.rest.get_or_insert(full),
        };
        bucket.take(self.rate, now)
    }

    /// Forgets full buckets, at most once in the time that one needs to gain a token.
    fn sweep(&mut self, now: Instant) {
        if self.swept.is_some_and(|swept| now.saturating_duration_since(swept) < self.rate.every) {
            return;
        }
        self.swept = Some(now);
        self.buckets.retain(|_, bucket| !bucket.is_full(now));
        self.buckets.shrink_to(1024);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(most: usize) -> KeyedBuckets {
        KeyedBuckets { most, ..KeyedBuckets::new(Rate { burst: 2, every: Duration::from_secs(1) }) }
    }

    #[test]
    fn each_key_has_a_bucket_of_its_own() {
        let (now, mut buckets) = (Instant::now(), buckets(10));
        assert!(buckets.take(1, now).is_ok() && buckets.take(1, now).is_ok());
        assert!(buckets.check(1, now).is_err() && buckets.take(1, now).is_err());
        assert!(buckets.check(2, now).is_ok() && buckets.take(2, now).is_ok());
    }

    #[test]
    fn many_keys_take_bounded_memory_and_none_passes_unchecked() {
        let (now, mut buckets) = (Instant::now(), buckets(10));
        let passed = (0..1000).filter(|key| buckets.take(*key, now).is_ok()).count();
        assert_eq!(passed, 12, "ten of their own, and two of those that share one");
        assert_eq!(buckets.buckets.len(), 10);
        assert!(buckets.check(999, now).is_err());
        let later = now + Duration::from_secs(3);
        assert!(buckets.take(5000, later).is_ok());
        assert_eq!(buckets.buckets.len(), 1, "those that are full again are forgotten");
    }
}
