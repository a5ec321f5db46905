//! The bounds of an embedded log.

use std::time::Duration;

use super::clock::{Clock, milliseconds};
use crate::letter::LETTERS_KEPT;
use crate::limits::Limits;

/// The newest part of the log: records not older than `age`, at most `records` of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The largest age of a record.
    pub age: Duration,
    /// The largest number of records.
    pub records: u64,
}

impl Window {
    /// Whether a record stored at `time` is in the window, if `next` is the next offset.
    pub(super) fn holds(&self, offset: u64, time: i64, next: u64, now: i64) -> bool {
        next.saturating_sub(offset) <= self.records && time >= self.since(now)
    }

    /// The oldest time that the window holds.
    pub(super) fn since(&self, now: i64) -> i64 {
        now.saturating_sub(milliseconds(self.age))
    }
}

/// The bounds of an embedded log. Each has a default that suits one node on one machine.
#[derive(Debug, Clone)]
pub struct Options {
    /// The largest message. A larger one is refused.
    pub limits: Limits,
    /// How long records are kept; default 24 hours.
    pub retention_age: Duration,
    /// How many bytes of records are kept; default 1 GiB. The file needs about half as much again for its index, and
    /// never shrinks.
    pub retention_bytes: u64,
    /// The records that trimming keeps even above `retention_bytes`; default 10 minutes, 100,000 records. Must contain
    /// the replay window.
    pub protected: Window,
    /// How long an id is remembered for de-duplication; default 10 minutes, 1,000,000 records.
    pub dedup: Window,
    /// Messages that may wait to be written; default 8,192. Further ones are refused as busy.
    pub queue_records: usize,
    /// Bytes that may wait to be written; default 32 MiB. Further ones are refused as busy.
    pub queue_bytes: usize,
    /// Messages written with one fsync, at most; default 1,024.
    pub group_records: usize,
    /// Bytes written with one fsync, at most; default 4 MiB, always at least one message.
    pub group_bytes: usize,
    /// Bytes of the newest records kept in memory for live readers; default 16 MiB. A reader that falls further behind
    /// reads the file.
    pub tail_bytes: usize,
    /// Records in one batch of a reader, at most; default 512.
    pub batch_records: usize,
    /// Bytes in one batch of a reader, at most; default 1 MiB, always at least one record.
    pub batch_bytes: usize,
    /// Readers that read the file concurrently; default 4. Further ones wait.
    pub concurrent_reads: usize,
    /// Memory for the file's pages; default 64 MiB.
    pub cache_bytes: usize,
    /// Dead letters kept; default 10,000. The letters of the oldest records are removed first.
    pub letters: u64,
    /// The source of broker time.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        let ten_minutes = Duration::from_secs(600);
        Self {
            limits: Limits::default(),
            retention_age: Duration::from_secs(24 * 3600),
            retention_bytes: 1 << 30,
            protected: Window { age: ten_minutes, records: 100_000 },
            dedup: Window { age: ten_minutes, records: 1_000_000 },
            queue_records: 8192,
            queue_bytes: 32 << 20,
            group_records: 1024,
            group_bytes: 4 << 20,
            tail_bytes: 16 << 20,
            batch_records: 512,
            batch_bytes: 1 << 20,
            concurrent_reads: 4,
            cache_bytes: 64 << 20,
            letters: LETTERS_KEPT as u64,
            clock: Clock::system(),
        }
    }
}

impl Options {
    /// What is wrong with the options, if anything.
    pub(super) fn fault(&self) -> Option<String> {
        let ages = [("protected.age", self.protected.age), ("dedup.age", self.dedup.age)];
        for (name, age) in ages {
            if age > self.retention_age {
                return Some(format!("{name} ({age:?}) is longer than retention_age ({:?})", self.retention_age));
            }
        }
        let counts = [
            ("queue_records", self.queue_records),
            ("group_records", self.group_records),
            ("batch_records", self.batch_records),
            ("concurrent_reads", self.concurrent_reads),
        ];
        for (name, count) in counts {
            if count == 0 {
                return Some(format!("{name} is 0, it must be at least 1"));
            }
        }
        let largest = self.limits.largest_message();
        (self.queue_bytes < largest)
            .then(|| format!("queue_bytes ({}) is below the largest message ({largest})", self.queue_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_sound() {
        assert_eq!(Options::default().fault(), None);
    }

    #[test]
    fn faults_are_named() {
        let fault = |change: fn(&mut Options)| {
            let mut options = Options::default();
            change(&mut options);
            options.fault().expect("a fault")
        };
        let short = fault(|o| o.retention_age = Duration::from_secs(60));
        assert!(short.starts_with("protected.age"), "{short}");
        assert!(fault(|o| o.batch_records = 0).starts_with("batch_records is 0"));
        assert!(fault(|o| o.queue_bytes = 1024).starts_with("queue_bytes (1024) is below"));
    }

    #[test]
    fn a_window_ends_by_count_or_by_age() {
        let window = Window { age: Duration::from_millis(100), records: 3 };
        assert!(window.holds(7, 900, 10, 1000));
        assert!(!window.holds(6, 900, 10, 1000));
        assert!(!window.holds(7, 899, 10, 1000));
    }
}
