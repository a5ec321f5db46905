//! Bytes from a client: read in turns, charged for, and read later if there are too many (rules 7.1 and 7.2).

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::budget::{Budget, Rate};
use super::{Core, Key, Task};
use crate::connection::{Action, CloseReason};
use crate::websocket::{Received, pong_frame};

/// The most bytes that are read of one connection in a turn.
pub const READ: usize = 16 * 1024;

/// Frames of the wire and messages of the hub protocol that one connection may send. An honest page sends a few in a
/// second, and a hundred when it opens; so many cost a shard about a hundredth of a processor.
const FRAMES: Rate = Rate { per_second: 1_000.0, burst: 4_000.0 };

/// Bytes that one connection may send.
const BYTES: Rate = Rate { per_second: 1_048_576.0, burst: 4_194_304.0 };

/// For how long in all a client may be slowed for its frames before it is ended.
const FLOOD: Duration = Duration::from_secs(10);

/// Answers to pings are queued as long as no more than so many bytes of memory wait.
const PONGS_WAITING: usize = 4 * 1024;

/// The most bytes of memory that the calls of one connection may take while they wait; beyond it nothing is read.
const CALLS_WAITING: usize = 128 * 1024;

/// What a client has sent recently.
#[derive(Debug)]
pub(super) struct Inbound {
    frames: Budget,
    bytes: Budget,
    /// Nothing is read until then.
    paused: Option<Instant>,
    /// How long it has been slowed for its frames, since its rate was last full.
    slowed: Duration,
}

impl Inbound {
    pub(super) fn new(now: Instant) -> Self {
        Self { frames: Budget::new(FRAMES, now), bytes: Budget::new(BYTES, now), paused: None, slowed: Duration::ZERO }
    }

    /// Whether nothing is read because too much came.
    pub(super) fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    /// Counts what came; true if the client floods.
    fn spend(&mut self, bytes: usize, frames: u32, now: Instant) -> bool {
        if self.frames.is_full(FRAMES, now) {
            self.slowed = Duration::ZERO;
        }
        self.frames.spend(frames as f32, FRAMES, now);
        self.bytes.spend(bytes as f32, BYTES, now);
        let for_frames = self.frames.wait(0.0, FRAMES, now);
        let wait = for_frames.max(self.bytes.wait(0.0, BYTES, now));
        if !wait.is_zero() {
            self.paused = Some(now + wait);
        }
        self.slowed += for_frames;
        self.slowed > FLOOD
    }
}

impl Core {
    /// How many bytes may be read of a connection now; none if reading pauses, until [`Task::Wake`].
    #[must_use]
    pub fn may_read(&self, key: Key) -> usize {
        let Some(tab) = self.connections.get(key) else { return READ };
        let now = self.now();
        let is_paused = tab.inbound.paused.is_some_and(|until| until > now);
        if is_paused || (tab.calls.memory() > CALLS_WAITING && tab.ending.is_none()) { 0 } else { READ }
    }

    /// Lets reading go on once the client's rate allows it.
    pub(super) fn resume_reading(&mut self, key: Key) {
        let now = self.now();
        let Some(tab) = self.connections.get_mut(key) else { return };
        match tab.inbound.paused {
            Some(until) if until > now => self.schedule(key, until),
            Some(_) => {
                tab.inbound.paused = None;
                self.tasks.push_back(Task::Wake(key));
            }
            None => {}
        }
    }

    /// A client has sent so many bytes of TLS overhead.
    pub fn pay_for_sealing(&mut self, key: Key, bytes: usize) {
        self.pay(key, bytes, 0);
    }

    fn pay(&mut self, key: Key, bytes: usize, frames: u32) {
        let now = self.now();
        let Some(tab) = self.connections.get_mut(key) else { return };
        let floods = tab.inbound.spend(bytes, frames, now);
        if let Some(until) = tab.inbound.paused {
            self.schedule(key, until);
        }
        if floods && self.connections.get(key).is_some_and(|tab| tab.ending.is_none()) {
            self.close(key, CloseReason::Flood);
        }
    }

    /// Takes bytes of a WebSocket.
    pub fn receive_frames(&mut self, key: Key, bytes: &mut [u8]) {
        self.look_after_joining();
        let (all, mut frames) = (bytes.len(), 0);
        let mut rest = bytes;
        while !rest.is_empty() {
            let Some(tab) = self.connections.get_mut(key) else { return };
            // Only the end of the stream matters once the connection has ended.
            if tab.ending.is_some() {
                break;
            }
            let mut reader = std::mem::take(&mut tab.reader);
            let outcome = reader.read(rest);
            frames += 1;
            let (used, reason) = match outcome {
                Ok((used, Some(Received::Data { bytes, .. }))) => {
                    frames += self.receive_hub_bytes(key, bytes);
                    (used, None)
                }
                Ok((used, Some(Received::Ping(payload)))) => {
                    self.take_ping(key, payload);
                    (used, None)
                }
                Ok((used, Some(Received::Close(_)))) => (used, Some(CloseReason::ClientClosed)),
                Ok((0, None)) => (rest.len(), None),
                Ok((used, Some(Received::Pong(payload)))) => {
                    self.take_pong(key, &payload);
                    (used, None)
                }
                Ok((used, None)) => (used, None),
                Err(error) => {
                    tracing::debug!(%error, "broken WebSocket framing");
                    (rest.len(), Some(CloseReason::InvalidFrame))
                }
            };
            if let Some(tab) = self.connections.get_mut(key) {
                tab.reader = reader;
            }
            if let Some(reason) = reason {
                self.carry_out(key, Action::End(reason));
            }
            rest = &mut rest[used..];
        }
        self.after_bytes(key, all, frames);
    }

    /// Takes bytes of the hub protocol, as a POST brings them.
    pub(super) fn receive_post(&mut self, key: Key, bytes: &[u8]) {
        let frames = 1 + self.receive_hub_bytes(key, bytes);
        self.after_bytes(key, bytes.len(), frames);
    }

    fn after_bytes(&mut self, key: Key, bytes: usize, frames: u32) {
        let now = self.now();
        if let Some(tab) = self.connections.get_mut(key) {
            tab.note_sign(now);
            tab.connection.heard(now);
        }
        self.check_quiet(key);
        self.pay(key, bytes, frames);
    }

    /// A ping is answered at once, unless much waits for the client: then once that is taken, and of several only the
    /// newest, as RFC 6455 allows.
    fn take_ping(&mut self, key: Key, payload: Vec<u8>) {
        let Some(tab) = self.connections.get_mut(key) else { return };
        if tab.queue.memory() < PONGS_WAITING {
            self.send_wire(key, Bytes::from(pong_frame(&payload)), false);
        } else {
            tab.pong = Some(payload.into_boxed_slice());
        }
    }

    pub(super) fn answer_ping(&mut self, key: Key) {
        let Some(tab) = self.connections.get_mut(key) else { return };
        if tab.queue.is_empty()
            && let Some(payload) = tab.pong.take()
        {
            self.send_wire(key, Bytes::from(pong_frame(&payload)), false);
        }
    }

    fn receive_hub_bytes(&mut self, key: Key, bytes: &[u8]) -> u32 {
        let now = self.now();
        let Some(tab) = self.connections.get_mut(key) else { return 0 };
        let mut actions = Vec::new();
        let messages = tab.connection.receive(bytes, &tab.hub.settings, now, &mut actions);
        for action in actions {
            self.carry_out(key, action);
        }
        messages
    }

    /// Carries out what the protocol's state machine asks for.
    pub(super) fn carry_out(&mut self, key: Key, action: Action) {
        let Some(tab) = self.connections.get_mut(key) else { return };
        match action {
            Action::Send { hub_bytes, tracked } => {
                let wire = Bytes::from(tab.form().wrap(&hub_bytes));
                self.send_wire(key, wire, tracked);
            }
            Action::Opened { stateful, .. } => {
                tab.unacknowledged = stateful.then(Box::default);
                self.entered(key);
            }
            Action::Call(call) => self.call(key, call),
            Action::Streamed(streamed) => self.streamed(key, streamed),
            Action::Acknowledged(newest) => {
                if let Some(kept) = &mut tab.unacknowledged {
                    kept.acknowledge(newest);
                }
            }
            Action::End(reason) => self.end(key, reason),
        }
    }
}
