//! Limits how often the registry is asked: a flood of unknown ids must not become a flood of requests.

use std::time::{Duration, Instant};

/// So many questions may follow each other at once.
const BURST: u32 = 50;

/// The time that earns another question.
const INTERVAL: Duration = Duration::from_millis(50);

/// A bucket that fills with time.
#[derive(Debug)]
pub(super) struct Pace {
    /// When the bucket would be full again if nobody asked.
    full_at: Instant,
}

impl Pace {
    /// A full bucket.
    pub(super) fn new(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// Takes the next turn and returns how long to wait for it.
    pub(super) fn take(&mut self, now: Instant) -> Duration {
        self.full_at = self.full_at.max(now) + INTERVAL;
        let owed = self.full_at - now;
        owed.saturating_sub(INTERVAL * BURST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_and_then_each_question_has_its_turn() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        for _ in 0..BURST {
            assert_eq!(pace.take(start), Duration::ZERO);
        }
        assert_eq!(pace.take(start), INTERVAL);
        assert_eq!(pace.take(start), INTERVAL * 2);
        let later = start + INTERVAL * 10;
        assert_eq!(pace.take(later), Duration::ZERO);
        // A bucket is never more than full.
        let much_later = start + Duration::from_secs(3600);
        let waits = (0..BURST + 1).map(|_| pace.take(much_later)).filter(|wait| !wait.is_zero()).count();
        assert_eq!(waits, 1);
    }
}
