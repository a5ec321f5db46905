//! The newest records of the log in memory, so that returning clients need not each read the broker.
//!
//! This is only a cache of the replay window: older records are read from the broker. Records are in the order in which
//! this node read them, which keeps the order of each partition.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use fanfare_broker::{Position, Record};

use super::follower::reached;

/// The most records that a walk takes at once, so that writers wait for a moment only.
const BATCH: usize = 128;

/// The overhead of a record besides its texts and its body, in bytes: the containers, the allocator's share.
const OVERHEAD: usize = 256;

/// The newest records, bounded in bytes.
pub struct RecentRecords {
    ring: RwLock<Ring>,
    limit: usize,
    /// Whether none are kept for now, as memory is short.
    shed: AtomicBool,
}

struct Ring {
    /// Everything up to here has fallen out, or was never in.
    floor: Position,
    /// Everything up to here was read.
    head: Position,
    records: VecDeque<Arc<Record>>,
    /// The number of the first record; each has the next one.
    first: u64,
    bytes: usize,
}

/// Where a returning tab is in the newest records.
#[derive(Debug)]
pub(crate) struct Walk {
    after: Position,
    /// The number of the next record to look at.
    next: u64,
    /// The number after the last one.
    end: u64,
}

impl Walk {
    /// How many records it has come past, those that the tab has among them.
    pub(crate) fn looked_at(&self) -> usize {
        usize::try_from(self.next).unwrap_or(usize::MAX)
    }
}

/// The result of a step of a walk.
pub(crate) enum Step {
    /// The next records after the connection's position.
    Records(Vec<Arc<Record>>),
    /// There is nothing more.
    End,
    /// The next ones have been dropped meanwhile, or the position is not of this log: ask the broker.
    Gone,
}

impl Ring {
    /// Lets go of the oldest until there are at most so many bytes.
    fn keep(&mut self, limit: usize) {
        while self.bytes > limit
            && let Some(oldest) = self.records.pop_front()
        {
            self.bytes -= cost(&oldest);
            self.first += 1;
            self.floor.advance(&oldest);
        }
    }
}

impl RecentRecords {
    /// Nothing yet; at most so many bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let start = Position::start(0);
        let ring = Ring { floor: start.clone(), head: start, records: VecDeque::new(), first: 0, bytes: 0 };
        Self { ring: RwLock::new(ring), limit, shed: AtomicBool::new(false) }
    }

    /// A reader begins after `after`: if that is not where the last one ended, the records here are of no use.
    pub(crate) fn begin(&self, after: &Position) {
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        if ring.head != *after {
            ring.first += ring.records.len() as u64;
            ring.records.clear();
            ring.bytes = 0;
            (ring.floor, ring.head) = (after.clone(), after.clone());
        }
    }

    /// Drops all records, and keeps none until told otherwise: they are read from the broker meanwhile.
    pub(crate) fn shed(&self, shed: bool) {
        self.shed.store(shed, Ordering::Relaxed);
        if shed {
            self.ring.write().unwrap_or_else(PoisonError::into_inner).keep(0);
        }
    }

    /// Takes the next record. To be called before anybody learns that it was read: a connection that joins after it
    /// must find it here. Returns its number; none if it was read before.
    pub(crate) fn push(&self, record: Arc<Record>) -> Option<u64> {
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        if !ring.head.advance(&record) {
            return None;
        }
        let number = ring.first + ring.records.len() as u64;
        ring.bytes += cost(&record);
        ring.records.push_back(record);
        ring.keep(if self.shed.load(Ordering::Relaxed) { 0 } else { self.limit });
        Some(number)
    }

    /// The number of the oldest record that is here.
    pub(super) fn oldest(&self) -> u64 {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).first
    }

    /// The record of a number, unless it is dropped.
    pub(super) fn get(&self, number: u64) -> Option<Arc<Record>> {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        let at = usize::try_from(number.checked_sub(ring.first)?).ok()?;
        ring.records.get(at).cloned()
    }

    /// Notes how far the reader came: between its records are gaps.
    pub(crate) fn pass(&self, read: &Position) {
        self.ring.write().unwrap_or_else(PoisonError::into_inner).head.merge(read);
    }

    /// Begins a walk after `after` that sees everything up to `until`, if all of that is here.
    pub(crate) fn walk(&self, after: &Position, until: &Position) -> Option<Walk> {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        let same = after.incarnation() == ring.head.incarnation() && until.incarnation() == ring.head.incarnation();
        if !same || !reached(after, &ring.floor) || !reached(&ring.head, until) {
            return None;
        }
        let end = ring.first + ring.records.len() as u64;
        Some(Walk { after: after.clone(), next: ring.first, end })
    }

    /// Whether the newest records say that a position is of a log that has lost its end since: one has been stored in a
    /// place that the position covers, and is younger than all that it covers.
    pub(crate) fn contradicts(&self, after: &Position) -> bool {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        let of_this_log = after.newest() > 0 && after.incarnation() == ring.head.incarnation();
        // Times rise with the log, except for records of several partitions at about the same time.
        of_this_log && ring.records.iter().rev().take(BATCH).any(|record| is_younger(record, after))
    }

    /// The next step of a walk.
    pub(crate) fn step(&self, walk: &mut Walk) -> Step {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = Vec::new();
        while walk.next < walk.end {
            // Dropped records may or may not have been looked at by this walk; nobody knows any more.
            let Some(at) = walk.next.checked_sub(ring.first) else { return Step::Gone };
            let Some(record) = usize::try_from(at).ok().and_then(|at| ring.records.get(at)) else { return Step::Gone };
            walk.next += 1;
            if walk.after.covers(record.partition, record.offset) {
                // A log that lost its end has other records in the places that the client has heard of.
                if is_younger(record, &walk.after) {
                    return Step::Gone;
                }
                continue;
            }
            found.push(Arc::clone(record));
            if found.len() == BATCH {
                break;
            }
        }
        if found.is_empty() { Step::End } else { Step::Records(found) }
    }

    /// How many records are here, and their bytes, for the metrics.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        (ring.records.len(), ring.bytes)
    }
}

/// Whether a record is at a place that a position covers, and cannot have been there then.
fn is_younger(record: &Record, after: &Position) -> bool {
    after.newest() > 0 && record.time > after.newest() && after.covers(record.partition, record.offset)
}

fn cost(record: &Record) -> usize {
    record.message.size() + record.message.headers.len() * size_of::<(String, String)>() + OVERHEAD
}

impl std::fmt::Debug for RecentRecords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (records, bytes) = self.size();
        f.debug_struct("RecentRecords").field("records", &records).field("bytes", &bytes).finish()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use fanfare_broker::{Message, Stream};

    use super::*;

    fn record(partition: u32, offset: u64) -> Arc<Record> {
        let message = Message {
            stream: Stream::Events,
            org: None,
            topic: "a.B".into(),
            key: None,
            id: format!("{partition}-{offset}"),
            headers: Vec::new(),
            body: Bytes::from_static(&[0; 100]),
        };
        Arc::new(Record { partition, offset, time: 0, message })
    }

    fn at(parts: &[(u32, u64)]) -> Position {
        Position::from_parts(1, parts.iter().copied())
    }

    fn filled(limit: usize) -> RecentRecords {
        let recent = RecentRecords::new(limit);
        recent.begin(&at(&[(0, 3)]));
        for offset in 4..=9 {
            recent.push(record(0, offset));
            recent.push(record(1, offset));
        }
        recent
    }

    fn places(recent: &RecentRecords, after: &Position, until: &Position) -> Option<Vec<(u32, u64)>> {
        let mut walk = recent.walk(after, until)?;
        let mut found = Vec::new();
        loop {
            match recent.step(&mut walk) {
                Step::Records(records) => found.extend(records.iter().map(|r| (r.partition, r.offset))),
                Step::End => return Some(found),
                Step::Gone => panic!("nothing fell out"),
            }
        }
    }

    #[test]
    fn shed_records_are_read_from_the_broker_and_later_ones_are_kept_again() {
        let recent = filled(1 << 20);
        recent.shed(true);
        assert!(recent.walk(&at(&[(0, 8), (1, 8)]), &at(&[(0, 9), (1, 9)])).is_none(), "it is gone");
        recent.push(record(0, 10));
        assert_eq!(recent.ring.read().expect("sound").bytes, 0, "nothing is kept meanwhile");
        recent.shed(false);
        recent.push(record(0, 11));
        let found = places(&recent, &at(&[(0, 10), (1, 9)]), &at(&[(0, 11), (1, 9)]));
        assert_eq!(found, Some(vec![(0, 11)]));
    }

    #[test]
    fn a_walk_finds_what_lies_behind_a_position() {
        let recent = filled(1 << 20);
        let found = places(&recent, &at(&[(0, 8), (1, 7)]), &at(&[(0, 9), (1, 9)]));
        assert_eq!(found, Some(vec![(1, 8), (0, 9), (1, 9)]));
        assert_eq!(places(&recent, &at(&[(0, 3)]), &at(&[(0, 9)])).map(|found| found.len()), Some(12));
    }

    #[test]
    fn records_that_are_younger_than_what_a_tab_has_received_are_of_another_log() {
        let recent = RecentRecords::new(1 << 20);
        recent.begin(&at(&[(0, 3)]));
        for (offset, time) in [(4, 10), (5, 50), (6, 51)] {
            recent.push(Arc::new(Record { time, ..(*record(0, offset)).clone() }));
        }
        let step = |heard: i64| {
            let mut walk = recent.walk(&at(&[(0, 5)]).with_newest(heard), &at(&[(0, 6)])).expect("here");
            recent.step(&mut walk)
        };
        assert!(matches!(step(50), Step::Records(records) if records.len() == 1));
        // The client has heard of an event at place 5 that was stored at 11: the log lost it, and has another there.
        assert!(matches!(step(11), Step::Gone));
        let contradicts = |place: u64, heard: i64| recent.contradicts(&at(&[(0, place)]).with_newest(heard));
        assert!(contradicts(6, 50) && contradicts(5, 11), "also where the tab has nothing to read");
        assert!(!contradicts(6, 51) && !contradicts(5, 50) && !contradicts(7, 60));
        assert!(!contradicts(6, 0), "whose time is not known");
        assert!(!recent.contradicts(&Position::from_parts(2, [(0, 6)]).with_newest(50)), "another log");
    }

    #[test]
    fn records_outside_the_ring_are_a_miss() {
        let recent = filled(1 << 20);
        assert!(places(&recent, &at(&[(0, 2)]), &at(&[(0, 9)])).is_none(), "before the first");
        assert!(places(&recent, &at(&[]), &at(&[(0, 9)])).is_none(), "a partition that was not read from its start");
        assert!(places(&recent, &at(&[(0, 8)]), &at(&[(0, 10)])).is_none(), "not read yet");
        let foreign = Position::from_parts(2, [(0, 9)]);
        assert!(places(&recent, &foreign, &foreign).is_none(), "another log");
    }

    #[test]
    fn the_oldest_fall_out_and_a_walk_under_way_learns_of_it() {
        let one = cost(&record(0, 4));
        let recent = filled(4 * one);
        assert_eq!(recent.size(), (4, 4 * one));
        assert!(places(&recent, &at(&[(0, 6), (1, 7)]), &at(&[(0, 9)])).is_none());
        let after = at(&[(0, 7), (1, 7)]);
        assert_eq!(places(&recent, &after, &at(&[(0, 9)])).map(|found| found.len()), Some(4));
        let mut walk = recent.walk(&after, &at(&[(0, 9)])).expect("here");
        recent.push(record(0, 10));
        assert!(matches!(recent.step(&mut walk), Step::Gone));
    }

    #[test]
    fn a_continuing_reader_keeps_what_is_here_and_another_does_not() {
        let recent = filled(1 << 20);
        recent.begin(&at(&[(0, 9), (1, 9)]));
        assert_eq!(recent.size().0, 12);
        recent.pass(&at(&[(0, 12), (1, 9)]));
        assert!(places(&recent, &at(&[(0, 9), (1, 9)]), &at(&[(0, 12)])).is_some_and(|found| found.is_empty()));
        recent.begin(&at(&[(0, 9), (1, 9)]));
        assert_eq!(recent.size(), (0, 0));
    }
}
