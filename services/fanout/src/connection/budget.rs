//! A rate limit as a token bucket, without a clock of its own.

use std::time::{Duration, Instant};

/// How many calls a connection has left; refills evenly over a minute.
#[derive(Debug, Clone)]
pub struct Budget {
    per_minute: u32,
    left: f64,
    refilled: Instant,
}

impl Budget {
    /// A full budget of `per_minute` calls.
    #[must_use]
    pub fn new(per_minute: u32, now: Instant) -> Self {
        Self { per_minute, left: f64::from(per_minute), refilled: now }
    }

    /// Takes one call; false if none is left.
    pub fn take(&mut self, now: Instant) -> bool {
        let full = f64::from(self.per_minute);
        let elapsed = now.saturating_duration_since(self.refilled);
        self.left = (self.left + full * elapsed.as_secs_f64() / 60.0).min(full);
        self.refilled = now;
        if self.left < 1.0 {
            return false;
        }
        self.left -= 1.0;
        true
    }

    /// How long until the next call is possible.
    #[must_use]
    pub fn wait(&self) -> Duration {
        let missing = (1.0 - self.left).max(0.0);
        Duration::from_secs_f64(missing * 60.0 / f64::from(self.per_minute.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spent_budget_refills_with_time() {
        let start = Instant::now();
        let mut budget = Budget::new(60, start);
        assert!((0..60).all(|_| budget.take(start)));
        assert!(!budget.take(start));
        assert!(budget.wait() <= Duration::from_secs(1));
        assert!(!budget.take(start + Duration::from_millis(900)));
        assert!(budget.take(start + Duration::from_millis(2000)));
        let later = start + Duration::from_secs(3600);
        assert_eq!((0..100).filter(|_| budget.take(later)).count(), 60, "never above a minute's worth");
    }
}
