//! The two encodings of the hub protocol behind one type.

use std::fmt;

use crate::frame::{self, Frame};
use crate::{Decoded, Message, ProtocolError, Value, json, messagepack};

/// The encoding of a connection's hub messages; the client chooses it in its handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// `json`: text frames.
    Json,
    /// `messagepack`: binary frames.
    MessagePack,
}

impl Protocol {
    /// Every protocol, for tables with one entry each.
    pub const ALL: [Self; 2] = [Self::Json, Self::MessagePack];

    /// The protocol with this name, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| name.eq_ignore_ascii_case(protocol.name()))
    }

    /// The name in the handshake.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::MessagePack => "messagepack",
        }
    }

    /// Whether it needs a transport for bytes, and binary WebSocket messages.
    #[must_use]
    pub fn is_binary(self) -> bool {
        self == Self::MessagePack
    }

    /// Finds the first complete message in `buffer`; none if more bytes are needed.
    ///
    /// `max_length` limits one message without its framing, however many the buffer contains.
    ///
    /// # Errors
    /// [`ProtocolError::TooLong`] as soon as the message is known to be too long, and [`ProtocolError::LengthPrefix`]
    /// if its length is invalid.
    pub fn split(self, buffer: &[u8], max_length: usize) -> Result<Option<Frame<'_>>, ProtocolError> {
        match self {
            Self::Json => frame::split_text(buffer, max_length),
            Self::MessagePack => frame::split_binary(buffer, max_length),
        }
    }

    /// Decodes the message in the body of a frame.
    ///
    /// # Errors
    /// A [`ProtocolError`] ends the connection.
    pub fn decode(self, body: &[u8]) -> Result<Decoded<'_>, ProtocolError> {
        match self {
            Self::Json => json::decode(body),
            Self::MessagePack => messagepack::decode(body),
        }
    }

    /// Appends the message with its framing to `out`.
    ///
    /// A message of 2 GiB or more has no MessagePack form: nothing is appended.
    pub fn encode(self, message: &Message<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Json => {
                json::encode(message, out);
                out.push(frame::RECORD_SEPARATOR);
            }
            Self::MessagePack => frame::prefix_length(out, |out| messagepack::encode(message, out)),
        }
    }

    /// The bytes of an Invocation that wants no answer: encode once, send to many.
    #[must_use]
    pub fn push(self, target: &str, arguments: &[Value<'_>]) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        match self {
            Self::Json => {
                json::encode_push(target, arguments, &mut out);
                out.push(frame::RECORD_SEPARATOR);
            }
            Self::MessagePack => {
                frame::prefix_length(&mut out, |out| messagepack::encode_push(target, arguments, out));
            }
        }
        out
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_case() {
        assert_eq!(Protocol::from_name("JSON"), Some(Protocol::Json));
        assert_eq!(Protocol::from_name("messagepack"), Some(Protocol::MessagePack));
        assert_eq!(Protocol::from_name("blazorpack"), None);
    }

    #[test]
    fn a_push_is_an_invocation_without_id() {
        let arguments = [Value::map([("id", Value::from("1")), ("n", Value::from(7))])];
        for protocol in Protocol::ALL {
            let mut encoded = Vec::new();
            let message = Message::Invocation {
                invocation_id: None,
                target: "toast".into(),
                arguments: arguments.to_vec(),
                stream_ids: Vec::new(),
            };
            protocol.encode(&message, &mut encoded);
            assert_eq!(protocol.push("toast", &arguments), encoded);
        }
    }

    #[test]
    fn the_limit_is_for_one_message_not_for_all_that_came_together() {
        for protocol in Protocol::ALL {
            let one = protocol.push("toast", &[Value::from("hello")]);
            let body = one.len() - 1;
            let together = one.repeat(3);
            let mut rest = &together[..];
            while !rest.is_empty() {
                let frame = protocol.split(rest, body).unwrap().unwrap();
                assert_eq!(frame.body.len(), body);
                rest = &rest[frame.consumed..];
            }
            assert_eq!(protocol.split(&together, body - 1), Err(ProtocolError::TooLong { limit: body - 1 }));
        }
    }
}
