//! The connection as a state machine: bytes and time in, actions out.

use std::time::{Duration, Instant};

use fanfare_signalr::handshake::{self, HandshakeError};
use fanfare_signalr::{Decoded, Message, Outcome, Protocol, ProtocolError, invocation_error};

use super::{Budget, CloseReason, HubMethod};

/// The limits and times of one connection, from the hub's configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long the client may take for the handshake.
    pub handshake: Duration,
    /// How long the server stays silent before it sends a Ping.
    pub keepalive: Duration,
    /// How long the client may stay silent once it has sent a Ping.
    pub client_timeout: Duration,
    /// Longest hub message that is taken, in bytes.
    pub message_bytes: usize,
    /// Invocations a client may make in a minute.
    pub invocations_per_minute: u32,
}

/// A call of a known hub method with checked arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The client's id for the answer; without one nothing is answered, not even an error.
    pub id: Option<String>,
    /// What is called.
    pub method: HubMethod,
}

/// What the transport has to do, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Send these bytes of the hub protocol.
    Send(Vec<u8>),
    /// The handshake is done: join the groups, then go on with what is owed at connect.
    Opened(Protocol),
    /// Carry out a call and answer with [`Connection::complete`].
    Invoke(Invocation),
    /// The connection is over; send nothing more but what was asked for before.
    End(CloseReason),
}

#[derive(Debug)]
enum Phase {
    Handshaking { since: Instant },
    Open(Protocol),
    Ended,
}

/// One connection's state.
#[derive(Debug)]
pub struct Connection {
    phase: Phase,
    /// What the handshake agreed on; stays known after the end, for the last bytes.
    protocol: Option<Protocol>,
    /// Whether the transport carries binary messages; Server-Sent Events do not.
    binary: bool,
    /// The begun message that has not ended yet; bounded by `message_bytes`.
    partial: Vec<u8>,
    received: Instant,
    sent: Instant,
    /// ASP.NET counts the client's silence only from its first Ping on: some clients never send one.
    pings: bool,
    budget: Budget,
}

impl Connection {
    /// A connection whose transport has just opened.
    #[must_use]
    pub fn new(binary: bool, settings: &Settings, now: Instant) -> Self {
        Self {
            phase: Phase::Handshaking { since: now },
            protocol: None,
            binary,
            partial: Vec::new(),
            received: now,
            sent: now,
            pings: false,
            budget: Budget::new(settings.invocations_per_minute, now),
        }
    }

    /// The protocol agreed on, once the handshake is done; also after the end.
    #[must_use]
    pub fn protocol(&self) -> Option<Protocol> {
        self.protocol
    }

    /// Whether the handshake is done and the end has not come.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
    }

    /// Takes bytes from the client; they may hold any part of a message or many of them.
    pub fn receive(
        &mut self,
        bytes: &[u8],
        settings: &Settings,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        self.received = now;
        if self.partial.is_empty() {
            let used = self.consume(bytes, settings, now, actions);
            self.keep(&bytes[used..]);
        } else {
            let mut joined = std::mem::take(&mut self.partial);
            joined.extend_from_slice(bytes);
            let used = self.consume(&joined, settings, now, actions);
            self.keep(&joined[used..]);
        }
    }

    fn keep(&mut self, rest: &[u8]) {
        if !matches!(self.phase, Phase::Ended) {
            self.partial.extend_from_slice(rest);
        }
    }

    /// Handles all whole messages at the front of `bytes`; returns how many bytes they took.
    fn consume(
        &mut self,
        bytes: &[u8],
        settings: &Settings,
        now: Instant,
        actions: &mut Vec<Action>,
    ) -> usize {
        let mut used = 0;
        loop {
            let step = match self.phase {
                Phase::Handshaking { .. } => self.shake_hands(&bytes[used..], settings, actions),
                Phase::Open(protocol) => {
                    self.take_message(protocol, &bytes[used..], settings, now, actions)
                }
                Phase::Ended => 0,
            };
            if step == 0 {
                return used;
            }
            used += step;
        }
    }

    fn shake_hands(
        &mut self,
        bytes: &[u8],
        settings: &Settings,
        actions: &mut Vec<Action>,
    ) -> usize {
        let request = handshake::Request::parse(bytes, settings.message_bytes).and_then(|parsed| {
            if let Some((request, _)) = &parsed {
                request.require_transfer_format(self.binary)?;
            }
            Ok(parsed)
        });
        match request {
            Ok(None) => 0,
            Ok(Some((request, consumed))) => {
                self.phase = Phase::Open(request.protocol);
                self.protocol = Some(request.protocol);
                actions.push(Action::Send(handshake::ACCEPTED.to_vec()));
                actions.push(Action::Opened(request.protocol));
                consumed
            }
            Err(error) => {
                actions.push(Action::Send(error.answer()));
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
        now: Instant,
        actions: &mut Vec<Action>,
    ) -> usize {
        let frame = match protocol.split(bytes, settings.message_bytes) {
            Ok(None) => return 0,
            Ok(Some(frame)) => frame,
            Err(error) => {
                self.close(reason_for(&error), actions);
                return 0;
            }
        };
        match protocol.decode(frame.body) {
            Ok(Decoded::Message { message, .. }) => self.act_on(message, settings, now, actions),
            Ok(Decoded::BindingFailure(failure)) => {
                if let Some(answer) = failure.into_completion(true) {
                    actions.push(Action::Send(encode(protocol, &answer)));
                }
            }
            Ok(Decoded::Ignored { .. }) => {}
            Err(error) => self.close(reason_for(&error), actions),
        }
        frame.consumed
    }

    fn act_on(
        &mut self,
        message: Message<'_>,
        settings: &Settings,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let Phase::Open(protocol) = self.phase else { return };
        match message {
            Message::Invocation { invocation_id, target, arguments, .. } => {
                let call = if self.budget.take(now) {
                    HubMethod::parse(&target, &arguments)
                } else {
                    Err(over_budget(settings, &self.budget))
                };
                match call {
                    Ok(method) => actions.push(Action::Invoke(Invocation {
                        id: invocation_id.map(|id| id.into_owned()),
                        method,
                    })),
                    Err(error) => self.refuse(protocol, invocation_id.as_deref(), error, actions),
                }
            }
            Message::StreamInvocation { invocation_id, target, .. } => {
                let error = invocation_error::unknown_method(&target);
                self.refuse(protocol, Some(&invocation_id), error, actions);
            }
            Message::Ping => self.pings = true,
            Message::Close { .. } => self.end(CloseReason::ClientClosed, actions),
            // Nothing is awaited from the client: no client results, no uploads, no stateful reconnect.
            _ => {}
        }
    }

    fn refuse(
        &mut self,
        protocol: Protocol,
        invocation_id: Option<&str>,
        error: String,
        actions: &mut Vec<Action>,
    ) {
        let Some(id) = invocation_id else { return };
        let completion = Message::Completion {
            invocation_id: id.into(),
            outcome: Outcome::Error(error.into()),
        };
        actions.push(Action::Send(encode(protocol, &completion)));
    }

    /// The bytes that answer a call; nothing for a call without an id or on a connection that ended.
    #[must_use]
    pub fn complete(&self, id: Option<&str>, outcome: Outcome<'_>) -> Option<Vec<u8>> {
        let (Phase::Open(protocol), Some(id)) = (&self.phase, id) else { return None };
        let message = Message::Completion { invocation_id: id.into(), outcome };
        Some(encode(*protocol, &message))
    }

    /// Notes that something was sent, so that no Ping is due for a while.
    pub fn sent(&mut self, now: Instant) {
        self.sent = now;
    }

    /// Lets time pass; to be called about once a second.
    pub fn tick(&mut self, settings: &Settings, now: Instant, actions: &mut Vec<Action>) {
        match self.phase {
            Phase::Handshaking { since } => {
                if now.saturating_duration_since(since) >= settings.handshake {
                    actions.push(Action::Send(HandshakeError::Canceled.answer()));
                    self.end(CloseReason::HandshakeTimeout, actions);
                }
            }
            Phase::Open(protocol) => {
                let silent = now.saturating_duration_since(self.received);
                if self.pings && silent >= settings.client_timeout {
                    self.close(CloseReason::ClientTimeout, actions);
                } else if now.saturating_duration_since(self.sent) >= settings.keepalive {
                    self.sent = now;
                    actions.push(Action::Send(encode(protocol, &Message::Ping)));
                }
            }
            Phase::Ended => {}
        }
    }

    /// Ends the connection from the server's side, with the Close message that the reason calls for.
    pub fn close(&mut self, reason: CloseReason, actions: &mut Vec<Action>) {
        match self.phase {
            Phase::Open(protocol) => {
                if let Some(message) = reason.message() {
                    actions.push(Action::Send(encode(protocol, &message)));
                }
            }
            // Before the handshake is answered a Close is no valid message to the client.
            Phase::Handshaking { .. } => {}
            Phase::Ended => return,
        }
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

fn encode(protocol: Protocol, message: &Message<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    protocol.encode(message, &mut bytes);
    bytes
}

fn over_budget(settings: &Settings, budget: &Budget) -> String {
    format!(
        "Too many calls: this connection may make {} a minute. Try again in {} s.",
        settings.invocations_per_minute,
        budget.wait().as_secs() + 1,
    )
}

fn reason_for(error: &ProtocolError) -> CloseReason {
    match error {
        ProtocolError::TooLong { limit } => CloseReason::MessageTooLarge(*limit),
        other => CloseReason::InvalidMessage(other.to_string()),
    }
}
