//! A connection's beginning and end: taking over its link, joining the groups, telling the current state.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use fanfare_broker::Position;
use fanfare_signalr::Message;
use fanfare_signalr::negotiate::Transport;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::Shard;
use super::calls::Calls;
use super::command::Opening;
use super::link::Link;
use super::queue::SendQueue;
use super::tab::{Tab, TabState};
use crate::connection::{CloseReason, Connection, Hearing};
use crate::groups::Refused;
use crate::projection::seal_cursor;
use crate::websocket::FrameReader;

impl Shard {
    /// Takes over a socket: of a new connection, or another one for a stateful connection.
    pub(super) fn open_web_socket(self: &Rc<Self>, opening: Opening, stream: std::net::TcpStream, read_ahead: Bytes) {
        let stream = match TcpStream::from_std(stream) {
            Ok(stream) => Rc::new(stream),
            Err(error) => {
                tracing::warn!(%error, "a socket could not be taken over");
                return;
            }
        };
        let cursor = opening.cursor.clone();
        let known = self.find(opening.id);
        let tab = match known {
            Some(tab) if tab.state.borrow().connection.is_stateful() => {
                self.replace_socket(&tab, &stream);
                tab.hold.follow(opening.hold);
                tab
            }
            // The id was taken between the question and the upgrade: the second socket is dropped.
            Some(_) => return,
            None => self.open(opening, Link::WebSocket(Rc::clone(&stream)), Transport::WebSockets),
        };
        tokio::task::spawn_local(Rc::clone(self).serve_web_socket(tab, stream, read_ahead, cursor));
    }

    /// Lets another socket go on where the last one stopped, whether its loss is known yet or not.
    fn replace_socket(&self, tab: &Tab, stream: &Rc<TcpStream>) {
        let now = Instant::now();
        tab.sockets.set(tab.sockets.get().wrapping_add(1));
        // The older socket's task ends when it sees the new number.
        tab.wake.notify_waiters();
        {
            let mut state = tab.state.borrow_mut();
            let state = &mut *state;
            state.connection.replace_socket(now);
            state.reader = FrameReader::default();
            state.queue.clear();
            state.link = Link::WebSocket(Rc::clone(stream));
        }
        let sequence = tab.state.borrow().unacknowledged.as_ref().map(|kept| kept.sequence());
        if let Some(sequence_id) = sequence {
            // First of all: the client drops everything that comes before it.
            let message = Message::Sequence { sequence_id };
            let hub_bytes = tab.state.borrow().connection.encode(&message).unwrap_or_default();
            self.send(tab, &hub_bytes, false);
        }
        let again: Vec<Bytes> = {
            let state = tab.state.borrow();
            state.unacknowledged.iter().flat_map(|kept| kept.frames().cloned()).collect()
        };
        for frame in again {
            self.send_wire(tab, frame, false);
        }
        tab.flush(now);
    }

    /// Makes a connection around its link.
    pub(super) fn open(self: &Rc<Self>, opening: Opening, link: Link, transport: Transport) -> Rc<Tab> {
        let now = Instant::now();
        let mut tabs = self.tabs.borrow_mut();
        let entry = tabs.vacant_entry();
        let tab = Rc::new(Tab {
            key: entry.key(),
            id: opening.id,
            hub: opening.hub,
            identity: opening.identity,
            transport,
            request: opening.request,
            hold: opening.hold,
            state: RefCell::new(TabState {
                connection: Connection::new(transport, opening.stateful, &self.shared.settings, now),
                reader: FrameReader::default(),
                link,
                queue: SendQueue::default(),
                held: None,
                unacknowledged: None,
                hearing: Hearing::default(),
                ending: None,
            }),
            calls: RefCell::new(Calls::default()),
            wake: Notify::new(),
            drained: Notify::new(),
            room_wanted: Cell::new(false),
            last_delivery: Cell::new(0),
            sockets: Cell::new(0),
        });
        entry.insert(Rc::clone(&tab));
        drop(tabs);
        self.by_id.borrow_mut().insert(tab.id, tab.key);
        if let Some(expires) = opening.token_expires {
            self.spent.borrow_mut().note(tab.id, expires, crate::clock::unix_seconds());
        }
        self.shared.groups.opened();
        self.shared.metrics.connection_opened(&tab.hub.path, transport.name());
        if self.draining.get() {
            self.close(&tab, CloseReason::Draining);
        }
        tab
    }

    /// The handshake is done: join the groups, then tell the current state or replay first.
    ///
    /// Nothing here waits, so no delivery can come between joining and looking at what is known.
    pub(super) fn opened(self: &Rc<Self>, tab: &Rc<Tab>, cursor: Option<String>) {
        let groups = &self.shared.groups;
        let memberships = groups.memberships(&tab.hub, tab.identity.as_ref());
        for membership in &memberships {
            self.join(tab, &membership.group);
        }
        let admission = groups.admit(&tab.hub, tab.identity.as_ref(), &memberships);
        {
            let mut state = tab.state.borrow_mut();
            state.hearing.memberships = memberships;
            state.hearing.live_from = admission.as_ref().ok().map(|known| known.live_from.clone());
            if cursor.is_some() {
                state.held = Some(SendQueue::default());
            }
        }
        let admission = match admission {
            Ok(admission) => admission,
            Err(Refused::LoggedOut) => return self.close(tab, CloseReason::LoggedOut),
            Err(Refused::Forbidden) => return self.close(tab, CloseReason::Forbidden),
        };
        match cursor {
            Some(cursor) => {
                let resume = Rc::clone(self).resume_at_connect(Rc::clone(tab), cursor, admission);
                tokio::task::spawn_local(resume);
            }
            None => {
                self.tell_retained(tab, admission);
            }
        }
    }

    /// The cursor of a position.
    pub(super) fn cursor(&self, position: &Position) -> String {
        self.shared.groups.read(|known| seal_cursor(&self.shared.seal, known.told_as(position), known.times()))
    }

    /// Forgets a connection whose link is done with.
    pub(super) fn forget(&self, tab: &Rc<Tab>) {
        if self.tabs.borrow_mut().try_remove(tab.key).is_none() {
            return;
        }
        let heard = std::mem::take(&mut tab.state.borrow_mut().hearing);
        for group in heard.groups() {
            self.leave(tab, group);
        }
        if self.draining.get() && self.tabs.borrow().is_empty() {
            self.emptied.notify_one();
        }
        self.by_id.borrow_mut().remove(&tab.id);
        self.cursors_at_connect.borrow_mut().remove(&tab.key);
        tab.calls.borrow_mut().end_all();
        tab.drained.notify_waiters();
        let state = tab.state.borrow();
        let reason = state.ending.as_ref().map_or(&CloseReason::ClientGone, |ending| &ending.reason);
        self.shared.groups.closed();
        self.shared.metrics.connection_closed(&tab.hub.path, tab.transport.name(), reason.label());
        tracing::debug!(connection = %tab.id, reason = reason.label(), fault = ?reason.fault(), "closed");
    }
}
