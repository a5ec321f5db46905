//! Pauses before another attempt: each twice as long as the one before, and randomised, so that clients of one lost
//! server do not all return at once.

use std::time::Duration;

/// A pause that doubles with every failure in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The first pause.
    pub first: Duration,
    /// The longest one.
    pub longest: Duration,
}

impl Backoff {
    /// The pause after this many failures in a row: between half of its [nominal](Self::nominal) length and all of it.
    #[must_use]
    pub fn after(self, failures: u32) -> Duration {
        jittered(self.nominal(failures))
    }

    /// The same, with chance as an argument: `chance` is in 0..1.
    #[must_use]
    pub fn after_by(self, failures: u32, chance: f64) -> Duration {
        share(self.nominal(failures), chance)
    }

    /// The longest pause after this many failures in a row; for a state machine whose driver [jitters](jittered) it.
    #[must_use]
    pub fn nominal(self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        self.first.saturating_mul(1 << doublings).min(self.longest)
    }
}

/// Between half of a pause and all of it.
#[must_use]
pub fn jittered(pause: Duration) -> Duration {
    share(pause, chance())
}

/// A random number in 0..1; it spreads load and must not protect a secret.
#[must_use]
pub fn chance() -> f64 {
    fastrand::f64()
}

fn share(pause: Duration, chance: f64) -> Duration {
    pause.mul_f64(0.5 + 0.5 * chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(10) };

    #[test]
    fn pauses_double_up_to_the_longest() {
        let full = |failures| BACKOFF.after_by(failures, 1.0).as_millis();
        assert_eq!([0, 1, 2, 3, 7, 8, u32::MAX].map(full), [100, 100, 200, 400, 6400, 10_000, 10_000]);
        assert_eq!(BACKOFF.after_by(1, 0.0), Duration::from_millis(50));
        assert_eq!(BACKOFF.nominal(3), BACKOFF.after_by(3, 1.0));
    }

    #[test]
    fn two_waiters_wait_for_different_times() {
        for failures in [1, 2, 5, 50] {
            let pauses: Vec<_> = (0..20).map(|_| BACKOFF.after(failures)).collect();
            let (half, all) = (BACKOFF.nominal(failures) / 2, BACKOFF.nominal(failures));
            assert!(pauses.iter().all(|pause| (half..=all).contains(pause)), "{pauses:?}");
            assert!(pauses.iter().any(|pause| pause != &pauses[0]), "{pauses:?}");
        }
    }
}
