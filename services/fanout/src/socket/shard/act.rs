//! Carrying out what a connection's state machine asks for.

use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use fanfare_signalr::negotiate::Transport;
use fanfare_signalr::{Message, Outcome, Value};

use super::link::Link;
use super::tab::Tab;
use super::{PendingCursor, Shard};
use crate::connection::{Action, CloseReason, Identity, Unacknowledged};
use crate::websocket::{CloseCode, close_frame};

impl Shard {
    /// Takes bytes of the hub protocol from a client.
    pub(super) fn receive(self: &Rc<Self>, tab: &Rc<Tab>, bytes: &[u8], cursor: &mut Option<String>) {
        let now = Instant::now();
        let mut actions = Vec::new();
        tab.state.borrow_mut().connection.receive(bytes, &self.shared.settings, now, &mut actions);
        for action in actions {
            self.carry_out_one(tab, action, now, cursor);
        }
    }

    /// Carries out what the state machine asks for.
    pub(super) fn carry_out(self: &Rc<Self>, tab: &Rc<Tab>, actions: &mut Vec<Action>, now: Instant) {
        for action in actions.drain(..) {
            self.carry_out_one(tab, action, now, &mut None);
        }
    }

    fn carry_out_one(self: &Rc<Self>, tab: &Rc<Tab>, action: Action, now: Instant, cursor: &mut Option<String>) {
        match action {
            Action::Send { hub_bytes, tracked } => {
                self.send(tab, &hub_bytes, tracked);
            }
            Action::Opened { stateful, .. } => {
                tab.state.borrow_mut().unacknowledged = stateful.then(Unacknowledged::default);
                self.opened(tab, cursor.take());
            }
            Action::Call(call) => self.call(tab, call),
            Action::Item { id, item } => tab.calls.borrow_mut().item(&id, item),
            Action::Completed { id, outcome } => self.completed(tab, &id, outcome),
            Action::Cancel(id) => tab.calls.borrow().cancel(&id),
            Action::Acknowledged(newest) => {
                if let Some(kept) = &mut tab.state.borrow_mut().unacknowledged {
                    kept.acknowledge(newest);
                }
            }
            Action::End(reason) => self.end(tab, reason, now),
        }
    }

    fn completed(&self, tab: &Tab, id: &str, outcome: Outcome<'static>) {
        let mut calls = tab.calls.borrow_mut();
        let error = match &outcome {
            Outcome::Error(error) => Some(error.clone().into_owned()),
            Outcome::Void | Outcome::Value(_) => None,
        };
        if !calls.end_upload(id, error)
            && let Some(question) = calls.answer(id)
        {
            // Whoever asked may have given up.
            let _ = question.send(outcome);
        }
    }

    fn end(self: &Rc<Self>, tab: &Rc<Tab>, reason: CloseReason, now: Instant) {
        // At once, not when the socket is done: a stateful client that was told to come back tries its
        // old token first and must find nothing. A client that polls has to be told by its next poll.
        if tab.transport != Transport::LongPolling {
            self.by_id.borrow_mut().remove(&tab.id);
        }
        let code = match reason {
            CloseReason::InvalidFrame => CloseCode::ProtocolError,
            CloseReason::Draining => CloseCode::GoingAway,
            _ => CloseCode::Normal,
        };
        let mut state = tab.state.borrow_mut();
        if matches!(state.link, Link::WebSocket(_)) {
            // Whether there is room for it or not, the socket ends.
            let _ = state.queue.push(Bytes::from(close_frame(code)), None, self.shared.queue_bytes);
        }
        state.end(reason, now);
    }

    /// Ends a connection from the server's side.
    pub(super) fn close(self: &Rc<Self>, tab: &Rc<Tab>, reason: CloseReason) {
        let now = Instant::now();
        let mut actions = Vec::new();
        tab.state.borrow_mut().connection.close(reason, &mut actions);
        self.carry_out(tab, &mut actions, now);
        tab.flush(now);
        tab.wake.notify_one();
        self.forget_if_over(tab);
    }

    /// Ends a connection that does not take what it is sent.
    pub(super) fn evict(&self, tab: &Tab, reason: CloseReason) {
        let now = Instant::now();
        self.shared.metrics.slow_consumer();
        // Without a poll a slow client and one that has left look the same: a page that is reloaded often must not cost
        // its user's other tabs their replays.
        if let Some(identity) = &tab.identity
            && tab.transport != Transport::LongPolling
        {
            self.shared.groups.evictions().note(identity, self.tabs_of(identity), now);
        }
        self.by_id.borrow_mut().remove(&tab.id);
        tab.state.borrow_mut().end(reason, now);
        tab.wake.notify_one();
    }

    /// About how many tabs a user has on this node: those of this shard, and as many on every other if there are several.
    fn tabs_of(&self, identity: &Identity) -> usize {
        let (claims, tabs) = (identity.claims(), self.tabs.borrow());
        let is_theirs = |tab: &Tab| {
            let whose = tab.identity.as_ref().map(Identity::claims);
            whose.is_some_and(|whose| whose.user == claims.user && whose.realm == claims.realm)
        };
        match tabs.iter().filter(|(_, tab)| is_theirs(tab)).count() {
            0 | 1 => 1,
            here => here * self.shared.groups.shard_count(),
        }
    }

    /// Queues bytes of the hub protocol for one tab; false if it does not take them, which ends it.
    pub(super) fn send(&self, tab: &Tab, hub_bytes: &[u8], tracked: bool) -> bool {
        let wire = Bytes::from(tab.wire_form().wrap(hub_bytes));
        self.send_wire(tab, wire, tracked)
    }

    /// Queues bytes of the wire for one tab; false if it does not take them, which ends it.
    pub(super) fn send_wire(&self, tab: &Tab, wire: Bytes, tracked: bool) -> bool {
        let pushed = tab.state.borrow_mut().push(wire, tracked, self.shared.queue_bytes);
        match pushed {
            Ok(()) => true,
            Err(reason) => {
                self.evict(tab, reason);
                false
            }
        }
    }

    /// Encodes a message for one tab, queues and writes it.
    pub(super) fn send_message(&self, tab: &Tab, message: &Message<'_>) -> bool {
        let hub_bytes = tab.state.borrow().connection.encode(message);
        let sent = hub_bytes.is_some_and(|bytes| self.send(tab, &bytes, message.is_trackable()));
        tab.flush(Instant::now());
        sent
    }

    /// Answers a call.
    pub(super) fn complete(&self, tab: &Tab, invocation: Option<&str>, outcome: Outcome<'_>) {
        let label = if matches!(outcome, Outcome::Error(_)) { "error" } else { "ok" };
        self.shared.metrics.invocation(label);
        if let Some(id) = invocation {
            self.send_message(tab, &Message::Completion { invocation_id: id.into(), outcome });
        }
    }

    pub(super) fn ask_cursor(self: &Rc<Self>, tab: &Rc<Tab>, invocation: Option<String>) {
        // The position may be ahead of what still waits in the inbox for this tab. Told now and dropped
        // a moment later, the tab would resume behind something it never got.
        let (position, waiting) = self.shared.groups.passed(self.index);
        let cursor = self.cursor(&position);
        let after = self.handled.get() + waiting;
        self.cursors.borrow_mut().push(PendingCursor { tab: Rc::clone(tab), invocation, cursor, after });
        self.answer_cursors();
    }

    /// Answers those whose tab has been handed everything up to its cursor: all that was in the inbox, and all of a
    /// replay at connect, as a tab that is dropped in the middle of one must come back to its begin.
    pub(super) fn answer_cursors(&self) {
        let ready: Vec<PendingCursor> = {
            let handled = self.handled.get();
            let has_all = |pending: &mut PendingCursor| {
                let tab = pending.tab.state.borrow();
                pending.after <= handled && (tab.held.is_none() || tab.ending.is_some())
            };
            self.cursors.borrow_mut().extract_if(.., has_all).collect()
        };
        for PendingCursor { tab, invocation, cursor, .. } in ready {
            self.complete(&tab, invocation.as_deref(), Outcome::Value(Value::from(cursor)));
        }
    }
}
