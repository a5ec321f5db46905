//! Decides what to publish next: the unsent rows in memory, one lane per ordering key, one row in flight per lane.
//!
//! No clock and no I/O. Time is the duration since some start.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use fanfare_failure::Backoff;

use crate::row::Row;

/// The largest number of rows in memory, over all lanes.
pub(crate) const MAX_HELD: usize = 256;
/// The largest number of rows for one lane, so that one busy org leaves room for the others.
const MAX_PER_LANE: usize = 32;
/// A full lane loads rows again when it has no more than this.
const REFILL_LANE: usize = MAX_PER_LANE / 4;
/// With fewer rows than this, more are loaded.
const LOW_WATER: usize = MAX_HELD / 4;

/// The unsent rows in memory.
#[derive(Debug)]
pub(crate) struct Lanes {
    backoff: Backoff,
    lanes: HashMap<Arc<str>, Lane>,
    /// The lanes whose first row may be published, by the number of that row: the oldest goes first.
    ready: BTreeMap<i64, Arc<str>>,
    held: usize,
    in_flight: usize,
    /// The row that was put back last.
    put_back: Option<i64>,
    /// A lane is no longer excluded, so the table may have rows of it that are not in memory.
    wants_rows: bool,
}

#[derive(Debug, Default)]
struct Lane {
    rows: BTreeMap<i64, Arc<Row>>,
    in_flight: bool,
    full: bool,
    failures: u32,
    blocked_until: Option<Duration>,
}

impl Lane {
    fn is_excluded(&self) -> bool {
        self.blocked_until.is_some() || self.full
    }

    fn may_go(&self) -> Option<i64> {
        let idle = !self.in_flight && self.blocked_until.is_none();
        if idle { self.rows.first_key_value().map(|(seq, _)| *seq) } else { None }
    }
}

impl Lanes {
    pub(crate) fn new(backoff: Backoff) -> Self {
        Self {
            backoff,
            lanes: HashMap::new(),
            ready: BTreeMap::new(),
            held: 0,
            in_flight: 0,
            put_back: None,
            wants_rows: false,
        }
    }

    /// Adds rows that are not in memory yet, as far as there is room.
    pub(crate) fn admit(&mut self, rows: Vec<Row>) {
        for row in rows {
            if self.held >= MAX_HELD {
                return;
            }
            let key = Arc::clone(&row.ordering_key);
            let lane = self.lanes.entry(Arc::clone(&key)).or_default();
            if lane.is_excluded() || lane.rows.contains_key(&row.seq) {
                continue;
            }
            // A row with a lower number than those in memory is possible: its transaction committed late.
            let before = lane.may_go();
            lane.rows.insert(row.seq, Arc::new(row));
            lane.full = lane.rows.len() >= MAX_PER_LANE;
            self.held += 1;
            self.requeue(&key, before);
        }
    }

    /// The next row to publish; it counts as in flight until its outcome is reported.
    pub(crate) fn next(&mut self) -> Option<Arc<Row>> {
        let (seq, _) = self.ready.first_key_value()?;
        self.take(*seq)
    }

    /// The next row with which to find out whether an outage is over: a different one each time, in case only one of
    /// them cannot be published.
    pub(crate) fn next_probe(&mut self) -> Option<Arc<Row>> {
        let after = self.put_back.and_then(|seq| self.ready.range(seq.saturating_add(1)..).next());
        let (seq, _) = after.or_else(|| self.ready.first_key_value())?;
        self.take(*seq)
    }

    fn take(&mut self, seq: i64) -> Option<Arc<Row>> {
        let key = self.ready.remove(&seq)?;
        let lane = self.lanes.get_mut(&key)?;
        let (_, row) = lane.rows.first_key_value()?;
        lane.in_flight = true;
        self.in_flight += 1;
        Some(Arc::clone(row))
    }

    /// The row is finished: published or parked.
    pub(crate) fn done(&mut self, row: &Row) {
        self.landed(row, |lane| {
            lane.rows.remove(&row.seq);
            lane.failures = 0;
        });
    }

    /// The row must be retried, and its lane waits before that; returns how long.
    pub(crate) fn retry(&mut self, row: &Row, now: Duration, chance: f64) -> Duration {
        let backoff = self.backoff;
        let mut pause = Duration::ZERO;
        self.landed(row, |lane| {
            lane.failures = lane.failures.saturating_add(1);
            pause = backoff.after_by(lane.failures, chance);
            lane.blocked_until = Some(now + pause);
            // The rest is loaded again later: waiting lanes must not fill the memory.
            lane.rows.retain(|seq, _| *seq == row.seq);
        });
        pause
    }

    /// The row was not published, for a reason unrelated to it: it may be published at once.
    pub(crate) fn put_back(&mut self, row: &Row) {
        self.put_back = Some(row.seq);
        self.landed(row, |_| {});
    }

    /// Frees the lanes whose wait has ended.
    pub(crate) fn unblock(&mut self, now: Duration) {
        let over = |lane: &Lane| lane.blocked_until.is_some_and(|until| until <= now);
        let keys: Vec<_> = self.lanes.iter().filter(|(_, lane)| over(lane)).map(|(key, _)| Arc::clone(key)).collect();
        for key in keys {
            if let Some(lane) = self.lanes.get_mut(&key) {
                lane.blocked_until = None;
                self.wants_rows = true;
            }
            self.requeue(&key, None);
        }
    }

    /// When the next lane will be freed.
    pub(crate) fn next_unblock(&self) -> Option<Duration> {
        self.lanes.values().filter_map(|lane| lane.blocked_until).min()
    }

    /// The ordering keys whose rows are not loaded now: their lanes wait or are full.
    pub(crate) fn excluded(&self) -> Vec<&str> {
        self.lanes.iter().filter(|(_, lane)| lane.is_excluded()).map(|(key, _)| &**key).collect()
    }

    /// Whether more rows should be loaded.
    pub(crate) fn want_rows(&self) -> bool {
        let waiting = self.lanes.values().filter(|lane| lane.blocked_until.is_some()).count();
        self.held < MAX_HELD && self.held - waiting < LOW_WATER
    }

    /// Whether rows that were left in the table can be loaded since the last call.
    pub(crate) fn take_wants_rows(&mut self) -> bool {
        std::mem::take(&mut self.wants_rows)
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether any row could be published now.
    pub(crate) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    fn landed(&mut self, row: &Row, change: impl FnOnce(&mut Lane)) {
        let Some(lane) = self.lanes.get_mut(&row.ordering_key) else { return };
        let before = lane.rows.len();
        lane.in_flight = false;
        change(lane);
        self.held -= before - lane.rows.len();
        self.in_flight -= 1;
        if lane.full && lane.rows.len() <= REFILL_LANE {
            lane.full = false;
            self.wants_rows = true;
        }
        if lane.rows.is_empty() && lane.blocked_until.is_none() {
            self.lanes.remove(&row.ordering_key);
        } else {
            self.requeue(&row.ordering_key, None);
        }
    }

    /// Sorts the lane by its first row, after it was sorted by `before`.
    fn requeue(&mut self, key: &Arc<str>, before: Option<i64>) {
        if let Some(before) = before {
            self.ready.remove(&before);
        }
        if let Some(seq) = self.lanes.get(key).and_then(Lane::may_go) {
            self.ready.insert(seq, Arc::clone(key));
        }
    }
}

#[cfg(test)]
#[path = "lanes_tests.rs"]
mod tests;
