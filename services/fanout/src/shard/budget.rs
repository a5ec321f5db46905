//! Rates as token buckets, without a clock of their own.

use std::time::{Duration, Instant};

/// A client's or a user's budget; refills evenly, and may be overdrawn.
///
/// Small, as each connection has several: units are whatever is counted, the rate is per second.
#[derive(Debug, Clone)]
pub struct Budget {
    left: f32,
    refilled: Instant,
}

/// How fast a budget refills, and how much it holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Units in a second.
    pub per_second: f32,
    /// The most that is saved up.
    pub burst: f32,
}

impl Rate {
    /// A rate per minute, with a burst of the same size.
    #[must_use]
    pub fn per_minute(count: u32) -> Self {
        let burst = count as f32;
        Self { per_second: burst / 60.0, burst }
    }
}

impl Budget {
    /// A full budget.
    #[must_use]
    pub fn new(rate: Rate, now: Instant) -> Self {
        Self { left: rate.burst, refilled: now }
    }

    /// Spends units, whether there are so many or not.
    pub fn spend(&mut self, units: f32, rate: Rate, now: Instant) {
        self.refill(rate, now);
        self.left -= units;
    }

    /// Spends one unit; false if there is none.
    pub fn take(&mut self, rate: Rate, now: Instant) -> bool {
        self.refill(rate, now);
        if self.left < 1.0 {
            return false;
        }
        self.left -= 1.0;
        true
    }

    /// How long until so many units are there; zero if they are.
    #[must_use]
    pub fn wait(&mut self, units: f32, rate: Rate, now: Instant) -> Duration {
        self.refill(rate, now);
        let missing = (units - self.left).max(0.0);
        // A moment more, or rounding may call a unit missing that is due by then.
        if missing > 0.0 { Duration::from_secs_f32(missing / rate.per_second) + ROUNDING } else { Duration::ZERO }
    }

    /// Whether it is full.
    #[must_use]
    pub fn is_full(&mut self, rate: Rate, now: Instant) -> bool {
        self.refill(rate, now);
        self.left >= rate.burst
    }

    fn refill(&mut self, rate: Rate, now: Instant) {
        let elapsed = now.saturating_duration_since(self.refilled);
        // So little that it would be lost to rounding is left for the next time.
        if elapsed >= ROUNDING {
            self.left = (self.left + rate.per_second * elapsed.as_secs_f32()).min(rate.burst);
            self.refilled = now;
        }
    }
}

/// Times closer than this are one.
const ROUNDING: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spent_budget_refills_with_time() {
        let (start, rate) = (Instant::now(), Rate::per_minute(60));
        let mut budget = Budget::new(rate, start);
        assert!((0..60).all(|_| budget.take(rate, start)));
        assert!(!budget.take(rate, start));
        assert!(budget.wait(1.0, rate, start) <= Duration::from_millis(1001));
        assert!(!budget.take(rate, start + Duration::from_millis(900)));
        assert!(budget.take(rate, start + Duration::from_millis(2000)));
        let later = start + Duration::from_secs(3600);
        assert_eq!((0..100).filter(|_| budget.take(rate, later)).count(), 60, "never above a minute's worth");
    }

    #[test]
    fn an_overdrawn_budget_is_waited_for() {
        let (start, rate) = (Instant::now(), Rate { per_second: 100.0, burst: 50.0 });
        let mut budget = Budget::new(rate, start);
        budget.spend(250.0, rate, start);
        let wait = budget.wait(1.0, rate, start);
        assert!(wait > Duration::from_secs(2) && wait < Duration::from_millis(2_100), "{wait:?}");
        assert_eq!(budget.wait(1.0, rate, start + wait), Duration::ZERO);
    }
}
