//! The connection as a state machine: bytes and time in, actions out.

use std::time::{Duration, Instant};

use fanfare_signalr::handshake::{self, HandshakeError};
use fanfare_signalr::negotiate::Transport;
use fanfare_signalr::{Decoded, Headers, Message, Protocol, ProtocolError};

use super::CloseReason;
use super::action::{Action, Call};
use super::stateful::Inbound;
use super::streaming::Streamed;
use crate::config::ConnectionSettings as Settings;

/// How long the client of an event stream may take for the handshake at most. Over HTTP/1.1 a browser opens six connections
/// to a host: six streams leave none for the POSTs that would shake hands on them, nor for anything else of the page.
const EVENT_STREAM_HANDSHAKE: Duration = Duration::from_secs(5);

/// The end of a handshake and of each JSON message.
const RECORD_SEPARATOR: u8 = 0x1e;

/// How long a socket that replaces another may take to send its Sequence.
const SEQUENCE_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug)]
enum Phase {
    Handshaking {
        since: Instant,
    },
    Open,
    /// The socket is gone and may be replaced.
    Lost {
        since: Instant,
    },
    /// A new socket is there and has not sent its Sequence.
    Resuming {
        since: Instant,
    },
    Ended,
}

/// One connection's state.
#[derive(Debug)]
pub struct Connection {
    phase: Phase,
    transport: Transport,
    /// The result of the handshake; kept after the end, for the last bytes.
    protocol: Option<Protocol>,
    /// Whether negotiation agreed on stateful reconnect; the handshake has the last word.
    may_resume: bool,
    inbound: Option<Inbound>,
    /// Whether a lost socket can no longer be replaced, though the client still counts.
    gave_up: bool,
    /// The begun message that has not ended yet; bounded by `message_bytes`.
    partial: Vec<u8>,
    received: Instant,
    sent: Instant,
    /// ASP.NET counts the client's silence only from its first Ping on: some clients never send one.
    pings: bool,
}

impl Connection {
    /// A connection whose transport has just opened.
    #[must_use]
    pub fn new(transport: Transport, may_resume: bool, now: Instant) -> Self {
        Self {
            phase: Phase::Handshaking { since: now },
            transport,
            protocol: None,
            // Only of a WebSocket can a new one take the place: the other transports are lost with their requests.
            may_resume: may_resume && transport == Transport::WebSockets,
            inbound: None,
            gave_up: false,
            partial: Vec::new(),
            received: now,
            sent: now,
            pings: false,
        }
    }

    /// How the bytes travel.
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// The protocol agreed on, once the handshake is done; also after the end.
    #[must_use]
    pub fn protocol(&self) -> Option<Protocol> {
        self.protocol
    }

    /// Whether a lost socket can be replaced by another.
    #[must_use]
    pub fn is_stateful(&self) -> bool {
        self.inbound.is_some() && !self.gave_up && !matches!(self.phase, Phase::Ended)
    }

    /// Its socket cannot be replaced any more. What the client sends is acknowledged as before: a client
    /// that hears nothing would stop sending.
    pub fn give_up_replacement(&mut self) {
        self.gave_up = true;
    }

    /// Takes bytes from the client; they may hold any part of a message or many of them. Returns how many whole
    /// messages they held.
    ///
    /// A byte is copied and looked at a bounded number of times, however the client cuts its messages.
    pub fn receive(&mut self, bytes: &[u8], settings: &Settings, now: Instant, actions: &mut Vec<Action>) -> u32 {
        self.received = now;
        let mut messages = 0;
        if self.partial.is_empty() {
            let used = self.consume(bytes, settings, &mut messages, actions);
            self.keep(&bytes[used..]);
            return messages;
        }
        let begun = self.partial.len();
        self.partial.extend_from_slice(bytes);
        if !self.may_be_whole(begun, settings) {
            return 0;
        }
        let joined = std::mem::take(&mut self.partial);
        match self.consume(&joined, settings, &mut messages, actions) {
            0 if !matches!(self.phase, Phase::Ended) => self.partial = joined,
            used => self.keep(&joined[used..]),
        }
        messages
    }

    /// Whether the message may be complete, so that it is worth parsing from its start: the bytes before were parsed in
    /// vain.
    fn may_be_whole(&self, begun: usize, settings: &Settings) -> bool {
        // MessagePack says its length at its start.
        let ends_with_a_byte = self.protocol.is_none_or(|protocol| protocol == Protocol::Json);
        !ends_with_a_byte
            || self.partial.len() > settings.message_bytes
            || memchr::memchr(RECORD_SEPARATOR, &self.partial[begun..]).is_some()
    }

    fn keep(&mut self, rest: &[u8]) {
        if !matches!(self.phase, Phase::Ended) {
            self.partial.extend_from_slice(rest);
        }
    }

    /// Handles all whole messages at the front of `bytes`; returns how many bytes they took.
    fn consume(&mut self, bytes: &[u8], settings: &Settings, messages: &mut u32, actions: &mut Vec<Action>) -> usize {
        let mut used = 0;
        loop {
            let step = match (&self.phase, self.protocol) {
                (Phase::Handshaking { .. }, _) => self.shake_hands(&bytes[used..], settings, actions),
                (Phase::Open | Phase::Resuming { .. }, Some(protocol)) => {
                    self.take_message(protocol, &bytes[used..], settings, actions)
                }
                _ => 0,
            };
            if step == 0 {
                return used;
            }
            used += step;
            *messages = messages.saturating_add(1);
        }
    }

    fn shake_hands(&mut self, bytes: &[u8], settings: &Settings, actions: &mut Vec<Action>) -> usize {
        let binary = self.transport.carries_binary();
        let request = handshake::Request::parse(bytes, settings.message_bytes).and_then(|parsed| {
            if let Some((request, _)) = &parsed {
                request.require_transfer_format(binary)?;
            }
            Ok(parsed)
        });
        match request {
            Ok(None) => 0,
            Ok(Some((request, consumed))) => {
                self.phase = Phase::Open;
                self.protocol = Some(request.protocol);
                // Version 2 means that the client counts messages.
                let stateful = self.may_resume && request.version >= 2;
                self.inbound = stateful.then(Inbound::default);
                actions.push(untracked(handshake::ACCEPTED.to_vec()));
                actions.push(Action::Opened { protocol: request.protocol, stateful });
                consumed
            }
            Err(error) => {
                actions.push(untracked(error.answer()));
                self.end(CloseReason::HandshakeRefused, actions);
                0
            }
        }
    }

    fn take_message(
        &mut self,
        protocol: Protocol,
        bytes: &[u8],
        settings: &Settings,
        actions: &mut Vec<Action>,
    ) -> usize {
        let frame = match protocol.split(bytes, settings.message_bytes) {
            Ok(None) => return 0,
            Ok(Some(frame)) => frame,
            Err(error) => {
                self.close(reason_for(&error, settings), actions);
                return 0;
            }
        };
        match protocol.decode(frame.body) {
            Ok(Decoded::Message { message, headers }) => {
                if !message.is_trackable() || self.counts() {
                    self.act_on(message, &headers, actions);
                }
            }
            Ok(Decoded::BindingFailure(failure)) => {
                if self.counts()
                    && let Some(answer) = failure.into_completion(settings.detailed_errors)
                {
                    actions.push(tracked(encode(protocol, &answer)));
                }
            }
            Ok(Decoded::Ignored { .. }) => {}
            Err(error) => self.close(reason_for(&error, settings), actions),
        }
        frame.consumed
    }

    /// Counts a trackable message; false if this client has sent it before on another socket.
    fn counts(&mut self) -> bool {
        self.inbound.as_mut().is_none_or(Inbound::take)
    }

    fn act_on(&mut self, message: Message<'_>, headers: &Headers<'_>, actions: &mut Vec<Action>) {
        match message {
            Message::Invocation { invocation_id, target, arguments, stream_ids } => {
                let call = Call::new(invocation_id, &target, arguments, &stream_ids, false, headers);
                actions.push(Action::Call(call));
            }
            Message::StreamInvocation { invocation_id, target, arguments, stream_ids } => {
                let call = Call::new(Some(invocation_id), &target, arguments, &stream_ids, true, headers);
                actions.push(Action::Call(call));
            }
            Message::StreamItem { .. } | Message::Completion { .. } | Message::CancelInvocation { .. } => {
                actions.extend(Streamed::of(message).map(Action::Streamed));
            }
            Message::Ping => self.pings = true,
            Message::Close { .. } => self.end(CloseReason::ClientClosed, actions),
            Message::Ack { sequence_id } => actions.push(Action::Acknowledged(sequence_id)),
            Message::Sequence { sequence_id } => self.go_on_from(sequence_id, actions),
        }
    }

    fn go_on_from(&mut self, sequence: u64, actions: &mut Vec<Action>) {
        let Some(inbound) = &mut self.inbound else { return };
        match inbound.sequence(sequence) {
            Ok(()) => self.phase = Phase::Open,
            Err(gap) => self.close(CloseReason::InvalidMessage(Some(gap.to_string())), actions),
        }
    }

    /// The bytes of a message in this connection's protocol; nothing before the handshake or after the end.
    #[must_use]
    pub fn encode(&self, message: &Message<'_>) -> Option<Vec<u8>> {
        match self.phase {
            Phase::Handshaking { .. } | Phase::Ended => None,
            Phase::Open | Phase::Lost { .. } | Phase::Resuming { .. } => Some(encode(self.protocol?, message)),
        }
    }

    /// Notes that the client is alive, though nothing of it was read.
    pub fn heard(&mut self, now: Instant) {
        self.received = now;
    }

    /// Notes that something was sent, so that no Ping is due for a while.
    pub fn sent(&mut self, now: Instant) {
        self.sent = now;
    }

    /// The socket is gone; true if another may replace it, else the connection has to end.
    pub fn lose_socket(&mut self, now: Instant) -> bool {
        self.partial = Vec::new();
        if self.is_stateful() {
            self.phase = Phase::Lost { since: now };
            return true;
        }
        false
    }

    /// Another socket has replaced the lost one, or one whose loss is not known yet.
    pub fn replace_socket(&mut self, now: Instant) {
        self.partial = Vec::new();
        (self.received, self.sent) = (now, now);
        self.phase = Phase::Resuming { since: now };
    }

    /// How long the client may take for the handshake.
    fn handshake_time(&self, settings: &Settings) -> Duration {
        match self.transport {
            Transport::ServerSentEvents => settings.handshake.min(EVENT_STREAM_HANDSHAKE),
            Transport::WebSockets | Transport::LongPolling => settings.handshake,
        }
    }

    /// Lets time pass; to be called about once a second.
    pub fn tick(&mut self, settings: &Settings, now: Instant, actions: &mut Vec<Action>) {
        let passed = |since: Instant| now.saturating_duration_since(since);
        match self.phase {
            Phase::Handshaking { since } if passed(since) >= self.handshake_time(settings) => {
                // A proxy may have moved the requests of an open connection here, and an event source that its client
                // has given up may reconnect here: for them these words would be no message, or an error that nobody
                // awaits.
                if self.transport == Transport::WebSockets {
                    actions.push(untracked(HandshakeError::Canceled.answer()));
                }
                self.end(CloseReason::HandshakeTimeout, actions);
            }
            Phase::Lost { since } if passed(since) >= settings.client_timeout => {
                self.end(CloseReason::ClientGone, actions);
            }
            Phase::Resuming { since } if passed(since) >= SEQUENCE_TIMEOUT => {
                self.end(CloseReason::ClientGone, actions);
            }
            Phase::Open => self.keep_alive(settings, now, actions),
            _ => {}
        }
    }

    fn keep_alive(&mut self, settings: &Settings, now: Instant, actions: &mut Vec<Action>) {
        let Some(protocol) = self.protocol else { return };
        if let Some(sequence_id) = self.inbound.as_mut().and_then(Inbound::acknowledge) {
            actions.push(untracked(encode(protocol, &Message::Ack { sequence_id })));
        }
        // A poll is its own sign of life: on long polling neither side pings.
        if self.transport == Transport::LongPolling {
            return;
        }
        if self.pings && now.saturating_duration_since(self.received) >= settings.client_timeout {
            self.close(CloseReason::ClientTimeout, actions);
        } else if now.saturating_duration_since(self.sent) >= settings.keepalive {
            self.sent = now;
            actions.push(untracked(encode(protocol, &Message::Ping)));
        }
    }

    /// Ends the connection from the server's side, with the Close message that the reason calls for.
    pub fn close(&mut self, reason: CloseReason, actions: &mut Vec<Action>) {
        // Before the handshake is answered a Close is no valid message to the client.
        let message = reason.message().and_then(|message| self.encode(&message));
        actions.extend(message.map(untracked));
        self.end(reason, actions);
    }

    fn end(&mut self, reason: CloseReason, actions: &mut Vec<Action>) {
        if matches!(self.phase, Phase::Ended) {
            return;
        }
        self.phase = Phase::Ended;
        self.partial = Vec::new();
        actions.push(Action::End(reason));
    }
}

fn tracked(hub_bytes: Vec<u8>) -> Action {
    Action::Send { hub_bytes, tracked: true }
}

fn untracked(hub_bytes: Vec<u8>) -> Action {
    Action::Send { hub_bytes, tracked: false }
}

fn encode(protocol: Protocol, message: &Message<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    protocol.encode(message, &mut bytes);
    bytes
}

fn reason_for(error: &ProtocolError, settings: &Settings) -> CloseReason {
    let is_told = settings.detailed_errors;
    match error {
        ProtocolError::TooLong { limit } => CloseReason::MessageTooLarge(is_told.then_some(*limit)),
        other => CloseReason::InvalidMessage(is_told.then(|| other.to_string())),
    }
}
