//! A connection's beginning: taking over the socket, joining the groups, telling the current state.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use fanfare_broker::Position;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::queue::SendQueue;
use super::tab::{Tab, TabState};
use super::{OpenSocket, Shard};
use crate::connection::{CloseReason, Connection, Frame};
use crate::groups::Membership;
use crate::projection::{Place, Retained, seal_cursor};
use crate::websocket::FrameReader;

/// The transport's name in metrics.
const TRANSPORT: &str = "WebSockets";

impl Shard {
    /// Takes over a socket whose upgrade has been answered.
    pub(super) fn open(self: &Rc<Self>, socket: OpenSocket) {
        let stream = match TcpStream::from_std(socket.stream) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "a socket could not be taken over");
                return;
            }
        };
        let now = Instant::now();
        let mut tabs = self.tabs.borrow_mut();
        let entry = tabs.vacant_entry();
        let tab = Rc::new(Tab {
            key: entry.key(),
            id: socket.id,
            hub: socket.hub,
            identity: socket.identity,
            stream,
            state: RefCell::new(TabState {
                connection: Connection::new(true, &self.shared.settings, now),
                reader: FrameReader::default(),
                queue: SendQueue::default(),
                held: None,
                memberships: Vec::new(),
                live_from: None,
                ending: None,
            }),
            wake: Notify::new(),
            drained: Notify::new(),
            last_delivery: Cell::new(0),
        });
        entry.insert(Rc::clone(&tab));
        drop(tabs);
        self.shared.groups.opened();
        self.shared.metrics.connection_opened(&tab.hub.path, TRANSPORT);
        tokio::task::spawn_local(Rc::clone(self).serve(Rc::clone(&tab), socket.read_ahead, socket.cursor));
        if self.draining.get() {
            self.close(&tab, CloseReason::Draining);
        }
    }

    /// The handshake is done: join the groups, then tell the current state or replay first.
    ///
    /// Nothing here waits, so no delivery can come between joining and looking at what is known.
    pub(super) fn opened(self: &Rc<Self>, tab: &Rc<Tab>, cursor: Option<String>) {
        let groups = &self.shared.groups;
        let memberships = groups.memberships(&tab.hub, tab.identity.as_ref());
        for membership in &memberships {
            self.join(tab, membership);
        }
        let admission = groups.admit(&tab.hub, tab.identity.as_ref(), &memberships);
        {
            let mut state = tab.state.borrow_mut();
            state.memberships = memberships;
            state.live_from = admission.as_ref().ok().map(|known| known.live_from.clone());
            if cursor.is_some() {
                state.held = Some(SendQueue::default());
            }
        }
        let Ok(admission) = admission else {
            self.close(tab, CloseReason::LoggedOut);
            return;
        };
        match cursor {
            Some(cursor) => {
                let resume = Rc::clone(self).resume_at_connect(Rc::clone(tab), cursor, admission);
                tokio::task::spawn_local(resume);
            }
            None => {
                self.tell_retained(tab, &admission.live_from, &admission.retained, &HashSet::new());
            }
        }
    }

    /// Queues what is retained, with the position at connect as its cursor, but for what a replay told.
    pub(super) fn tell_retained(
        self: &Rc<Self>,
        tab: &Rc<Tab>,
        position: &Position,
        retained: &[Retained],
        told: &HashSet<Place>,
    ) {
        let cursor = seal_cursor(&self.shared.seal, position);
        let form = tab.wire_form();
        for value in retained.iter().filter(|value| !told.contains(&value.place)) {
            let frame = Frame::new(&value.route, &value.event, &cursor);
            if !self.queue(tab, frame.wire(form).clone()) {
                return;
            }
        }
    }

    /// Queues bytes for one tab; false if its queue was full, which ends it.
    pub(super) fn queue(self: &Rc<Self>, tab: &Rc<Tab>, bytes: Bytes) -> bool {
        if tab.queue(bytes, self.shared.queue_bytes).is_ok() {
            return true;
        }
        self.shared.metrics.slow_consumer();
        tab.state.borrow_mut().end(CloseReason::SlowConsumer, Instant::now());
        tab.wake.notify_one();
        false
    }

    /// Tells what is retained for groups that an event has just granted.
    pub(super) fn tell_granted(self: &Rc<Self>, tab: &Rc<Tab>, granted: &[Membership]) {
        if let Ok(admission) = self.shared.groups.admit(&tab.hub, tab.identity.as_ref(), granted) {
            self.tell_retained(tab, &admission.live_from, &admission.retained, &HashSet::new());
        }
    }

    /// Forgets a connection whose socket is done with.
    pub(super) fn forget(&self, tab: &Rc<Tab>) {
        let memberships = std::mem::take(&mut tab.state.borrow_mut().memberships);
        for membership in &memberships {
            self.leave(tab, membership);
        }
        self.tabs.borrow_mut().try_remove(tab.key);
        let state = tab.state.borrow();
        let reason = state.ending.as_ref().map_or(&CloseReason::ClientGone, |ending| &ending.reason);
        self.shared.groups.closed();
        self.shared.metrics.connection_closed(&tab.hub.path, TRANSPORT, reason.label());
        tracing::debug!(connection = %tab.id, reason = reason.label(), fault = ?reason.fault(), "closed");
    }
}
