//! A link: the three ways in which a connection's bytes leave.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc, oneshot};

use super::Shard;
use super::secure::Secure;
use super::stream::Stream;
use crate::shard::{Key, LinkState, PollAnswer};

/// How many frames an event stream hands to the HTTP side ahead of its socket; what it does not take stays in the
/// connection's bounded queue.
pub const EVENTS_AHEAD: usize = 4;

/// How many writes one connection gets in a turn.
const WRITES_PER_TURN: usize = 8;

/// A connection's link.
#[derive(Debug)]
pub(super) struct Link {
    pub kind: Kind,
    /// Wakes the link's task.
    pub wake: Notify,
    /// Wakes tasks that wait for room.
    pub drained: Notify,
}

/// Where a connection's bytes go.
#[derive(Debug)]
pub(super) enum Kind {
    /// A socket of its own.
    WebSocket(Stream),
    /// The body of a response that never ends.
    EventStream(mpsc::Sender<Bytes>),
    /// One response per poll: the poll that waits.
    LongPolling(RefCell<Option<oneshot::Sender<PollAnswer>>>),
}

impl Link {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, wake: Notify::new(), drained: Notify::new() }
    }

    /// Whether the client of a poll that waits has left.
    pub(super) fn is_abandoned_poll(&self) -> bool {
        let Kind::LongPolling(poll) = &self.kind else { return false };
        poll.borrow_mut().take_if(|poll| poll.is_closed()).is_some()
    }

    pub(super) fn wake_all(&self) {
        self.wake.notify_one();
        self.drained.notify_waiters();
    }
}

impl Shard {
    /// Writes what waits for a connection, as far as its link takes it, and then does with the link what is due.
    pub(super) fn flush(self: &Rc<Self>, key: Key) {
        let Some(link) = self.link(key) else {
            // A stateful connection may end while it waits for another socket.
            let state = self.core().link_state(key);
            if state == LinkState::Over {
                self.core().forget(key);
            }
            return;
        };
        match &link.kind {
            Kind::WebSocket(stream) => self.write_socket(key, &link, stream),
            Kind::EventStream(events) => self.write_events(key, &link, events),
            Kind::LongPolling(poll) => self.answer_poll(key, &mut poll.borrow_mut()),
        }
        let state = self.core.borrow_mut().link_state(key);
        match state {
            LinkState::Open => {}
            LinkState::Lost => self.unlink(key),
            // Half-close and wait for the client's end: closing at once could reset the connection and take the Close
            // message with it.
            LinkState::Shut => {
                if let Kind::WebSocket(stream) = &link.kind
                    && stream.finish().is_err()
                {
                    self.core().link_over(key);
                }
                link.wake.notify_one();
            }
            LinkState::Over => self.core().forget(key),
        }
    }

    /// Lets go of a connection's link: its task ends, and its socket closes with it.
    pub(super) fn unlink(&self, key: Key) {
        let link = self.links.borrow_mut().get_mut(key).and_then(Option::take);
        if let Some(link) = link {
            link.wake_all();
        }
    }

    fn write_socket(&self, key: Key, link: &Link, stream: &Stream) {
        // At the time of the turn: asking for it at each write would cost a tenth of a delivery.
        let waits = match stream {
            Stream::Plain(tcp) => self.core.borrow_mut().write(key, WRITES_PER_TURN, |slices| match slices {
                [slice] => tcp.try_write(slice),
                slices => tcp.try_write_vectored(slices),
            }),
            Stream::Tls(secure) => self.write_secure(key, secure),
        };
        // Something is left, or it is another turn's: the link's task continues once the socket takes it.
        if waits {
            link.wake.notify_one();
        }
    }

    /// The same within TLS; whether something is left.
    fn write_secure(&self, key: Key, secure: &Secure) -> bool {
        let mut core = self.core.borrow_mut();
        match secure.send() {
            // It was handed over before, but only now does the client take it.
            Ok(true) => {
                core.wrote(key, 0);
            }
            Ok(false) => {}
            Err(_) => {
                core.link_lost(key);
                return false;
            }
        }
        let waits = core.write(key, WRITES_PER_TURN, |slices| secure.write(slices));
        core.set_sealed(key, secure.sealed());
        waits || secure.waits()
    }

    fn write_events(&self, key: Key, link: &Link, events: &mpsc::Sender<Bytes>) {
        loop {
            let Some(frame) = self.core.borrow().first_frame(key).cloned() else { return };
            let length = frame.len();
            match events.try_send(frame) {
                Ok(()) => {
                    self.core().wrote(key, length);
                }
                Err(TrySendError::Full(_)) => {
                    self.core().blocked(key);
                    return link.wake.notify_one();
                }
                Err(TrySendError::Closed(_)) => return self.core().link_lost(key),
            }
        }
    }

    fn answer_poll(&self, key: Key, poll: &mut Option<oneshot::Sender<PollAnswer>>) {
        if poll.is_none() {
            return;
        }
        let body = self.core().take_body(key);
        if let Some(body) = body
            && let Some(poll) = poll.take()
        {
            // A poll whose client has left takes the messages with it, as a socket does that breaks after a write: what
            // it missed is for the resume.
            let _ = poll.send(PollAnswer::Messages(body));
        }
    }
}
