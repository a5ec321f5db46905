//! A token bucket: a rate with a burst.

use std::time::{Duration, Instant};

/// How many at once, and how long until the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many may come at once.
    pub burst: u32,
    /// After how long one more may come.
    pub every: Duration,
}

impl Rate {
    /// So many in a span of time, and `burst` of them at once.
    #[must_use]
    pub fn new(count: u32, span: Duration, burst: u32) -> Self {
        Self { burst: burst.max(1), every: span / count.max(1) }
    }
}

/// The rest of a rate.
///
/// The one moment from which the bucket is full is all that is kept: the level at any time follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenBucket {
    full_at: Instant,
}

impl TokenBucket {
    /// A bucket that is full.
    #[must_use]
    pub fn full(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// Whether it is full: such a bucket is as good as one that was never used.
    #[must_use]
    pub fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }

    /// Whether one may be taken; takes none.
    ///
    /// # Errors
    /// How long until one may.
    pub fn check(&self, rate: Rate, now: Instant) -> Result<(), Duration> {
        let missing = self.full_at.saturating_duration_since(now) + rate.every;
        let room = rate.every.saturating_mul(rate.burst);
        if missing <= room { Ok(()) } else { Err(missing - room) }
    }

    /// Takes one.
    ///
    /// # Errors
    /// How long until one may be taken.
    pub fn take(&mut self, rate: Rate, now: Instant) -> Result<(), Duration> {
        self.check(rate, now)?;
        self.full_at = self.full_at.max(now) + rate.every;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 3, every: Duration::from_millis(100) };

    #[test]
    fn a_burst_passes_and_then_one_at_a_time() {
        let now = Instant::now();
        let mut bucket = TokenBucket::full(now);
        for _ in 0..3 {
            assert_eq!(bucket.take(RATE, now), Ok(()));
        }
        assert_eq!(bucket.take(RATE, now), Err(Duration::from_millis(100)));
        assert_eq!(bucket.take(RATE, now + Duration::from_millis(60)), Err(Duration::from_millis(40)));
        assert_eq!(bucket.take(RATE, now + Duration::from_millis(100)), Ok(()));
        assert!(bucket.take(RATE, now + Duration::from_millis(100)).is_err());
    }

    #[test]
    fn a_bucket_fills_up_to_its_burst_and_no_further() {
        let now = Instant::now();
        let mut bucket = TokenBucket::full(now);
        let later = now + Duration::from_secs(3600);
        let taken = (0..10).filter(|_| bucket.take(RATE, later).is_ok()).count();
        assert_eq!(taken, 3);
        assert!(!bucket.is_full(later) && bucket.is_full(later + Duration::from_millis(300)));
    }

    #[test]
    fn what_is_refused_costs_nothing() {
        let now = Instant::now();
        let mut bucket = TokenBucket::full(now);
        assert_eq!((0..1000).filter(|_| bucket.take(RATE, now).is_ok()).count(), 3);
        assert_eq!(bucket.take(RATE, now + Duration::from_millis(100)), Ok(()));
    }

    #[test]
    fn a_rate_is_a_count_in_a_span() {
        let rate = Rate::new(600, Duration::from_secs(60), 200);
        assert_eq!(rate, Rate { burst: 200, every: Duration::from_millis(100) });
    }
}
