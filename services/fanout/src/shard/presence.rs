//! Presence: who is there, sent to the connections in a group (rule 10).
//!
//! A connection gets changes only after a snapshot. If it misses a change for any reason - it catches up, it is
//! replayed to, it does not read - it gets another snapshot, which replaces what it missed. So presence is in no cursor
//! and in no `Resume`, and nothing of it waits beyond a bound.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::queue::FRAME_OVERHEAD;
use super::tab::Tab;
use super::{Context, Core, Key};
use crate::connection::WireForm;
use crate::method::declared::{Declared, Deed};
use crate::presence::{Room, User};
use crate::roster::{Changes, Leaving, Notice, Page, Seat, Snapshot};
use crate::rule::{Rule, kept};
use crate::vocabulary::name::GroupName;

/// The rooms that a tab is in.
#[derive(Debug, Default)]
pub(super) struct Attending(Vec<Attended>);

#[derive(Debug)]
struct Attended {
    room: Room,
    told: Told,
}

/// What a connection was sent of a room.
#[derive(Debug)]
enum Told {
    /// It is to get a snapshot, once nothing prevents that.
    Stale,
    /// It has asked.
    Asked,
    /// It gets a snapshot, and then what has changed since.
    Snapshot(PendingSnapshot),
    /// All there is.
    All,
}

#[derive(Debug)]
struct PendingSnapshot {
    pages: Arc<[Page]>,
    next: usize,
    changes: VecDeque<Arc<Changes>>,
    memory: usize,
    /// Whether a change found no roll: there will be another snapshot.
    is_stale: bool,
}

impl Core {
    /// Updates the rooms for connections that have joined or left a group.
    pub(super) fn attend_moved(&mut self) {
        while let Some(key) = self.members.next_moved() {
            self.attend(key);
        }
    }

    fn seat(&self, tab: &Tab, key: Key) -> Seat {
        Seat { id: tab.id, key, shard: self.index }
    }

    fn attend(&mut self, key: Key) {
        let Some(presence) = self.context.presence.clone() else { return };
        let Some(tab) = self.connections.get(key).filter(|tab| tab.is_live()) else { return };
        let Some(who) = tab.identity.clone() else { return };
        let (seat, hub) = (self.seat(tab, key), &tab.hub.path);
        let mut wanted: Vec<Room> =
            tab.subscriptions.groups().filter_map(|group| presence.room(hub, group, &who)).collect();
        wanted.sort();
        wanted.dedup();
        let Some(tab) = self.connections.get_mut(key) else { return };
        let attending = tab.attending.get_or_insert_default();
        let user = User::of(&who);
        let left: Vec<Attended> = attending.0.extract_if(.., |held| !wanted.contains(&held.room)).collect();
        for held in left {
            presence.tell(|core| core.leave(&held.room, &user, seat, Leaving::Asked));
        }
        wanted.retain(|room| !attending.0.iter().any(|held| held.room == *room));
        for room in wanted {
            presence.tell(|core| core.enter(&room, &who, seat));
            attending.0.push(Attended { room, told: Told::Stale });
        }
        if attending.0.is_empty() {
            tab.attending = None;
        }
        self.tell_presence(key);
    }

    /// A connection is gone, and so it is in no room. A client that was told to reconnect elsewhere has not left.
    pub(super) fn leave_all_rooms(&mut self, key: Key, is_draining: bool, is_void: bool) {
        let Some(presence) = self.context.presence.clone() else { return };
        let Some(tab) = self.connections.get_mut(key) else { return };
        let Some(attending) = tab.attending.take().filter(|_| !is_draining) else { return };
        let Some(user) = tab.identity.as_ref().map(User::of) else { return };
        let seat = Seat { id: tab.id, key, shard: self.index };
        let how = if is_void { Leaving::Asked } else { Leaving::Lost };
        for held in attending.0 {
            presence.tell(|core| core.leave(&held.room, &user, seat, how));
        }
    }

    /// A method was called that shows that its caller is there; one that joins gets a snapshot.
    pub(super) fn sign_presence(&mut self, key: Key, group: &GroupName, method: &Declared) {
        let Some(presence) = self.context.presence.clone() else { return };
        let Some(tab) = self.connections.get(key).filter(|tab| tab.is_live()) else { return };
        let Some(declared) = presence.declared(&tab.hub.path, group) else { return };
        let is_named = declared.heartbeat.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(&method.name));
        let is_heartbeat = is_named || method.action.deed() == Some(Deed::Touch);
        let Some(who) = &tab.identity else { return };
        let Some(room) = presence.room(&tab.hub.path, group, who) else { return };
        let (user, seat) = (User::of(who), self.seat(tab, key));
        presence.tell(|core| core.touch(&room, &user, seat));
        let Some(tab) = self.connections.get_mut(key).filter(|_| !is_heartbeat) else { return };
        if let Some(held) = tab.attended(&room)
            && matches!(held.told, Told::All)
        {
            held.told = Told::Stale;
            self.tell_presence(key);
        }
    }

    /// Takes what connections are to be sent of a room.
    pub fn tell_who_is_there(&mut self, notice: &Notice) {
        self.look_after_joining();
        match notice {
            Notice::Changed(changes) => self.tell_changes(changes),
            Notice::Snapshot(snapshot) => self.begin_snapshot(snapshot),
        }
    }

    fn begin_snapshot(&mut self, snapshot: &Snapshot) {
        let Snapshot { room, id, key, pages, .. } = snapshot;
        let Some(tab) = self.connections.get_mut(*key).filter(|tab| tab.id == *id) else { return };
        let Some(held) = tab.attended(room).filter(|held| matches!(held.told, Told::Asked)) else { return };
        let pages = Arc::clone(pages);
        let snapshot = PendingSnapshot { pages, next: 0, changes: VecDeque::new(), memory: 0, is_stale: false };
        held.told = Told::Snapshot(snapshot);
        self.pump(*key);
    }

    fn tell_changes(&mut self, changes: &Arc<Changes>) {
        let room = changes.room();
        let Self { members, connections, dirty, context, waiting, .. } = self;
        for key in members.of(&room.hub, &room.group) {
            let Some(tab) = connections.get_mut(key) else { continue };
            if tell_one(tab, changes, context, waiting) {
                dirty.push(key);
            }
        }
    }

    /// Sends a connection the next notification of its rooms; false if there is nothing to send for now.
    pub(super) fn tell_presence(&mut self, key: Key) -> bool {
        let Some(presence) = self.context.presence.clone() else { return false };
        let index = self.index;
        let Some(tab) = self.connections.get_mut(key).filter(|tab| tab.is_live() && tab.flow.is_none()) else {
            return false;
        };
        let seat = Seat { id: tab.id, key, shard: index };
        let (form, user) = (tab.form(), tab.identity.as_ref().map(User::of));
        let is_counted = tab.unacknowledged.is_some();
        let has_room = tab.queue.is_empty() && tab.is_linked;
        let Some(attending) = &mut tab.attending else { return false };
        let mut frames = Vec::new();
        for held in &mut attending.0 {
            match &mut held.told {
                Told::Stale => {
                    held.told = Told::Asked;
                    presence.tell(|core| core.ask(&held.room, seat));
                }
                Told::Snapshot(snapshot) if has_room && frames.is_empty() => {
                    frames = snapshot.next(form, user.as_ref(), is_counted);
                    if snapshot.is_done() {
                        let is_stale = snapshot.is_stale && kept(Rule::SnapshotAfterGap);
                        held.told = if is_stale { Told::Stale } else { Told::All };
                    }
                }
                Told::Snapshot(_) | Told::Asked | Told::All => {}
            }
        }
        let told = !frames.is_empty();
        for frame in frames {
            self.send_wire(key, frame, true);
        }
        told
    }
}

impl PendingSnapshot {
    /// The next page, then what has changed since.
    fn next(&mut self, form: WireForm, user: Option<&User>, is_counted: bool) -> Vec<Bytes> {
        if let Some(page) = self.pages.get(self.next) {
            self.next += 1;
            return vec![page.wire(form)];
        }
        let Some(changes) = self.changes.pop_front() else { return Vec::new() };
        frames(&changes, form, user, is_counted)
    }

    fn is_done(&self) -> bool {
        self.next >= self.pages.len() && self.changes.is_empty()
    }

    /// Keeps a change until the pages are sent, if there are any.
    fn keep(&mut self, changes: &Arc<Changes>, size: usize, limit: usize) {
        if self.is_stale || self.memory + size > limit {
            self.is_stale = true;
            return self.changes.clear();
        }
        self.memory += size;
        self.changes.push_back(Arc::clone(changes));
    }
}

/// The changes as they are sent to a connection of a user.
fn frames(changes: &Changes, form: WireForm, user: Option<&User>, is_counted: bool) -> Vec<Bytes> {
    match user {
        Some(user) if kept(Rule::OthersAlone) && (is_counted || changes.is_about(user)) => {
            changes.frames_for(form, user)
        }
        _ => changes.wire(form).into_iter().collect(),
    }
}

/// Sends one connection the changes; true if its queue is to be written.
fn tell_one(tab: &mut Tab, changes: &Arc<Changes>, context: &Context, waiting: &mut usize) -> bool {
    if !tab.is_live() {
        return false;
    }
    let (form, is_behind) = (tab.form(), tab.flow.is_some());
    let (user, is_counted) = (tab.identity.as_ref().map(User::of), tab.unacknowledged.is_some());
    let Some(held) = tab.attended(changes.room()) else { return false };
    match &mut held.told {
        Told::All => {}
        Told::Asked | Told::Stale if kept(Rule::ChangesBehindSnapshot) => return false,
        Told::Asked | Told::Stale => {}
        Told::Snapshot(snapshot) => {
            let size = changes.wire(form).map_or(0, |wire| wire.len() + FRAME_OVERHEAD);
            snapshot.keep(changes, size, context.bounds.queue_bytes() / 2);
            return false;
        }
    }
    let idle = tab.queue.is_empty();
    let is_full = !idle && *waiting > context.shard_bytes;
    if is_behind || is_full {
        tab.is_stale_in(changes.room());
        return false;
    }
    for frame in frames(changes, form, user.as_ref(), is_counted) {
        if tab.push(frame, true, context.bounds.queue_bytes()).is_err() {
            tab.is_stale_in(changes.room());
            break;
        }
    }
    // A queue that was not empty already waits for its link.
    if idle {
        return !tab.queue.is_empty();
    }
    tab.account(waiting);
    false
}

impl Tab {
    /// Whether it is still to get a snapshot, once its link has taken what waits.
    pub(super) fn is_owed_presence(&self) -> bool {
        let owed = |held: &Attended| matches!(held.told, Told::Stale | Told::Snapshot(_));
        self.attending.as_ref().is_some_and(|attending| attending.0.iter().any(owed))
    }

    fn attended(&mut self, room: &Room) -> Option<&mut Attended> {
        let attending = self.attending.as_mut()?;
        attending
            .0
            .iter_mut()
            .find(|held| held.room == *room || !kept(Rule::RoomsOfOrgs) && held.room.group == room.group)
    }

    /// It missed a change, so it is to get another snapshot.
    fn is_stale_in(&mut self, room: &Room) {
        if let Some(held) = self.attended(room).filter(|_| kept(Rule::SnapshotAfterGap)) {
            held.told = Told::Stale;
        }
    }
}
