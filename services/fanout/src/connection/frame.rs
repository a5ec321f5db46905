//! A notification's bytes, made once per wire form and shared by all connections.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use fanfare_signalr::{Message, Protocol, Value};

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

/// A push to clients: target and arguments, encoded when the first connection of a form needs it.
#[derive(Debug, Clone)]
pub struct Frame(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    target: Arc<str>,
    arguments: Vec<Value<'static>>,
    json: OnceLock<Bytes>,
    message_pack: OnceLock<Bytes>,
}

impl Frame {
    /// A push of `target` with these arguments.
    #[must_use]
    pub fn new(target: Arc<str>, arguments: Vec<Value<'static>>) -> Self {
        let (json, message_pack) = (OnceLock::new(), OnceLock::new());
        Self(Arc::new(Inner { target, arguments, json, message_pack }))
    }

    /// The bytes of one wire form; shared, never copied per connection.
    #[must_use]
    pub fn wire(&self, form: WireForm) -> &Bytes {
        let cell = match form {
            WireForm::WebSocketJson => &self.0.json,
            WireForm::WebSocketMessagePack => &self.0.message_pack,
        };
        cell.get_or_init(|| {
            let push = Message::Invocation {
                headers: None,
                invocation_id: None,
                target: (&*self.0.target).into(),
                arguments: self.0.arguments.clone(),
                stream_ids: Vec::new(),
            };
            let mut hub_bytes = Vec::with_capacity(512);
            form.protocol().encode(&push, &mut hub_bytes);
            Bytes::from(form.wrap(&hub_bytes))
        })
    }
}
