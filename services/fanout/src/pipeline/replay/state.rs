//! How a replay goes through the log: from memory as far as that goes, otherwise from the broker; pure.
//!
//! The driver asks [`ReplayState::next`] what comes next, and reports the result.

use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::{Position, Record};
use fanfare_event::Id;

use super::super::Written;
use super::super::follower::reached;
use super::super::reader::Window;
use super::super::recent::{RecentRecords, Step, Walk};
use super::filter::{Ages, Extent, ReplayFilter, Replayed, SLACK, begin, lacks};
use crate::projection::Bounds;
use crate::route::RouteTable;

/// The next step of a replay.
pub(crate) enum Next {
    /// These records, by [`ReplayState::take`].
    Records(Vec<Arc<Record>>),
    /// The broker's records after a position, by `take` and [`ReplayState::pass`].
    Log(Position),
    /// Nothing: all was read.
    Nothing,
}

/// Where its records come from.
enum Source {
    /// The newest records, kept by this node.
    Memory(Walk),
    /// The log after a position.
    Log(Position),
}

/// A replay under way.
pub(crate) struct ReplayState {
    source: Source,
    filter: ReplayFilter,
    /// Where the window begins.
    oldest: Position,
    complete: bool,
    cost: usize,
}

impl ReplayState {
    /// For a connection of these orgs that has everything up to `after`; ends at `until`.
    ///
    /// `is_beyond` says that the cursor is after the end of the log: it is from a log that has lost its end since, and
    /// says nothing about this one.
    pub(crate) fn open(
        (after, until): (&Position, Position),
        orgs: Vec<Id>,
        window: Extent,
        is_beyond: bool,
        bounds: &Bounds,
        recent: &RecentRecords,
    ) -> Self {
        // A cursor exactly at the end has nothing to read, so nobody else would find out.
        let is_beyond = is_beyond || recent.contradicts(after);
        let after = if is_beyond { &window.oldest } else { after };
        let (from, complete) = begin(after, &window);
        let filter = ReplayFilter::new(after, &from, until.clone(), orgs, bounds);
        let source = match recent.walk(&from, &until) {
            Some(walk) if !filter.is_over() => Source::Memory(walk),
            _ => Source::Log(from),
        };
        Self { source, filter, oldest: window.oldest, complete: complete && !is_beyond, cost: 0 }
    }

    /// Whether everything after the cursor was still in the window, as far as the replay has come.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    /// How many records were looked at since this was asked last: the cost for the caller.
    pub(crate) fn take_cost(&mut self) -> usize {
        std::mem::take(&mut self.cost)
    }

    /// The next step.
    pub(crate) fn next(&mut self, recent: &RecentRecords) -> Next {
        if self.filter.is_over() {
            return Next::Nothing;
        }
        if let Source::Memory(walk) = &mut self.source {
            let before = walk.looked_at();
            let step = recent.step(walk);
            self.cost += walk.looked_at().saturating_sub(before);
            match step {
                Step::Records(records) => return Next::Records(records),
                Step::End => {
                    self.filter.finish();
                    return Next::Nothing;
                }
                Step::Gone => self.source = Source::Log(self.filter.position().clone()),
            }
        }
        match &self.source {
            Source::Log(from) => Next::Log(from.clone()),
            Source::Memory(_) => Next::Nothing,
        }
    }

    /// Takes the next record; returns what was sent about it, if anything.
    pub(crate) fn take(&mut self, routes: &RouteTable, record: &Record, written: &Written) -> Option<Replayed> {
        if matches!(self.source, Source::Log(_)) {
            self.cost += 1;
        }
        self.filter.take(routes, record, written)
    }

    /// Notes how far the broker was read.
    pub(crate) fn pass(&mut self, read: &Position) {
        self.filter.pass(read);
        self.source = Source::Log(read.clone());
    }

    /// Everything before `oldest` is gone from the log.
    pub(crate) fn trimmed(&mut self, oldest: &Position) {
        let mut from = match &self.source {
            Source::Log(from) => from.clone(),
            Source::Memory(_) => self.filter.position().clone(),
        };
        from.merge(oldest);
        self.filter.pass(&from);
        self.source = Source::Log(from);
        self.complete = false;
    }

    /// The cursor matches the stream's name but not its content.
    pub(crate) fn other_log(&mut self) {
        self.filter.restart(&self.oldest);
        self.source = Source::Log(self.oldest.clone());
        self.complete = false;
    }
}

/// The window of the log, before all of it is asked for.
pub(crate) enum Needed {
    /// It is known as far as the cursor needs it.
    Enough(Extent),
    /// Three more starts are needed, of the windows that [`further`] names.
    Further(Position),
}

/// What a cursor needs to know of the window that begins at `oldest`.
pub(crate) fn needed(after: &Position, oldest: Position) -> Needed {
    if lacks(after, &oldest) { Needed::Further(oldest) } else { Needed::Enough(Extent { oldest, ages: None }) }
}

/// The windows whose starts a cursor that leaves partitions out is judged by.
pub(crate) fn further(age: Duration) -> [Window; 3] {
    [age, age.saturating_sub(SLACK), Duration::MAX].map(|age| Window { age, records: u64::MAX })
}

/// The window, with those starts.
pub(crate) fn extent(oldest: Position, [by_age, recent, stored]: [Position; 3]) -> Extent {
    Extent { oldest, ages: Some(Ages { by_age, recent, stored }) }
}

/// Whether a cursor is after the end of the log, which has lost that part. A node may also be behind the one that
/// issued the cursor; then the broker has records that this node has not read.
pub(crate) fn is_beyond(after: &Position, head: &Position) -> bool {
    head.incarnation() == after.incarnation() && !reached(head, after)
}

/// Whether the end of the log must be known to judge a cursor: it is ahead of what this node has read.
pub(crate) fn is_ahead(after: &Position, until: &Position) -> bool {
    after.incarnation() == until.incarnation() && !reached(until, after)
}
