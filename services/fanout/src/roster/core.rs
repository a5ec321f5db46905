//! Presence on one node, and what is due when.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use indexmap::IndexSet;

use super::elsewhere::Elsewhere;
use super::here::{Coming, Here};
use super::notice::Notice;
use super::record;
use super::roll::Roll;
use crate::config::HubConfig;
use crate::presence::{Declared, Room, User};
use crate::vocabulary::name::GroupName;

/// How long at most a stopping node stays for users who were on it.
const LONGEST_STOP: Duration = Duration::from_secs(5);

/// So few rooms may be forgotten later.
const FEW: usize = 1_000;

/// The time, by both clocks that there are.
#[derive(Debug, Clone, Copy)]
pub struct Time {
    /// Waits are measured by this one.
    pub instant: Instant,
    /// Times that are sent are of this one: milliseconds since the epoch.
    pub unix: i64,
}

/// Something that this node has to say in the nodes' own stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Of what.
    pub what: String,
    /// The body; an empty one withdraws the record.
    pub body: Bytes,
}

/// Who is in which group, as one node knows it.
#[derive(Debug)]
pub struct Core {
    pub(super) now: Time,
    /// The declared presence, by hub.
    declared: HashMap<Arc<str>, Vec<Arc<Declared>>>,
    /// The rooms that there are: one copy of each, that everything else shares.
    pub(super) rooms: HashSet<Arc<Room>>,
    /// At how many of them those that nothing else holds are forgotten.
    sweep_at: usize,
    pub(super) rolls: HashMap<Arc<Room>, Roll>,
    pub(super) here: HashMap<Arc<Room>, Here>,
    pub(super) elsewhere: Elsewhere,
    pub(super) coming: Coming,
    /// Users to be looked at again.
    pub(super) timers: BinaryHeap<Reverse<(Instant, Arc<Room>, User)>>,
    /// Rooms in which something is to be sent, by when.
    telling: BTreeSet<(Instant, Arc<Room>)>,
    told_at: HashMap<Arc<Room>, Instant>,
    /// Pages that the stream does not have as they are.
    pub(super) unwritten: IndexSet<(Arc<Room>, u32)>,
}

/// The one copy of a room.
pub(super) fn key_of(rooms: &mut HashSet<Arc<Room>>, room: Room) -> Arc<Room> {
    if let Some(known) = rooms.get(&room) {
        return Arc::clone(known);
    }
    let key = Arc::new(room);
    rooms.insert(Arc::clone(&key));
    key
}

impl Core {
    /// Nobody is anywhere.
    #[must_use]
    pub fn new(hubs: &[HubConfig], now: Time) -> Self {
        let declared = hubs.iter().filter(|hub| !hub.presence.is_empty());
        Self {
            now,
            declared: declared.map(|hub| (Arc::clone(&hub.path), hub.presence.clone())).collect(),
            rooms: HashSet::new(),
            sweep_at: FEW,
            rolls: HashMap::new(),
            here: HashMap::new(),
            elsewhere: Elsewhere::default(),
            coming: Coming::default(),
            timers: BinaryHeap::new(),
            telling: BTreeSet::new(),
            told_at: HashMap::new(),
            unwritten: IndexSet::new(),
        }
    }

    /// The declaration for a group.
    pub(super) fn declared(&self, hub: &str, group: &GroupName) -> Option<&Arc<Declared>> {
        self.declared.get(hub)?.iter().find(|declared| declared.template.shape() == group.shape())
    }

    /// Makes the roll of a room, if there is none.
    pub(super) fn roll(&mut self, key: &Arc<Room>, declared: &Arc<Declared>) {
        self.rolls.entry(Arc::clone(key)).or_insert_with(|| Roll::new(Arc::clone(declared)));
    }

    /// Forgets a room that has nothing to remember.
    pub(super) fn tidy(&mut self, key: &Arc<Room>) {
        if self.here.get(key).is_some_and(|here| here.sittings.is_empty() && here.paging.is_empty()) {
            self.here.remove(key);
        }
        if self.rolls.get(key).is_some_and(Roll::is_empty) {
            self.rolls.remove(key);
        }
    }

    /// Lets time pass.
    pub fn advance(&mut self, now: Time) {
        self.now = Time { instant: self.now.instant.max(now.instant), unix: now.unix };
        if self.rooms.len() >= self.sweep_at {
            self.rooms.retain(|room| Arc::strong_count(room) > 1);
            self.sweep_at = FEW.max(2 * self.rooms.len());
        }
    }

    /// Notes when something is to be sent in a room.
    pub(super) fn note_roll(&mut self, key: &Arc<Room>) {
        let due = self.rolls.get(key).and_then(Roll::due);
        let known = match due {
            Some(due) => self.told_at.insert(Arc::clone(key), due),
            None => self.told_at.remove(key),
        };
        if known == due {
            return;
        }
        if let Some(known) = known {
            self.telling.remove(&(known, Arc::clone(key)));
        }
        if let Some(due) = due {
            self.telling.insert((due, Arc::clone(key)));
        }
    }

    /// Does what is due, and returns what open connections are sent, in order.
    pub fn due(&mut self) -> Vec<Notice> {
        while let Some(Reverse((at, ..))) = self.timers.peek()
            && *at <= self.now.instant
        {
            let Some(Reverse((at, key, user))) = self.timers.pop() else { break };
            let sitting = self.here.get_mut(&key).and_then(|here| here.sittings.get_mut(&user));
            // An earlier time took this one's place, or the user is gone.
            if sitting.is_some_and(|sitting| sitting.due.take_if(|due| *due == at).is_some()) {
                self.look(&key, &user);
            }
        }
        let mut notices = Vec::new();
        while let Some((at, _)) = self.telling.first()
            && *at <= self.now.instant
        {
            let Some((_, key)) = self.telling.pop_first() else { break };
            self.told_at.remove(&key);
            if let Some(roll) = self.rolls.get_mut(&key) {
                roll.tell(&key, self.now, &mut notices);
            }
            self.tidy(&key);
        }
        notices
    }

    /// When there is something to do.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        let timer = self.timers.peek().map(|Reverse((at, ..))| *at);
        let telling = self.telling.first().map(|(at, _)| *at);
        timer.into_iter().chain(telling).min()
    }

    /// The records that this node has still to write.
    pub fn take_writes(&mut self) -> Vec<Write> {
        let pages = std::mem::take(&mut self.unwritten);
        let writes = pages.into_iter().map(|(room, page)| {
            let here = self.here.get(&room);
            let users = here.map_or(&[][..], |here| here.paging.of(page));
            let member = |user: &User| here.and_then(|here| here.sittings.get(user)).map(|sitting| &sitting.member);
            let body = record::encode(&room, users.iter().filter_map(member));
            Write { what: record::name(&room, page), body }
        });
        writes.collect()
    }

    /// How long those who lost this node are waited for, if there is any: a node that stops stays so long.
    #[must_use]
    pub fn lingers(&self) -> Duration {
        let rooms = self.here.iter().filter(|(_, here)| here.sittings.values().any(|sitting| sitting.counts));
        let lingers = rooms.filter_map(|(room, _)| Some(self.declared(&room.hub, &room.group)?.linger));
        lingers.max().unwrap_or_default().min(LONGEST_STOP)
    }

    /// How many users are in a room, all rooms together, as far as this node knows: its own, and those of others.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let here = self.here.values().flat_map(|here| here.sittings.values()).filter(|sitting| sitting.counts).count();
        (here, self.elsewhere.len())
    }

    /// The members of a room.
    #[cfg(test)]
    pub(crate) fn users(&self, room: &Room) -> Vec<User> {
        let mut users: Vec<User> = self.rolls.get(room).into_iter().flat_map(Roll::users).cloned().collect();
        users.sort();
        users
    }

    /// How many members a room has.
    #[cfg(test)]
    pub(crate) fn len_of(&self, room: &Room) -> usize {
        self.rolls.get(room).map_or(0, Roll::len)
    }
}
