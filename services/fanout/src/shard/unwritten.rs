//! Which connection took a notification last, for operators.
//!
//! What a turn has delivered is written before anything else is, so one look at the end of it says when: a connection
//! costs nothing. Only those whose sockets take nothing more are noted one by one, and as few as that no notification
//! takes long to compare with them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;

use super::{Core, Key};
use crate::groups::{Delivery, ReachNumber};

/// How many deliveries wait for the end of their turn. A turn takes fewer; where a shard has so much to do that several
/// turns pass before all is written, the oldest of them are not timed.
const MOST_DELIVERIES: usize = 1024;

/// How many connections are noted that take nothing more.
const MOST_LATE: usize = 64;

/// How many notifications are noted that one of them has not taken.
const MOST_OF_ONE: usize = 8;

/// Among how many connections of an audience the last ones are looked for that were given a notification.
const MOST_LOOKED_AT: usize = 16;

/// How many of the last are noted: one of them may take nothing.
const MOST_LAST: usize = 4;

/// Deliveries that are not written to all their connections.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    of_turn: Vec<Begun>,
    /// What connections have not taken whose sockets take nothing more.
    late: HashMap<Key, SmallVec<[Begun; 1]>>,
    /// The connection that is written last, of those that were taken to be written.
    last: Option<Key>,
}

/// A delivery, and when it was. It does not keep the notification in memory.
#[derive(Debug, Clone, Copy)]
struct Begun {
    reach: ReachNumber,
    /// Its number in the shard.
    number: u64,
    /// The connections that it was given last, the last one first, as far as they were found.
    last: [Option<Key>; MOST_LAST],
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
}

impl Core {
    /// Notes the delivery that was just queued, whose event was so many milliseconds old.
    pub(super) fn begin_writing(&mut self, reach: ReachNumber, delivery: &Arc<Delivery>, waited: u64) {
        let (number, last, at) = (self.deliveries, self.last_given(delivery), self.now());
        let begun = Begun { reach, number, last, waited, at };
        if !self.unwritten.late.is_empty() {
            self.note_with_late(begun);
        }
        let of_turn = &mut self.unwritten.of_turn;
        if of_turn.len() >= MOST_DELIVERIES {
            of_turn.drain(..MOST_DELIVERIES / 2);
        }
        of_turn.push(begun);
    }

    /// The last connections of an audience that the newest delivery was queued for.
    fn last_given(&self, delivery: &Delivery) -> [Option<Key>; MOST_LAST] {
        let audience = delivery.groups.iter().rev().flat_map(|group| self.members.of(&delivery.hub, group).rev());
        let mut given = audience.take(MOST_LOOKED_AT).filter(|key| self.has_queued(*key, self.deliveries));
        std::array::from_fn(|_| given.next())
    }

    /// Whether the newest that a connection was given is this delivery, and that waits for its link.
    fn has_queued(&self, key: Key, number: u64) -> bool {
        let tab = self.connections.get(key);
        tab.is_some_and(|tab| tab.last_delivery == number && tab.flow.is_none() && !tab.queue.is_empty())
    }

    /// Notes a delivery for those that have not taken earlier ones.
    fn note_with_late(&mut self, begun: Begun) {
        let given: SmallVec<[Key; 4]> =
            self.unwritten.late.keys().copied().filter(|key| self.has_queued(*key, begun.number)).collect();
        for key in given {
            self.note_late(key, Some(begun));
        }
    }

    /// Whether all is written that was delivered, and that is to be noted.
    #[must_use]
    pub fn is_written(&self) -> bool {
        self.dirty.is_empty() && !self.unwritten.of_turn.is_empty()
    }

    /// What was delivered in this turn is written, as far as it was taken. To be called once nothing is dirty.
    pub fn end_writing(&mut self) {
        let (now, last_of_all) = (self.now(), self.unwritten.last.take());
        for begun in &self.unwritten.of_turn {
            // Of several deliveries a connection is known to have got the newest.
            let got = |key: &Key| self.connections.get(*key).is_some_and(|tab| tab.last_delivery == begun.number);
            let last = last_of_all.filter(got).into_iter().chain(begun.last.into_iter().flatten());
            if let Some(tab) = last.filter_map(|key| self.connections.get(key)).find(|tab| tab.queue.is_empty()) {
                let (id, millis) = (tab.id, begun.millis(now));
                self.context.groups.reaches().note(begun.reach, |reached| reached.take(id, millis));
            }
        }
        self.unwritten.of_turn.clear();
    }

    /// A connection's socket takes nothing more: notes the newest delivery of this turn that it was given.
    pub(super) fn note_blocked(&mut self, key: Key) {
        let Some(tab) = self.connections.get(key) else { return };
        let of_turn = self.unwritten.of_turn.iter();
        let begun = of_turn.rev().find(|begun| begun.number == tab.last_delivery).copied();
        self.note_late(key, begun);
    }

    /// Notes a connection that takes nothing more, and what it has not taken.
    fn note_late(&mut self, key: Key, begun: Option<Begun>) {
        let late = &mut self.unwritten.late;
        let Some(tab) = self.connections.get(key) else { return };
        if late.len() >= MOST_LATE && !late.contains_key(&key) {
            return;
        }
        let (id, of_one) = (tab.id, late.entry(key).or_default());
        if let Some(begun) = begun
            && of_one.len() < MOST_OF_ONE
            && !of_one.iter().any(|noted| noted.number == begun.number)
        {
            self.context.groups.reaches().note(begun.reach, |reached| reached.wait(id));
            of_one.push(begun);
        }
    }

    /// A connection whose socket took nothing takes something again.
    pub(super) fn take_again(&mut self, key: Key, now: Instant) {
        let Some(tab) = self.connections.get_mut(key) else { return };
        // Whatever is left is looked at again: it may be all that makes it late.
        tab.stalled = Some(now).filter(|_| !tab.queue.is_empty());
        if tab.stalled.is_none() {
            self.end_lateness(key, true);
        }
    }

    /// A connection has taken everything, or has ended.
    pub(super) fn end_lateness(&mut self, key: Key, has_taken: bool) {
        let (now, late) = (self.now(), self.unwritten.late.remove(&key));
        let Some(tab) = self.connections.get(key) else { return };
        for begun in late.unwrap_or_default() {
            let millis = has_taken.then(|| begun.millis(now));
            self.context.groups.reaches().note(begun.reach, |reached| reached.end_wait(tab.id, millis));
        }
    }

    /// How many deliveries and connections are noted, and how many notifications of one at most.
    #[cfg(test)]
    pub(super) fn noted(&self) -> (usize, usize, usize) {
        let Unwritten { of_turn, late, .. } = &self.unwritten;
        (of_turn.len(), late.len(), late.values().map(SmallVec::len).max().unwrap_or_default())
    }
}
