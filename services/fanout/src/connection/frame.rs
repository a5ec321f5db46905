//! A notification's bytes, encoded once per wire form and shared by all connections.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use fanfare_event::Event;
use fanfare_signalr::Protocol;
use fanfare_signalr::negotiate::Transport;

use crate::route::Route;
use crate::websocket::{Opcode, frame_header};

/// How a transport wraps bytes of the hub protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireForm {
    /// A WebSocket frame: text for JSON, binary for MessagePack.
    WebSocket(Protocol),
    /// A Server-Sent Event; JSON only, as the transport carries no bytes.
    Event,
    /// The body of a poll, without anything around it.
    Body(Protocol),
}

impl WireForm {
    /// The form that a transport takes for a protocol. Before the handshake names one it is JSON.
    #[must_use]
    pub fn of(transport: Transport, protocol: Option<Protocol>) -> Self {
        let protocol = protocol.unwrap_or(Protocol::Json);
        match transport {
            Transport::WebSockets => Self::WebSocket(protocol),
            Transport::ServerSentEvents => Self::Event,
            Transport::LongPolling => Self::Body(protocol),
        }
    }

    pub(crate) fn protocol(self) -> Protocol {
        match self {
            Self::WebSocket(protocol) | Self::Body(protocol) => protocol,
            Self::Event => Protocol::Json,
        }
    }

    /// Wraps bytes of the hub protocol for the wire.
    #[must_use]
    pub fn wrap(self, hub_bytes: &[u8]) -> Vec<u8> {
        let mut wire = Vec::with_capacity(hub_bytes.len() + 12);
        match self {
            Self::WebSocket(protocol) => {
                let opcode = if protocol.is_binary() { Opcode::Binary } else { Opcode::Text };
                frame_header(opcode, hub_bytes.len(), &mut wire);
                wire.extend_from_slice(hub_bytes);
            }
            Self::Event => {
                // JSON has no raw line feed, so one data line holds it all.
                wire.extend_from_slice(b"data: ");
                wire.extend_from_slice(hub_bytes);
                wire.extend_from_slice(b"\r\n\r\n");
            }
            Self::Body(_) => wire.extend_from_slice(hub_bytes),
        }
        wire
    }
}

/// One notification: a route's view of an event, encoded when the first connection of a form needs it.
#[derive(Debug)]
pub struct Frame {
    route: Arc<Route>,
    event: Arc<Event>,
    cursor: Box<str>,
    wires: Wires,
}

/// The bytes of one thing in each wire form, made when the first connection of a form needs them.
#[derive(Debug, Default)]
pub(crate) struct Wires {
    web_socket: PerProtocol,
    event_stream: OnceLock<Bytes>,
    body: PerProtocol,
}

impl Wires {
    /// The bytes of a form; `make` makes them, wrapping included.
    pub(crate) fn get(&self, form: WireForm, make: impl FnOnce() -> Vec<u8>) -> &Bytes {
        let cell = match form {
            WireForm::WebSocket(protocol) => self.web_socket.cell(protocol),
            WireForm::Event => &self.event_stream,
            WireForm::Body(protocol) => self.body.cell(protocol),
        };
        cell.get_or_init(|| Bytes::from(make()))
    }
}

/// One cell for each protocol.
#[derive(Debug, Default)]
struct PerProtocol {
    json: OnceLock<Bytes>,
    message_pack: OnceLock<Bytes>,
}

impl PerProtocol {
    fn cell(&self, protocol: Protocol) -> &OnceLock<Bytes> {
        match protocol {
            Protocol::Json => &self.json,
            Protocol::MessagePack => &self.message_pack,
        }
    }
}

impl Frame {
    /// The notification that `route` makes of `event`, with the cursor that clients keep.
    #[must_use]
    pub fn new(route: &Arc<Route>, event: &Arc<Event>, cursor: &str) -> Self {
        Self { route: Arc::clone(route), event: Arc::clone(event), cursor: cursor.into(), wires: Wires::default() }
    }

    /// The bytes of one wire form; shared, never copied per connection.
    #[must_use]
    #[inline]
    pub fn wire(&self, form: WireForm) -> &Bytes {
        self.wires.get(form, || {
            let arguments = self.route.arguments(&self.event, &self.cursor);
            form.wrap(&form.protocol().push(self.route.target(), &arguments))
        })
    }
}
