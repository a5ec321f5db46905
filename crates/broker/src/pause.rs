//! Pauses before another try, drawn at random: nodes that lost a server together do not come back together.

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
    /// The pause after so many failures in a row: between half of its nominal length and all of it.
    #[must_use]
    pub fn after(self, failures: usize) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        jittered(self.first.saturating_mul(1 << doublings).min(self.longest))
    }
}

/// Between half of a pause and all of it.
#[must_use]
pub fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_differ() {
        let backoff = Backoff { first: Duration::from_millis(20), longest: Duration::from_secs(3) };
        for failures in [0, 1, 2, 5, 9, 50, usize::MAX] {
            let pauses: Vec<_> = (0..20).map(|_| backoff.after(failures)).collect();
            assert!(pauses.iter().all(|pause| *pause <= backoff.longest), "{pauses:?}");
            assert!(pauses.iter().any(|pause| pause != &pauses[0]), "{pauses:?}");
        }
        assert!(backoff.after(50) >= backoff.longest / 2 && backoff.after(1) <= backoff.first);
    }
}
