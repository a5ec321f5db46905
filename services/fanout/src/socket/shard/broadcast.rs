//! Deliveries and consequences on their way to the members of their groups.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Shard;
use super::tab::Tab;
use crate::clock::unix_millis;
use crate::connection::{CloseReason, Identity, WireForm, may_hear};
use crate::groups::name::GroupName;
use crate::groups::{Delivery, is_allowed, memberships};
use crate::projection::Consequence;

impl Shard {
    /// Queues a notification for each member of its audience; the caller flushes.
    pub(super) fn deliver(&self, delivery: &Arc<Delivery>) {
        let _push = tracing::info_span!(parent: &delivery.span, "push", shard = self.index).entered();
        let number = self.deliveries.get() + 1;
        self.deliveries.set(number);
        let (mut given, mut bytes) = (0u64, 0u64);
        let members = self.members.borrow();
        let tabs = self.tabs.borrow();
        for group in &delivery.groups {
            for key in members.of(&delivery.hub, group) {
                let Some(tab) = tabs.get(key) else { continue };
                if tab.last_delivery.replace(number) == number {
                    continue;
                }
                if let Some(size) = self.give(tab, delivery) {
                    given += 1;
                    bytes += size as u64;
                }
            }
        }
        self.shared.metrics.delivered(given, bytes);
        let waited = unix_millis().saturating_sub(delivery.stored_at);
        self.shared.metrics.pushed(Duration::from_millis(waited.max(0).unsigned_abs()));
    }

    /// Queues a notification for one tab; the number of its bytes, if the tab hears it.
    fn give(&self, tab: &Rc<Tab>, delivery: &Delivery) -> Option<usize> {
        if !self.may_hear(tab, delivery) {
            return None;
        }
        let mut guard = tab.state.borrow_mut();
        let state = &mut *guard;
        if !state.is_live_for(delivery) {
            return None;
        }
        let form = WireForm::of(tab.transport, state.connection.protocol());
        let frame = delivery.frame.wire(form).clone();
        let size = frame.len();
        let idle = state.queue.is_empty();
        let pushed = match &mut state.held {
            Some(held) => {
                held.push(frame, delivery.conflation, self.shared.queue_bytes).map_err(|_| CloseReason::SlowConsumer)
            }
            // What stateful reconnect has counted cannot be replaced by something newer.
            None if state.unacknowledged.is_some() => state.push(frame, true, self.shared.queue_bytes),
            None => {
                let pushed = state.queue.push(frame, delivery.conflation, self.shared.queue_bytes);
                pushed.map_err(|_| CloseReason::SlowConsumer)
            }
        };
        if let Err(reason) = pushed {
            drop(guard);
            self.evict(tab, reason);
            return None;
        }
        // A queue that was not empty is already waiting for a flush or for its socket.
        if idle && state.held.is_none() {
            self.dirty.borrow_mut().push(tab.key);
        }
        Some(size)
    }

    fn may_hear(&self, tab: &Tab, delivery: &Delivery) -> bool {
        if let (Some(ends), Some(who)) = (&delivery.ends, &tab.identity)
            && !ends.ends(who)
        {
            return false;
        }
        let allowed = may_hear(tab.identity.as_ref(), delivery.org.as_ref(), delivery.cross_org);
        if !allowed {
            self.shared.metrics.isolation_dropped(1);
        }
        allowed
    }

    /// Makes this shard's connections feel what an event changed.
    pub(super) fn apply(self: &Rc<Self>, consequence: &Consequence) {
        match consequence {
            Consequence::Withdrawn(access) => return self.withdraw(access),
            Consequence::Renewed(from) => {
                return self.all_tabs().iter().for_each(|tab| tab.state.borrow_mut().hearing.renew(from));
            }
            Consequence::Gap => {
                return self.all_tabs().iter().for_each(|tab| self.close(tab, CloseReason::LogGap));
            }
            Consequence::LoggedOut { .. } | Consequence::Roles(_) => {}
        }
        for tab in self.all_tabs() {
            let Some(who) = &tab.identity else { continue };
            match consequence {
                Consequence::LoggedOut { .. } if consequence.ends(who) => {
                    self.close(&tab, CloseReason::LoggedOut);
                }
                Consequence::Roles(change) if change.concerns(who) => self.regroup(&tab, who),
                _ => {}
            }
        }
    }

    /// Joins and leaves groups so that the tab is in those that its roles give it now.
    fn regroup(self: &Rc<Self>, tab: &Rc<Tab>, who: &Identity) {
        let roles = self.shared.groups.read(|known| known.roles_of(who.claims()));
        // Looking into another org is a right that goes with the role, also for a tab that is open.
        if !is_allowed(&tab.hub, who, &roles) {
            return self.close(tab, CloseReason::Forbidden);
        }
        let names: Vec<String> = roles.iter().map(|(role, _)| role.clone()).collect();
        let wanted = memberships(&tab.hub, who, &roles);
        let mut state = tab.state.borrow_mut();
        if !state.is_live() {
            return;
        }
        let moved = state.hearing.regroup(wanted, &names);
        drop(state);
        for group in &moved.left {
            self.leave(tab, group);
        }
        for new in &moved.entered {
            self.join(tab, &new.group);
        }
        self.tell_granted(tab, &moved.entered);
        tab.flush(Instant::now());
    }

    pub(super) fn join(&self, tab: &Tab, group: &GroupName) {
        let interest = self.shared.groups.interest();
        let mut members = self.members.borrow_mut();
        members.join(&tab.hub.path, group, tab.key, self.index, interest);
    }

    pub(super) fn leave(&self, tab: &Tab, group: &GroupName) {
        let interest = self.shared.groups.interest();
        let mut members = self.members.borrow_mut();
        members.leave(&tab.hub.path, group, tab.key, self.index, interest);
    }
}
