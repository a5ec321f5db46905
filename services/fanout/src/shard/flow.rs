//! What lies between the log and a connection's queue while live notifications do not go straight to it.
//!
//! A connection that catches up, that is replayed to, that is sent the retained state, or that has fallen behind has a
//! [`Flow`]. The link pulls it, in one order: first what is replayed, then what is retained, then what came live
//! meanwhile. Nothing of it is pushed beyond the room in the queue.
//!
//! A burst of any size closes no connection that reads (rule 7.5): what does not fit is not queued, and the connection
//! reads on from the log once it has taken what is queued.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::Position;

use super::catching_up::CatchingUp;
use super::queue::FRAME_OVERHEAD;
use super::replay::{Kind, Replaying};
use super::retained::Retaining;
use super::tab::Tab;
use super::{Core, Key, Task};
use crate::connection::CloseReason;
use crate::groups::Delivery;
use crate::operator::connections::What;
use crate::rule::{Rule, kept};

/// A series of notifications pauses while more than this many bytes wait for the link.
const ROOM: usize = 32 * 1024;

/// How long until a log that could not be read is tried again for a connection that has fallen behind.
const AGAIN: Duration = Duration::from_secs(1);

/// A position, advanced to where the connection was admitted: nothing before that is owed to it. The last delivery of its
/// shard may be of the log before the one in which the connection began.
fn with(mut position: Position, live_from: &Position) -> Position {
    if position.incarnation() != live_from.incarnation() {
        return live_from.clone();
    }
    position.merge(live_from);
    position
}

/// What lies between the log and one connection's queue.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// Set until the client has said where it stands.
    pub catching_up: Option<CatchingUp>,
    /// A replay of the log.
    pub replay: Option<Box<Replaying>>,
    /// What is retained and still to be sent.
    pub retained: Option<Retaining>,
    /// What came live meanwhile.
    pub live: Behind,
}

/// Live notifications that wait for their turn: references to shared frames, bounded in memory.
#[derive(Debug, Default)]
pub(super) struct Behind {
    deliveries: VecDeque<Kept>,
    memory: usize,
    /// From where on notifications were not kept, as there was no room: they are read again from the log.
    pub lost_from: Option<Lost>,
}

/// One of them.
#[derive(Debug)]
struct Kept {
    delivery: Arc<Delivery>,
    /// What it costs in memory, in bytes.
    cost: u32,
    /// Whether it is of the stream before the one in which the connection is now: its place says nothing here.
    is_of_old_stream: bool,
}

/// From where on the log is read again.
#[derive(Debug, Clone)]
pub(super) struct Lost {
    /// After this; what waited in a throttle is included.
    pub from: Position,
    /// What was sent anyway, except what waited.
    pub heard: Position,
}

impl Behind {
    /// Nothing kept, and everything after `from` to be read from the log.
    pub(super) fn lost(lost: Lost) -> Self {
        Self { lost_from: Some(lost), ..Self::default() }
    }

    /// Keeps a notification, if there is room.
    pub(super) fn push(&mut self, delivery: &Arc<Delivery>, bytes: usize, limit: usize) {
        if self.lost_from.is_some() {
            return;
        }
        let cost = bytes + FRAME_OVERHEAD;
        if !self.deliveries.is_empty() && self.memory + cost > limit && kept(Rule::WaitsWithinBounds) {
            self.lost_from = Some(Lost::at(delivery));
            return;
        }
        self.memory += cost;
        let cost = u32::try_from(cost).unwrap_or(u32::MAX);
        self.deliveries.push_back(Kept { delivery: Arc::clone(delivery), cost, is_of_old_stream: false });
    }

    /// What is kept is of the stream before the one in which the connection goes on.
    pub(super) fn renew(&mut self) {
        self.deliveries.iter_mut().for_each(|kept| kept.is_of_old_stream = true);
    }

    /// Drops what is at or before a position: it is sent in another way. A client that stands in the new stream is told
    /// that it missed what came in the old one, or has had it.
    pub(super) fn drop_within(&mut self, position: &Position) {
        let memory = &mut self.memory;
        self.deliveries.retain(|kept| {
            let is_sent = kept.is_of_old_stream || kept.delivery.place.is_within(position);
            *memory -= if is_sent { kept.cost as usize } else { 0 };
            !is_sent
        });
        if let Some(Lost { from, heard }) = &mut self.lost_from
            && from.incarnation() == position.incarnation()
        {
            from.merge(position);
            heard.merge(position);
        }
    }

    fn pop(&mut self) -> Option<Arc<Delivery>> {
        let first = if kept(Rule::OrderKept) { self.deliveries.pop_front() } else { self.deliveries.pop_back() };
        let Kept { delivery, cost, .. } = first?;
        self.memory -= cost as usize;
        Some(delivery)
    }

    /// The memory of several that wait; one alone is always kept.
    #[cfg(test)]
    pub(super) fn memory_of_several(&self) -> Option<usize> {
        (self.deliveries.len() > 1).then_some(self.memory)
    }

    /// What the connection was sent before any of this: none if nothing waits here.
    pub(super) fn begins_at(&self) -> Option<Position> {
        let first = self.deliveries.front().map(|first| first.delivery.told_before());
        first.or_else(|| self.lost_from.as_ref().map(|lost| lost.from.clone()))
    }
}

impl Lost {
    /// From a delivery on that was not kept.
    fn at(delivery: &Delivery) -> Self {
        Self { from: delivery.told_before(), heard: delivery.after.clone() }
    }
}

impl Tab {
    /// The flow, made if there is none: from here on live notifications wait in it.
    pub(super) fn flow(&mut self) -> &mut Flow {
        self.flow.get_or_insert_default()
    }
}

impl Core {
    /// Whether a link has taken most of what was queued before.
    #[must_use]
    pub fn has_room(&self, key: Key) -> bool {
        let Some(tab) = self.connections.get(key) else { return false };
        // Where little may wait there must be room left for the next frame.
        tab.is_linked && tab.queue.memory() <= ROOM.min(self.context.bounds.queue_bytes() / 4)
    }

    /// Moves on what lies between the log and a connection's queue, as far as there is room.
    pub(super) fn pump(&mut self, key: Key) {
        while self.has_room(key) && self.pump_one(key) {}
        self.let_go_of_broker(key);
        self.wake_whoever_waits(key);
    }

    /// One step; false if there is nothing to do for now.
    fn pump_one(&mut self, key: Key) -> bool {
        let Some(tab) = self.connections.get_mut(key).filter(|tab| tab.ending.is_none()) else { return false };
        let Some(flow) = &mut tab.flow else { return self.tell_presence(key) };
        if flow.replay.is_some() {
            return self.replay_on(key);
        }
        if self.begin_rejoin(key) {
            return true;
        }
        let Some(tab) = self.connections.get_mut(key) else { return false };
        let Some(flow) = &mut tab.flow else { return false };
        if flow.catching_up.is_some() {
            return false;
        }
        if flow.retained.is_some() {
            self.tell_next_retained(key);
            return true;
        }
        if let Some(delivery) = flow.live.pop() {
            self.release(key, &delivery);
            return true;
        }
        match flow.live.lost_from.take().filter(|_| kept(Rule::BehindReadsOn)) {
            Some(from) => self.read_behind(key, from),
            None => {
                tab.flow = None;
                self.tell_presence(key)
            }
        }
    }

    /// Sends a connection what waited for it, if it may still receive it.
    fn release(&mut self, key: Key, delivery: &Arc<Delivery>) {
        let Some(tab) = self.connections.get_mut(key) else { return };
        let audible = tab.audible(delivery);
        // It may have left the group since.
        if !tab.is_still_in(&audible) || !tab.is_live_for(&audible, delivery) {
            return;
        }
        tab.was_told = true;
        let frame = tab.frame(delivery).wire(tab.form()).clone();
        #[cfg(test)]
        self.observe_waited(key, &delivery.groups);
        self.send_wire(key, frame, true);
    }

    /// Lets a connection that has fallen behind read on from the log; live notifications wait behind that from now on.
    fn read_behind(&mut self, key: Key, lost: Lost) -> bool {
        self.note_moment(key, What::Behind, 0);
        let until = self.context.groups.read(|known| known.position().clone());
        self.begin_replay(key, Kind::Behind(lost.heard), lost.from, until);
        true
    }

    /// The log could not be read for a connection that has fallen behind: tries again later, from where it is.
    pub(super) fn read_behind_later(&mut self, key: Key, lost: Lost) {
        let until = self.now() + AGAIN;
        let Some(tab) = self.connections.get_mut(key) else { return };
        let flow = tab.flow();
        // What waits now is after what could not be read.
        flow.live = Behind::lost(lost);
        flow.replay = Some(Box::new(Replaying::pause(until)));
        self.schedule(key, until);
    }

    fn wake_whoever_waits(&mut self, key: Key) {
        let Some(tab) = self.connections.get_mut(key) else { return };
        if tab.room_wanted && tab.queue.is_empty() {
            tab.room_wanted = false;
            self.tasks.push_back(Task::Drained(key));
        }
    }

    /// A tab's next notification does not fit: it is not queued, and the tab reads on from the log as it drains.
    pub(super) fn fall_behind(tab: &mut Tab, delivery: &Delivery) {
        tab.flow().live = Behind::lost(Lost::at(delivery));
    }

    /// What a connection has been handed: its cursor may claim that.
    pub(super) fn told_up_to(&self, key: Key) -> Option<Position> {
        let tab = self.connections.get(key)?;
        let live_from = tab.subscriptions.live_from.as_ref()?;
        let heard_live = || with(self.passed(&tab.hub.path), live_from);
        let Some(flow) = &tab.flow else { return Some(heard_live()) };
        let live = match flow.live.begins_at() {
            _ if flow.catching_up.is_some() => live_from.clone(),
            Some(begin) => with(begin, live_from),
            None => heard_live(),
        };
        Some(match &flow.replay {
            Some(replay) => replay.told(live),
            None => live,
        })
    }

    /// A position up to which every delivery has been handed to the tabs of a hub on this shard.
    pub(super) fn passed(&self, hub: &str) -> Position {
        let (position, held, sent) = self.context.groups.passed(self.index);
        let (position, held) = match &self.last {
            _ if self.handled >= sent || !kept(Rule::CursorBehindDeliveries) => (position, held),
            Some(last) => (last.after.clone(), Arc::clone(&last.held)),
            None => (Position::start(position.incarnation()), held),
        };
        if kept(Rule::HeldInCursors) { held.before(hub, position) } else { position }
    }

    /// Ends a connection that cannot be sent what it missed: it has left the replay window.
    pub(super) fn left_the_window(&mut self, key: Key) {
        self.evict(key, CloseReason::SlowConsumer);
    }
}
