//! The clock that decides when old data is removed; pure, with all times as arguments.

use std::time::Duration;

/// A clock that tolerates wrong clocks.
///
/// Data that is removed too early is lost: a logout, a withdrawn role, a record that somebody has yet to read. The
/// clocks of machines are wrong now and then, and the times of records come from such clocks. So this clock is never
/// ahead of the newest record and never faster than real time in this process. It starts from its stored value, or with
/// the earlier of two independent clocks. It may be behind, for instance by as long as a machine was off; then data is
/// kept longer, and its amount is bounded by count.
///
/// Times are milliseconds since the epoch. `elapsed` is the time since the process started, by a monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgeClock {
    now: i64,
    begun: i64,
    begun_at: Duration,
    /// The lag behind the newest record when it was last reported.
    told_behind: i64,
}

/// How much the lag must grow before it is reported again, in milliseconds.
const WORTH_TELLING: i64 = 60_000;

impl AgeClock {
    /// Starts at a time, given how long the process has run.
    #[must_use]
    pub fn begin(at: i64, elapsed: Duration) -> Self {
        Self { now: at, begun: at, begun_at: elapsed, told_behind: 0 }
    }

    /// The current time for removals.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.now
    }

    /// Advances, at most to the time of the newest record, and returns the new time.
    pub fn pass(&mut self, newest: i64, elapsed: Duration) -> i64 {
        let ran = elapsed.saturating_sub(self.begun_at);
        let possible = self.begun.saturating_add(i64::try_from(ran.as_millis()).unwrap_or(i64::MAX));
        self.now = self.now.max(possible.min(newest));
        self.now
    }

    /// The lag behind the newest record.
    #[must_use]
    pub fn behind(&self, newest: i64) -> Duration {
        let behind = u64::try_from(newest.saturating_sub(self.now)).unwrap_or(0);
        Duration::from_millis(behind)
    }

    /// The lag, each time it has grown by a minute: worth a log line.
    pub fn fell_behind(&mut self, newest: i64) -> Option<Duration> {
        let behind = newest.saturating_sub(self.now);
        if behind < self.told_behind {
            self.told_behind = behind.max(0);
        }
        if behind < self.told_behind.saturating_add(WORTH_TELLING) {
            return None;
        }
        self.told_behind = behind;
        Some(self.behind(newest))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = 24 * 3600 * 1000;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn it_follows_the_records_as_time_passes() {
        let mut clock = AgeClock::begin(1_000_000, seconds(5));
        assert_eq!(clock.pass(1_000_500, seconds(6)), 1_000_500, "no further than the newest record");
        assert_eq!(clock.pass(1_002_000, seconds(7)), 1_002_000);
        // After a pause it may catch up: that time has passed.
        assert_eq!(clock.pass(1_600_000, seconds(605)), 1_600_000);
    }

    #[test]
    fn records_of_a_clock_that_was_ahead_do_not_move_it() {
        let mut clock = AgeClock::begin(0, seconds(0));
        assert_eq!(clock.pass(3 * DAY, seconds(1)), 1_000);
        assert_eq!(clock.fell_behind(3 * DAY), Some(Duration::from_millis(3 * DAY as u64 - 1_000)));
        assert_eq!(clock.fell_behind(3 * DAY), None, "said once");
        // The clock is right again; the newest record stays where it is.
        assert_eq!(clock.pass(3 * DAY, seconds(3600)), 3_600_000);
        // The clock is ahead again.
        clock.pass(9 * DAY, seconds(3600));
        assert!(clock.fell_behind(9 * DAY).is_some());
    }

    #[test]
    fn it_continues_after_a_restart_from_where_it_was_kept() {
        let mut before = AgeClock::begin(0, seconds(0));
        before.pass(3 * DAY, seconds(60));
        let mut after = AgeClock::begin(before.now(), seconds(0));
        assert_eq!(after.pass(3 * DAY, seconds(0)), 60_000);
        assert_eq!(after.pass(3 * DAY, seconds(10)), 70_000);
    }

    proptest! {
        #[test]
        fn it_is_never_ahead_and_never_fast(
            begin in -1_000_000i64..1_000_000,
            steps in proptest::collection::vec((0u64..100_000, -10_000_000i64..10_000_000), 1..50),
        ) {
            let mut clock = AgeClock::begin(begin, Duration::ZERO);
            let (mut elapsed, mut newest_ever) = (0u64, begin);
            for (passed, newest) in steps {
                let before = clock.now();
                elapsed += passed;
                newest_ever = newest_ever.max(newest);
                let now = clock.pass(newest, Duration::from_millis(elapsed));
                prop_assert!(now >= before, "it never goes back");
                prop_assert!(now <= newest_ever);
                prop_assert!(now - begin <= i64::try_from(elapsed).unwrap());
            }
        }
    }
}
