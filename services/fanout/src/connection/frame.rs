//! A notification's bytes, made once per wire form and shared by all connections.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use fanfare_event::Event;
use fanfare_signalr::Protocol;

use crate::route::Route;
use crate::websocket::{Opcode, frame_header};

/// How bytes reach a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireForm {
    /// The JSON protocol in a WebSocket text frame.
    WebSocketJson,
    /// The MessagePack protocol in a WebSocket binary frame.
    WebSocketMessagePack,
}

impl WireForm {
    /// The form that WebSockets take for a protocol.
    #[must_use]
    pub fn web_socket(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Json => Self::WebSocketJson,
            Protocol::MessagePack => Self::WebSocketMessagePack,
        }
    }

    fn protocol(self) -> Protocol {
        match self {
            Self::WebSocketJson => Protocol::Json,
            Self::WebSocketMessagePack => Protocol::MessagePack,
        }
    }

    /// Wraps bytes of the hub protocol for the wire.
    #[must_use]
    pub fn wrap(self, hub_bytes: &[u8]) -> Vec<u8> {
        let opcode = match self {
            Self::WebSocketJson => Opcode::Text,
            Self::WebSocketMessagePack => Opcode::Binary,
        };
        let mut wire = Vec::with_capacity(hub_bytes.len() + 10);
        frame_header(opcode, hub_bytes.len(), &mut wire);
        wire.extend_from_slice(hub_bytes);
        wire
    }
}

/// One notification: a route's view of an event, encoded when the first connection of a form needs it.
#[derive(Debug)]
pub struct Frame {
    route: Arc<Route>,
    event: Arc<Event>,
    cursor: Box<str>,
    json: OnceLock<Bytes>,
    message_pack: OnceLock<Bytes>,
}

impl Frame {
    /// What `route` makes of `event`, with the cursor that clients keep.
    #[must_use]
    pub fn new(route: &Arc<Route>, event: &Arc<Event>, cursor: &str) -> Self {
        let (json, message_pack) = (OnceLock::new(), OnceLock::new());
        Self {
            route: Arc::clone(route),
            event: Arc::clone(event),
            cursor: cursor.into(),
            json,
            message_pack,
        }
    }

    /// The bytes of one wire form; shared, never copied per connection.
    #[must_use]
    pub fn wire(&self, form: WireForm) -> &Bytes {
        let cell = match form {
            WireForm::WebSocketJson => &self.json,
            WireForm::WebSocketMessagePack => &self.message_pack,
        };
        cell.get_or_init(|| {
            let arguments = self.route.arguments(&self.event, &self.cursor);
            let hub_bytes = form.protocol().push(self.route.target(), &arguments);
            Bytes::from(form.wrap(&hub_bytes))
        })
    }
}
