//! When a reader that gives nothing is called stuck; pure, with the time as an argument.

use std::time::{Duration, Instant};

use crate::position::Position;

/// How long a reader may be silent, and how often it is then looked after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long a reader gives nothing until the broker is asked whether there is more; and between two such questions.
    pub quiet: Duration,
    /// How long more may be there, and nothing of it come, until the reader is stuck.
    pub behind: Duration,
    /// What `behind` grows to, by doubling, while reading anew does not help either: records may be slow to come.
    pub longest: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { quiet: Duration::from_secs(2), behind: Duration::from_secs(5), longest: Duration::from_secs(60) }
    }
}

/// A reader that gave nothing, though its broker has more and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stuck {
    /// For how long nothing came.
    pub silent: Duration,
    /// How many places the broker has beyond the reader, holes among them.
    pub behind: u64,
}

/// Watches one reader: what it gives, and what its broker answers meanwhile.
///
/// Only time in which the reader is waited for counts. The broker must have been seen to have more for the whole of
/// [`Patience::behind`]: a process that stood still itself looks first.
#[derive(Debug)]
pub(super) struct Standstill {
    patience: Patience,
    silent_since: Instant,
    behind_since: Option<Instant>,
    next_question: Instant,
    /// How often it was read anew since something came.
    reopened: u32,
}

impl Standstill {
    pub(super) fn new(patience: Patience, now: Instant) -> Self {
        let next_question = now + patience.quiet;
        Self { patience, silent_since: now, behind_since: None, next_question, reopened: 0 }
    }

    /// The reader is waited for from now on: what was before is not its silence.
    pub(super) fn waited_for(&mut self, now: Instant) {
        if self.behind_since.is_none() {
            self.silent_since = now;
            self.next_question = now + self.patience.quiet;
        }
    }

    /// Something came.
    pub(super) fn moved(&mut self, now: Instant) {
        *self = Self::new(self.patience, now);
    }

    /// When to ask the broker how far the log goes.
    pub(super) fn next_question(&self) -> Instant {
        self.next_question
    }

    /// The broker gave no answer, or the reader said that it is away: then silence is no fault of the reader.
    pub(super) fn unanswered(&mut self, now: Instant) {
        self.behind_since = None;
        self.next_question = now + self.patience.quiet;
    }

    /// The broker has so many places that the reader has not come to.
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

    /// The log is read anew.
    pub(super) fn reopened(&mut self, now: Instant) {
        let reopened = self.reopened.saturating_add(1);
        *self = Self { reopened, ..Self::new(self.patience, now) };
    }

    fn patience(&self) -> Duration {
        let grown = self.patience.behind.saturating_mul(1 << self.reopened.min(16));
        grown.min(self.patience.longest.max(self.patience.behind))
    }
}

/// How many places a log has beyond a position. A position of another log is behind wherever it is: it has to be
/// opened to be told so.
pub(super) fn behind(head: &Position, read: &Position) -> u64 {
    if head.incarnation() != read.incarnation() {
        return 1;
    }
    let beyond = |&(partition, offset): &(u32, u64)| match read.offset(partition) {
        Some(read) => offset.saturating_sub(read),
        // Offsets begin with 0 or 1, by broker.
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
        // Nor does it count what its caller did meanwhile.
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
