//! Passes HTTP requests to the core, and its answers back.

use std::collections::hash_map::Entry;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::super::seat::Hold;
use super::super::stream::Bare;
use super::Shard;
use super::command::{Arrival, Command};
use super::link::{Kind, Link};
use super::stream::Stream;
use crate::clock::unix_seconds;
use crate::shard::{Denied, Key, PollAnswer};

/// How often a POST looks whether its client's rate allows it.
const LOOKS: Duration = Duration::from_millis(20);

impl Shard {
    /// Carries out a request of the HTTP side; if its client has left, nobody gets the answer.
    pub(super) fn request(self: &Rc<Self>, command: Command) {
        match command {
            Command::WebSocket { arrival, stream, read_ahead } => self.take_socket(arrival, stream, &read_ahead),
            Command::MayOpen { caller, answer } => {
                let _ = answer.send(self.core().may_open(&caller));
            }
            Command::EventStream { arrival, events, answer } => {
                let _ = answer.send(self.open_event_stream(arrival, events));
            }
            Command::Poll { arrival, may_open, poll, answer } => {
                let _ = answer.send(self.take_poll(arrival, may_open, poll));
            }
            Command::Post { arrival, may_open, bytes, answer } => self.post(arrival, may_open, bytes, answer),
            Command::Delete { caller, answer } => {
                let _ = answer.send(self.core().delete(&caller));
            }
            Command::Holds { id, hub, answer } => {
                let _ = answer.send(self.core().holds(id, &hub));
            }
            Command::Refresh { id, hub, identity, answer } => {
                let _ = answer.send(self.core().refresh(id, &hub, identity));
            }
            Command::Ask(question) => self.ask(question),
            Command::List { listing, node, answer } => self.list(listing, node, answer),
            Command::Measure { ids, answer } => self.measure(&ids, answer),
            Command::Probe(answer) => {
                let _ = answer.send(());
            }
            Command::Drain { over } => self.core().drain(over),
        }
    }

    fn take_socket(self: &Rc<Self>, arrival: Arrival, stream: Bare, read_ahead: &Bytes) {
        let stream = match Stream::take(stream) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "a shard could not take over the socket of a WebSocket");
                return;
            }
        };
        let Some(key) = self.core().open_web_socket(arrival.opening, unix_seconds()) else { return };
        self.hold(key, arrival.hold);
        let link = self.connect(key, Link::new(Kind::WebSocket(stream)));
        if !read_ahead.is_empty() {
            self.core().receive_frames(key, &mut read_ahead.to_vec());
        }
        tokio::task::spawn_local(Rc::clone(self).serve_web_socket(key, link));
    }

    fn open_event_stream(self: &Rc<Self>, arrival: Arrival, events: mpsc::Sender<Bytes>) -> Result<(), Denied> {
        let key = self.core().open_event_stream(arrival.opening, unix_seconds())?;
        self.hold(key, arrival.hold);
        let link = self.connect(key, Link::new(Kind::EventStream(events)));
        tokio::task::spawn_local(Rc::clone(self).serve_event_stream(key, link));
        Ok(())
    }

    fn take_poll(
        self: &Rc<Self>,
        arrival: Arrival,
        may_open: bool,
        poll: oneshot::Sender<PollAnswer>,
    ) -> Result<(), Denied> {
        let key = self.core().own_poll(arrival.opening, may_open, unix_seconds())?;
        let link = self.polled(key, arrival.hold);
        if let Kind::LongPolling(waiting) = &link.kind
            && let Some(older) = waiting.borrow_mut().replace(poll)
        {
            let _ = older.send(PollAnswer::Over);
        }
        self.core().poll(key);
        Ok(())
    }

    /// The link of a connection that polls; made with its first request.
    fn polled(&self, key: Key, hold: Hold) -> Rc<Link> {
        self.link(key).unwrap_or_else(|| {
            self.hold(key, hold);
            self.connect(key, Link::new(Kind::LongPolling(None.into())))
        })
    }

    /// Keeps what a connection holds of its node; another socket of it replaces the last one.
    fn hold(&self, key: Key, hold: Hold) {
        match self.holds.borrow_mut().entry(key) {
            Entry::Occupied(known) => known.get().follow(hold),
            Entry::Vacant(place) => {
                place.insert(hold);
            }
        }
    }

    fn post(
        self: &Rc<Self>,
        arrival: Arrival,
        may_open: bool,
        bytes: Bytes,
        answer: oneshot::Sender<Result<(), Denied>>,
    ) {
        let owned = self.core().own_post(arrival.opening, may_open, &bytes, unix_seconds());
        let key = match owned {
            Ok(key) => key,
            Err(denied) => {
                let _ = answer.send(Err(denied));
                return;
            }
        };
        let link = self.polled(key, arrival.hold);
        let is_allowed = self.core().may_read(key) > 0;
        if is_allowed {
            self.core().post(key, &bytes);
        }
        let shard = Rc::clone(self);
        // Answered once the client's rate allows it and uploads have room: the client sends one request at a time.
        tokio::task::spawn_local(async move {
            if !is_allowed {
                while shard.is_current(key, &link) && shard.core().may_read(key) == 0 {
                    tokio::time::sleep(LOOKS).await;
                }
                if shard.is_current(key, &link) {
                    shard.core().post(key, &bytes);
                    shard.carry_out();
                }
            }
            shard.handlers.feed_uploads(key).await;
            let _ = answer.send(Ok(()));
        });
    }
}
