//! One connection as its shard holds it: the state machine, the way out and what waits for it.

use std::cell::{Cell, RefCell};
use std::net::Shutdown;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use fanfare_signalr::negotiate::Transport;
use socket2::SockRef;
use tokio::sync::Notify;

use super::super::seat::Hold;
use super::calls::Calls;
use super::link::{Link, PollAnswer, Written};
use super::queue::SendQueue;
use crate::config::HubConfig;
use crate::connection::{CloseReason, Connection, ConnectionId, Hearing, Identity, Unacknowledged, WireForm};
use crate::groups::Delivery;
use crate::method::Request;
use crate::websocket::FrameReader;

/// One connection of a shard.
pub(super) struct Tab {
    /// Its place in the shard.
    pub key: usize,
    /// Its public id.
    pub id: ConnectionId,
    /// The hub it belongs to.
    pub hub: Arc<HubConfig>,
    /// Whose it is; `None` on a public hub.
    pub identity: Option<Identity>,
    /// How its bytes travel; never changes.
    pub transport: Transport,
    /// The request that opened it, where the hub's methods want to see it.
    pub request: Option<Arc<Request>>,
    /// The room that it takes of its node.
    pub hold: Hold,
    /// Everything that changes.
    pub state: RefCell<TabState>,
    /// The calls under way.
    pub calls: RefCell<Calls>,
    /// Wakes the tab's task: bytes wait, the connection has ended, or another socket took over.
    pub wake: Notify,
    /// Wakes whoever waits for room in the queue.
    pub drained: Notify,
    /// Whether somebody waits for that; waking nobody would cost a lock per write.
    pub room_wanted: Cell<bool>,
    /// The number of the last delivery it was given: one in several audiences hears a notification once.
    pub last_delivery: Cell<u64>,
    /// Counts the sockets of a stateful connection; the task of an older one ends.
    pub sockets: Cell<u32>,
}

/// The changing part of a [`Tab`].
pub(super) struct TabState {
    /// The protocol's state machine.
    pub connection: Connection,
    /// The framing of what the client sends on a WebSocket.
    pub reader: FrameReader,
    /// Where its bytes go.
    pub link: Link,
    /// What waits for the link.
    pub queue: SendQueue,
    /// Live notifications that wait behind a replay at connect; `None` when there is none.
    pub held: Option<SendQueue>,
    /// What a stateful client has not acknowledged.
    pub unacknowledged: Option<Unacknowledged>,
    /// The groups it is in, and from where on.
    pub hearing: Hearing,
    /// Set once the connection has ended; its link lives a little longer.
    pub ending: Option<Ending>,
}

/// A connection that has ended and whose last bytes are on their way.
pub(super) struct Ending {
    /// Why.
    pub reason: CloseReason,
    /// When the link is closed whatever the client does.
    pub deadline: Instant,
    /// Whether our side of the link is shut.
    pub shut: bool,
    /// Whether the connection can be forgotten.
    pub over: bool,
}

impl Tab {
    /// The form in which this connection takes its bytes.
    pub(super) fn wire_form(&self) -> WireForm {
        WireForm::of(self.transport, self.state.borrow().connection.protocol())
    }

    /// Writes what waits, as far as the link takes it; wakes the tab's task if something is left.
    pub(super) fn flush(&self, now: Instant) {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let waited = !state.queue.is_empty();
        match state.link.write(&mut state.queue, now) {
            Ok(written) => {
                if waited {
                    state.connection.sent(now);
                }
                if written == Written::Part {
                    self.wake.notify_one();
                    return;
                }
            }
            Err(_) => state.link_broke(now),
        }
        if self.room_wanted.replace(false) {
            self.drained.notify_waiters();
        }
        state.shut_if_done(now);
        if state.ending.is_some() {
            self.wake.notify_one();
        }
    }
}

impl TabState {
    /// Queues bytes of the wire; what stateful reconnect counts is kept until it is acknowledged.
    ///
    /// # Errors
    /// The reason to end the connection: its tab does not take what it is sent.
    pub(super) fn push(&mut self, frame: Bytes, tracked: bool, limit: usize) -> Result<(), CloseReason> {
        if tracked && let Some(kept) = &mut self.unacknowledged {
            let fits = kept.push(frame.clone()).is_ok();
            // Without a socket there is no queue: what is kept is sent when another comes.
            if matches!(self.link, Link::Gone) {
                return if fits { Ok(()) } else { Err(CloseReason::Unacknowledged) };
            }
            // A client that takes what it is sent but acknowledges later stays; only its next socket will
            // be one of a new connection.
            if !fits {
                self.unacknowledged = None;
                self.connection.give_up_replacement();
            }
        }
        self.queue.push(frame, None, limit).map_err(|_| CloseReason::SlowConsumer)
    }

    /// Marks the connection as ended; the first reason stays.
    pub(super) fn end(&mut self, reason: CloseReason, now: Instant) {
        // A lost socket takes no Close message: nothing is to be waited for.
        let lost = matches!(self.link, Link::Gone);
        let gone = lost || matches!(reason, CloseReason::ClientGone | CloseReason::SlowConsumer);
        let deadline = now + super::LINGER;
        let ending = self.ending.get_or_insert(Ending { reason, deadline, shut: false, over: false });
        ending.over |= gone;
        if gone {
            self.queue.clear();
            self.link = Link::Gone;
        }
    }

    /// The link broke: a stateful connection waits for another, any other ends.
    pub(super) fn link_broke(&mut self, now: Instant) {
        self.queue.clear();
        if self.ending.is_none() && self.connection.lose_socket(now) {
            self.link = Link::Gone;
        } else {
            self.end(CloseReason::ClientGone, now);
        }
    }

    /// Whether it has ended because its user has no right to it any more.
    pub(super) fn is_void(&self) -> bool {
        self.ending.as_ref().is_some_and(|ending| ending.reason.voids_calls())
    }

    /// Whether a live notification may be given to this connection at all.
    pub(super) fn is_live(&self) -> bool {
        self.ending.is_none() && self.hearing.live_from.is_some()
    }

    /// Whether a notification comes live here, rather than from before the connection or its groups.
    pub(super) fn is_live_for(&self, delivery: &Delivery) -> bool {
        self.ending.is_none() && self.hearing.is_live_for(&delivery.groups, delivery.place)
    }

    fn shut_if_done(&mut self, now: Instant) {
        let Some(ending) = &mut self.ending else { return };
        if ending.shut || !self.queue.is_empty() {
            return;
        }
        ending.shut = true;
        match &mut self.link {
            // Half-close and wait for the client's end: closing at once could reset the connection and
            // take the Close message with it.
            Link::WebSocket(stream) => {
                ending.over |= SockRef::from(&**stream).shutdown(Shutdown::Write).is_err();
            }
            // The end of the body is the end of the stream; nothing comes back on it.
            Link::EventStream(_) => {
                self.link = Link::Gone;
                ending.over = true;
            }
            // The poll that brought a Close message was the last one: its client polls no more. Without
            // such a message the next poll is told that it is over.
            Link::LongPolling(poll) => {
                ending.over |= poll.waiting.is_some() || ending.reason.message().is_some();
                poll.release(PollAnswer::Over, now);
            }
            Link::Gone => ending.over = true,
        }
    }

    /// The socket, if there is one.
    pub(super) fn socket(&self) -> Option<Rc<tokio::net::TcpStream>> {
        match &self.link {
            Link::WebSocket(stream) => Some(Rc::clone(stream)),
            _ => None,
        }
    }
}
