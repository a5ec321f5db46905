//! How long to wait before something that is down is tried again.

use std::time::Duration;

use fanfare_failure::Backoff;

/// Something that is down as a whole: how often it failed in a row, and until when it is not tried.
#[derive(Debug)]
pub(crate) struct Outage {
    backoff: Backoff,
    failures: u32,
    until: Duration,
}

impl Outage {
    pub(crate) fn none(backoff: Backoff) -> Self {
        Self { backoff, failures: 0, until: Duration::ZERO }
    }

    /// Notes a failure; true if it starts the outage.
    ///
    /// Failures of attempts that were running when the pause began are not news and do not prolong it.
    pub(crate) fn failed(&mut self, now: Duration, chance: f64) -> bool {
        if now < self.until {
            return false;
        }
        self.failures = self.failures.saturating_add(1);
        self.until = now + self.backoff.after_by(self.failures, chance);
        self.failures == 1
    }

    /// Notes a success; true if it ends an outage.
    pub(crate) fn succeeded(&mut self) -> bool {
        self.until = Duration::ZERO;
        std::mem::take(&mut self.failures) > 0
    }

    /// Whether the last attempt failed.
    pub(crate) fn lasts(&self) -> bool {
        self.failures > 0
    }

    /// When to try again, if that is in the future.
    pub(crate) fn paused_until(&self, now: Duration) -> Option<Duration> {
        (now < self.until).then_some(self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(10) };

    #[test]
    fn failures_within_a_pause_do_not_prolong_it() {
        let mut outage = Outage::none(BACKOFF);
        assert!(outage.failed(Duration::ZERO, 1.0));
        for _ in 0..16 {
            assert!(!outage.failed(Duration::from_millis(50), 1.0));
        }
        assert_eq!(outage.paused_until(Duration::from_millis(50)), Some(Duration::from_millis(100)));
        assert_eq!(outage.paused_until(Duration::from_millis(100)), None);
        assert!(!outage.failed(Duration::from_millis(100), 1.0));
        assert_eq!(outage.paused_until(Duration::from_millis(100)), Some(Duration::from_millis(300)));
    }

    #[test]
    fn a_success_ends_the_outage() {
        let mut outage = Outage::none(BACKOFF);
        outage.failed(Duration::ZERO, 1.0);
        assert!(outage.lasts());
        assert!(outage.succeeded());
        assert!(!outage.succeeded());
        assert_eq!(outage.paused_until(Duration::ZERO), None);
        assert!(outage.failed(Duration::ZERO, 1.0), "the next one starts again");
    }
}
