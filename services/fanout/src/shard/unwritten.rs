//! Which connection took a notification last, for operators.
//!
//! What a turn has delivered is written before anything else is, so one look at the end of it says when: a connection
//! costs nothing. Only those whose sockets take nothing more are noted one by one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;

use super::{Core, Key};
use crate::groups::Reach;

/// How many deliveries wait for the end of their turn. A turn takes fewer; where a shard has so much to do that several
/// turns pass before all is written, the oldest of them are not timed.
const MOST_DELIVERIES: usize = 1024;

/// How many connections are noted that take nothing more.
const MOST_LATE: usize = 1024;

/// How many notifications are noted that one of them has not taken.
const MOST_OF_ONE: usize = 8;

/// Connections whose sockets took nothing more already as something was delivered to them.
pub(super) type Stalled = SmallVec<[Key; 4]>;

/// Deliveries that are not written to all their connections.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    of_turn: Vec<Begun>,
    late: HashMap<Key, SmallVec<[Begun; 1]>>,
    /// The connection that is written last, of those that were taken to be written.
    last: Option<Key>,
}

/// A delivery, and when it was. It does not keep the notification in memory.
#[derive(Debug, Clone)]
struct Begun {
    reach: Arc<Reach>,
    /// Its number in the shard.
    number: u64,
    /// The connection that it was given last.
    last: Key,
    /// How old the event was then, in milliseconds.
    waited: u64,
    at: Instant,
}

impl Begun {
    fn millis(&self, now: Instant) -> u64 {
        let passed = now.saturating_duration_since(self.at).as_millis();
        self.waited.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX))
    }
}

impl Unwritten {
    /// These connections are written next.
    pub(super) fn will_write(&mut self, keys: &[Key]) {
        self.last = keys.last().copied().or(self.last);
    }

    /// Whether connections are noted that have not taken something.
    #[inline]
    pub(super) fn has_late(&self) -> bool {
        !self.late.is_empty()
    }
}

impl Core {
    /// Notes a delivery of this turn, whose event was so many milliseconds old, and the connection that it was given last.
    pub(super) fn begin_writing(&mut self, reach: &Arc<Reach>, last: Key, waited: u64, stalled: &[Key]) {
        let (reach, number) = (Arc::clone(reach), self.deliveries);
        let begun = Begun { reach, number, last, waited, at: self.now() };
        for key in stalled {
            self.note_late(*key, begun.clone());
        }
        let of_turn = &mut self.unwritten.of_turn;
        if of_turn.len() >= MOST_DELIVERIES {
            of_turn.drain(..MOST_DELIVERIES / 2);
        }
        of_turn.push(begun);
    }

    /// Whether all is written that was delivered, and that is to be noted.
    #[must_use]
    pub fn is_written(&self) -> bool {
        self.dirty.is_empty() && !self.unwritten.of_turn.is_empty()
    }

    /// What was delivered in this turn is written, as far as it was taken. To be called once nothing is dirty.
    pub fn end_writing(&mut self) {
        let (now, last_of_all) = (self.now(), self.unwritten.last.take());
        for begun in std::mem::take(&mut self.unwritten.of_turn) {
            // Of several deliveries a connection is known to have got the newest.
            let got = |key: &Key| self.connections.get(*key).is_some_and(|tab| tab.last_delivery == begun.number);
            let last = last_of_all.filter(got).unwrap_or(begun.last);
            if let Some(tab) = self.connections.get(last) {
                begun.reach.wrote(tab.id, begun.millis(now));
            }
        }
    }

    /// A connection's socket takes nothing more: notes the newest delivery of this turn that it was given.
    pub(super) fn note_blocked(&mut self, key: Key) {
        let Some(tab) = self.connections.get(key) else { return };
        let begun = self.unwritten.of_turn.iter().rev().find(|begun| begun.number == tab.last_delivery);
        if let Some(begun) = begun.cloned() {
            self.note_late(key, begun);
        }
    }

    fn note_late(&mut self, key: Key, begun: Begun) {
        let late = &mut self.unwritten.late;
        let Some(tab) = self.connections.get(key) else { return };
        if late.len() >= MOST_LATE && !late.contains_key(&key) {
            return;
        }
        let of_one = late.entry(key).or_default();
        let is_noted = of_one.iter().any(|noted| Arc::ptr_eq(&noted.reach, &begun.reach));
        if of_one.len() < MOST_OF_ONE && !is_noted {
            begun.reach.wait(tab.id);
            of_one.push(begun);
        }
    }

    /// A connection has taken everything, or has ended.
    pub(super) fn end_lateness(&mut self, key: Key, has_taken: bool) {
        let (now, late) = (self.now(), self.unwritten.late.remove(&key));
        let Some(tab) = self.connections.get(key) else { return };
        for begun in late.unwrap_or_default() {
            begun.reach.end_wait(tab.id, has_taken.then(|| begun.millis(now)));
        }
    }

    /// How many deliveries and connections are noted, and how many notifications of one at most.
    #[cfg(test)]
    pub(super) fn noted(&self) -> (usize, usize, usize) {
        let Unwritten { of_turn, late, .. } = &self.unwritten;
        (of_turn.len(), late.len(), late.values().map(SmallVec::len).max().unwrap_or_default())
    }
}
