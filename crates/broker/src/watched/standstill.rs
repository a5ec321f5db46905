//! When a reader that returns nothing counts as stuck; pure, with the time as an argument.

use std::time::{Duration, Instant};

use crate::position::Position;

/// How long a reader may be silent, and how often it is then checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long a reader returns nothing before the broker is asked for its end; and the interval between such
    /// requests.
    pub quiet: Duration,
    /// How long the broker may have more that does not arrive, before the reader counts as stuck.
    pub behind: Duration,
    /// The bound up to which `behind` doubles while reopening does not help: records may be slow to arrive.
    pub longest: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { quiet: Duration::from_secs(2), behind: Duration::from_secs(5), longest: Duration::from_secs(60) }
    }
}

/// A reader that returned nothing, though its broker has more and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stuck {
    /// How long nothing arrived.
    pub silent: Duration,
    /// How many places the broker has after the reader, including holes.
    pub behind: u64,
}

/// Watches one reader: what it returns, and the broker's answers meanwhile.
///
/// Only the time in which a caller waits for the reader counts. The broker must have had more for the whole of
/// [`Patience::behind`]: a process that was paused checks first.
#[derive(Debug)]
pub(super) struct Standstill {
    patience: Patience,
    silent_since: Instant,
    behind_since: Option<Instant>,
    next_question: Instant,
    /// How often it was reopened since something arrived.
    reopened: u32,
}

impl Standstill {
    pub(super) fn new(patience: Patience, now: Instant) -> Self {
        let next_question = now + patience.quiet;
        Self { patience, silent_since: now, behind_since: None, next_question, reopened: 0 }
    }

    /// The caller waits for the reader from now on: the time before is not its silence.
    pub(super) fn waited_for(&mut self, now: Instant) {
        if self.behind_since.is_none() {
            self.silent_since = now;
            self.next_question = now + self.patience.quiet;
        }
    }

    /// Something arrived.
    pub(super) fn moved(&mut self, now: Instant) {
        *self = Self::new(self.patience, now);
    }

    /// When to ask the broker for the end of the log.
    pub(super) fn next_question(&self) -> Instant {
        self.next_question
    }

    /// The broker gave no answer, or the reader reported it as unreachable: then silence is not the reader's fault.
    pub(super) fn unanswered(&mut self, now: Instant) {
        self.behind_since = None;
        self.next_question = now + self.patience.quiet;
    }

    /// The broker has this many places that the reader has not reached.
    pub(super) fn answered(&mut self, behind: u64, now: Instant) -> Option<Stuck> {
        self.next_question = now + self.patience.quiet;
        if behind == 0 {
            self.behind_since = None;
            return None;
        }
        let since = *self.behind_since.get_or_insert(now);
        let silent = now.saturating_duration_since(self.silent_since);
        (now.saturating_duration_since(since) >= self.patience()).then_some(Stuck { silent, behind })
    }

    /// The reader is reopened.
    pub(super) fn reopened(&mut self, now: Instant) {
        let reopened = self.reopened.saturating_add(1);
        *self = Self { reopened, ..Self::new(self.patience, now) };
    }

    fn patience(&self) -> Duration {
        let grown = self.patience.behind.saturating_mul(1 << self.reopened.min(16));
        grown.min(self.patience.longest.max(self.patience.behind))
    }
}

/// How many places a log has after a position. A position of another log is always behind: the log must be reopened to
/// report that.
pub(super) fn behind(head: &Position, read: &Position) -> u64 {
    if head.incarnation() != read.incarnation() {
        return 1;
    }
    let beyond = |&(partition, offset): &(u32, u64)| match read.offset(partition) {
        Some(read) => offset.saturating_sub(read),
        // Offsets start with 0 or 1, depending on the broker.
        None => offset.max(1),
    };
    head.offsets().iter().map(beyond).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience =
        Patience { quiet: Duration::from_secs(2), behind: Duration::from_secs(5), longest: Duration::from_secs(12) };

    fn begin() -> (Standstill, impl Fn(u64) -> Instant) {
        let start = Instant::now();
        (Standstill::new(PATIENCE, start), move |seconds| start + Duration::from_secs(seconds))
    }

    #[test]
    fn a_reader_that_returns_nothing_while_there_is_more_is_stuck() {
        let (mut reader, at) = begin();
        assert_eq!(reader.next_question(), at(2));
        assert_eq!(reader.answered(3, at(2)), None, "it has just been seen");
        assert_eq!(reader.next_question(), at(4));
        assert_eq!(reader.answered(4, at(6)), None);
        assert_eq!(reader.answered(9, at(7)), Some(Stuck { silent: Duration::from_secs(7), behind: 9 }));
    }

    #[test]
    fn one_that_moves_or_has_all_is_not() {
        let (mut reader, at) = begin();
        reader.answered(3, at(2));
        reader.moved(at(6));
        assert_eq!(reader.answered(3, at(8)), None);
        assert_eq!(reader.answered(0, at(12)), None);
        assert_eq!(reader.answered(1, at(14)), None, "it had all in between");
        assert_eq!(reader.answered(1, at(18)), None);
        assert!(reader.answered(1, at(19)).is_some());
    }

    #[test]
    fn a_broker_that_does_not_answer_is_not_the_readers_fault() {
        let (mut reader, at) = begin();
        reader.answered(3, at(2));
        reader.unanswered(at(6));
        assert_eq!(reader.answered(3, at(8)), None);
        assert!(reader.answered(3, at(13)).is_some());
    }

    #[test]
    fn a_process_that_stood_still_looks_before_it_judges() {
        let (mut reader, at) = begin();
        assert_eq!(reader.answered(3, at(600)), None);
        // The time that its caller spends elsewhere does not count either.
        let (mut reader, at) = begin();
        reader.waited_for(at(600));
        assert_eq!(reader.next_question(), at(602));
        reader.answered(3, at(602));
        let stuck = reader.answered(3, at(607)).expect("stuck");
        assert_eq!(stuck.silent, Duration::from_secs(7));
    }

    #[test]
    fn a_reader_that_is_slow_to_start_gets_more_time_each_time() {
        let (mut reader, at) = begin();
        let mut begun = 0;
        for patience in [5, 10, 12, 12] {
            reader.answered(1, at(begun));
            assert_eq!(reader.answered(1, at(begun + patience - 1)), None);
            assert!(reader.answered(1, at(begun + patience)).is_some());
            begun += patience;
            reader.reopened(at(begun));
        }
        reader.moved(at(begun));
        reader.answered(1, at(begun));
        assert!(reader.answered(1, at(begun + 5)).is_some(), "what came makes it as any other");
    }

    #[test]
    fn places_beyond_are_counted_by_partition() {
        let at = |parts: &[(u32, u64)]| Position::from_parts(1, parts.iter().copied());
        assert_eq!(behind(&at(&[(0, 5), (1, 9)]), &at(&[(0, 5), (1, 9)])), 0);
        assert_eq!(behind(&at(&[(0, 5), (1, 9)]), &at(&[(0, 7), (1, 4)])), 5);
        assert_eq!(behind(&at(&[(0, 0)]), &at(&[])), 1, "the first record of a log that counts from 0");
        assert_eq!(behind(&at(&[]), &at(&[(0, 3)])), 0);
        assert_eq!(behind(&Position::start(2), &at(&[(0, 3)])), 1, "another log");
    }
}
