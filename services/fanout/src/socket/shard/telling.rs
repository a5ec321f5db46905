//! Telling a tab what is retained: as its socket takes it, and with what comes live behind it.

use std::collections::HashSet;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;

use super::Shard;
use super::queue::SendQueue;
use super::tab::Tab;
use crate::connection::{CloseReason, Frame, WireForm};
use crate::groups::{Admission, Membership};
use crate::method::Gone;
use crate::projection::{Place, Retained};

/// Retained values on their way to one tab, each with the position at which it was let in as its cursor.
pub(super) struct Telling {
    cursor: String,
    retained: std::vec::IntoIter<Retained>,
    /// What a replay has told already.
    told: HashSet<Place>,
}

impl Telling {
    fn next(&mut self, form: WireForm) -> Option<Bytes> {
        let told = &self.told;
        let value = self.retained.find(|value| !told.contains(&value.place))?;
        Some(Frame::new(&value.route, &value.event, &self.cursor).wire(form).clone())
    }
}

impl Shard {
    /// What a tab is told when it is let in, but for what a replay told.
    pub(super) fn telling(&self, admission: Admission, told: HashSet<Place>) -> Telling {
        let cursor = self.cursor(&admission.live_from);
        Telling { cursor, retained: admission.retained.into_iter(), told }
    }

    /// Tells what is retained: at once as far as there is room, and the rest as the tab takes it.
    ///
    /// A platform may retain more than may wait for one tab. That must not end a tab that reads.
    pub(super) fn tell_retained(self: &Rc<Self>, tab: &Rc<Tab>, admission: Admission) {
        let (mut telling, form) = (self.telling(admission, HashSet::new()), tab.wire_form());
        if tab.state.borrow().held.is_some() {
            return self.tell_behind(tab, telling);
        }
        while self.has_room(tab) {
            let Some(frame) = telling.next(form) else { return };
            if !self.send_wire(tab, frame, true) {
                return;
            }
        }
        if !telling.retained.as_slice().is_empty() {
            tab.state.borrow_mut().held = Some(SendQueue::default());
            let (shard, tab) = (Rc::clone(self), Rc::clone(tab));
            tokio::task::spawn_local(async move { shard.tell_then_release(&tab, telling).await });
        }
    }

    /// Behind what the tab is being told: told now, its cursor would be ahead of what is still to come.
    fn tell_behind(&self, tab: &Tab, mut telling: Telling) {
        let form = tab.wire_form();
        while let Some(frame) = telling.next(form) {
            let mut state = tab.state.borrow_mut();
            let Some(held) = &mut state.held else { return };
            if held.push(frame, None, self.shared.queue_bytes).is_err() {
                drop(state);
                return self.evict(tab, CloseReason::SlowConsumer);
            }
        }
    }

    /// Tells what is retained for groups that an event has just granted.
    pub(super) fn tell_granted(self: &Rc<Self>, tab: &Rc<Tab>, granted: &[Membership]) {
        if let Ok(admission) = self.shared.groups.admit(&tab.hub, tab.identity.as_ref(), granted) {
            self.tell_retained(tab, admission);
        }
    }

    /// Tells it all, then lets through what came live meanwhile.
    pub(super) async fn tell_then_release(&self, tab: &Tab, mut telling: Telling) {
        let form = tab.wire_form();
        // Else the connection has ended and nothing is owed any more.
        if self.push_all(tab, || telling.next(form)).await.is_ok() {
            let held = || tab.state.borrow_mut().held.as_mut().and_then(SendQueue::pop);
            if self.push_all(tab, held).await.is_ok() {
                tab.state.borrow_mut().held = None;
            }
        }
        tab.flush(Instant::now());
        tab.drained.notify_waiters();
        self.answer_cursors();
    }

    /// Queues frames as long as there are any, never more than there is room for. Nothing waits between the last one
    /// and the return, so that what is held is known to be empty then.
    async fn push_all(&self, tab: &Tab, mut next: impl FnMut() -> Option<Bytes>) -> Result<(), Gone> {
        loop {
            self.room(tab).await?;
            while self.has_room(tab) {
                let Some(frame) = next() else { return Ok(()) };
                if !self.send_wire(tab, frame, true) {
                    return Err(Gone);
                }
            }
            tab.flush(Instant::now());
        }
    }

    /// Waits until a tab has been told what it is being told: what a call would tell it belongs behind that.
    pub(super) async fn told(&self, tab: &Tab) {
        loop {
            let drained = tab.drained.notified();
            {
                let state = tab.state.borrow();
                if state.held.is_none() || state.ending.is_some() {
                    return;
                }
            }
            drained.await;
        }
    }
}
