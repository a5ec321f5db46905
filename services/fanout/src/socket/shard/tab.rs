//! One connection as its shard holds it: the state machine, the socket and what waits for it.

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use fanfare_broker::Position;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::queue::{Full, SendQueue};
use crate::config::HubConfig;
use crate::connection::{CloseReason, Connection, ConnectionId, Identity, WireForm};
use crate::groups::Membership;
use crate::websocket::FrameReader;

/// One connection of a shard.
#[derive(Debug)]
pub(super) struct Tab {
    /// Its place in the shard.
    pub key: usize,
    /// Its public id.
    pub id: ConnectionId,
    /// The hub it belongs to.
    pub hub: Arc<HubConfig>,
    /// Whose it is; `None` on a public hub.
    pub identity: Option<Identity>,
    /// The socket; only its shard reads and writes it.
    pub stream: TcpStream,
    /// Everything that changes.
    pub state: RefCell<TabState>,
    /// Wakes the tab's task: bytes wait, or the connection has ended.
    pub wake: Notify,
    /// Wakes a resume: the queue has been written out.
    pub drained: Notify,
    /// The number of the last delivery it was given: one in several audiences hears a notification once.
    pub last_delivery: Cell<u64>,
}

/// The changing part of a [`Tab`].
#[derive(Debug)]
pub(super) struct TabState {
    /// The protocol's state machine.
    pub connection: Connection,
    /// The framing of what the client sends.
    pub reader: FrameReader,
    /// What waits for the socket.
    pub queue: SendQueue,
    /// Live notifications that wait behind a replay at connect; `None` when there is none.
    pub held: Option<SendQueue>,
    /// The groups it is in.
    pub memberships: Vec<Membership>,
    /// Up to where in the log it was told at connect; what lies behind comes live.
    pub live_from: Option<Position>,
    /// Set once the connection has ended; the socket lives a little longer.
    pub ending: Option<Ending>,
}

/// A connection that has ended and whose last bytes are on their way.
#[derive(Debug)]
pub(super) struct Ending {
    /// Why.
    pub reason: CloseReason,
    /// When the socket is closed whatever the client does.
    pub deadline: Instant,
    /// Whether our side of the socket is shut.
    pub shut: bool,
    /// Whether the socket can be dropped.
    pub over: bool,
}

impl Tab {
    /// The form in which this connection takes notifications.
    #[must_use]
    pub(super) fn wire_form(&self) -> WireForm {
        let protocol = self.state.borrow().connection.protocol();
        protocol.map_or(WireForm::WebSocketJson, WireForm::web_socket)
    }

    /// Queues bytes that answer the client or belong to the connection itself.
    pub(super) fn queue(&self, bytes: Bytes, limit: usize) -> Result<(), Full> {
        self.state.borrow_mut().queue.push(bytes, None, limit)
    }

    /// Writes what waits, as far as the socket takes it; wakes the tab's task if something is left.
    pub(super) fn flush(&self, now: Instant) {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let waited = !state.queue.is_empty();
        while !state.queue.is_empty() {
            let outcome = self.stream.try_write_vectored(&state.queue.slices());
            match outcome {
                Ok(written) => {
                    state.queue.advance(written);
                    state.connection.sent(now);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.wake.notify_one();
                    return;
                }
                Err(_) => {
                    state.queue.clear();
                    state.end(CloseReason::ClientGone, now);
                }
            }
        }
        if waited {
            self.drained.notify_one();
        }
        state.shut_if_done(&self.stream);
        if state.ending.is_some() {
            self.wake.notify_one();
        }
    }
}

impl TabState {
    /// Marks the connection as ended; the first reason stays.
    pub(super) fn end(&mut self, reason: CloseReason, now: Instant) {
        let gone = matches!(reason, CloseReason::ClientGone | CloseReason::SlowConsumer);
        let deadline = now + super::LINGER;
        let ending =
            self.ending.get_or_insert(Ending { reason, deadline, shut: false, over: false });
        ending.over |= gone;
        if gone {
            self.queue.clear();
        }
    }

    /// Whether a live notification may be given to this connection at all.
    #[must_use]
    pub(super) fn is_live(&self) -> bool {
        self.ending.is_none() && self.live_from.is_some()
    }

    fn shut_if_done(&mut self, stream: &TcpStream) {
        if let Some(ending) = &mut self.ending
            && !ending.shut
            && self.queue.is_empty()
        {
            // Half-close and wait for the client's end: closing at once could reset the connection and
            // take the Close message with it.
            ending.shut = true;
            if socket2::SockRef::from(stream).shutdown(std::net::Shutdown::Write).is_err() {
                ending.over = true;
            }
        }
    }
}
