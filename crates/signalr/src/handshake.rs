//! The handshake: the first bytes of a connection, always JSON with a record separator.
//!
//! The client names a protocol and a version; until the answer is written, nothing else may
//! be. The client may send hub messages right behind its request, so the rest of the buffer
//! must be kept.

use thiserror::Error;

use crate::frame::{self, RECORD_SEPARATOR};
use crate::{Protocol, ProtocolError, json};

/// The highest version that is accepted.
///
/// Version 2 announces stateful reconnect, and some clients send 0; none of them changes the
/// messages on the wire.
pub const MAX_VERSION: i64 = 2;

/// The answer to a request that is accepted.
///
/// It goes out in the transport's own format: a binary WebSocket message for MessagePack,
/// though its content is still JSON.
pub const ACCEPTED: &[u8] = b"{}\x1e";

/// What a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// The protocol of every message after the handshake.
    pub protocol: Protocol,
    /// The version of it, 0 to [`MAX_VERSION`].
    pub version: i64,
}

/// Why a handshake fails. Answer with [`HandshakeError::answer`] and close.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HandshakeError {
    /// The client asks for a protocol that nobody speaks.
    #[error("The protocol '{0}' is not supported.")]
    UnknownProtocol(String),
    /// The client asks for a version that nobody speaks.
    #[error("The server does not support version {version} of the '{protocol}' protocol.")]
    UnknownVersion {
        /// The protocol.
        protocol: Protocol,
        /// The version it asks for.
        version: i64,
    },
    /// The protocol needs bytes and the transport carries text alone.
    #[error(
        "Cannot use the '{0}' protocol on the current transport. The transport does not support 'Binary' transfer format."
    )]
    TextOnly(Protocol),
    /// The client did not send its request in time.
    #[error("Handshake was canceled.")]
    Canceled,
    /// The request cannot be read.
    #[error(transparent)]
    Malformed(#[from] ProtocolError),
}

impl HandshakeError {
    /// The answer that tells the client why, framed.
    #[must_use]
    pub fn answer(&self) -> Vec<u8> {
        let mut out = b"{\"error\":".to_vec();
        json::write_string(&self.to_string(), &mut out);
        out.extend_from_slice(&[b'}', RECORD_SEPARATOR]);
        out
    }
}

impl Request {
    /// Reads a request at the start of `buffer`, and tells how many bytes it takes; nothing
    /// if more are needed.
    ///
    /// # Errors
    /// A request that is too long, no JSON object, or for something that nobody speaks.
    pub fn parse(buffer: &[u8], max_length: usize) -> Result<Option<(Self, usize)>, HandshakeError> {
        let Some(frame) = frame::split_text(buffer, max_length)? else {
            return Ok(None);
        };
        let fields = json::handshake_fields(frame.body)?;
        let protocol = Protocol::from_name(&fields.protocol)
            .ok_or_else(|| HandshakeError::UnknownProtocol(fields.protocol.into_owned()))?;
        if !(0..=MAX_VERSION).contains(&fields.version) {
            return Err(HandshakeError::UnknownVersion { protocol, version: fields.version });
        }
        Ok(Some((Self { protocol, version: fields.version }, frame.consumed)))
    }

    /// Refuses a binary protocol on a transport that carries text alone.
    ///
    /// # Errors
    /// [`HandshakeError::TextOnly`].
    pub fn require_transfer_format(&self, carries_binary: bool) -> Result<(), HandshakeError> {
        if self.protocol.is_binary() && !carries_binary {
            return Err(HandshakeError::TextOnly(self.protocol));
        }
        Ok(())
    }

    /// The request as a client writes it, framed.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        format!("{{\"protocol\":\"{}\",\"version\":{}}}\u{1e}", self.protocol, self.version).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        let framed = format!("{text}\u{1e}");
        Request::parse(framed.as_bytes(), 1024).expect_err(text).to_string()
    }

    #[test]
    fn the_rest_of_the_buffer_is_kept() {
        let buffer = b"{\"protocol\":\"json\",\"version\":1}\x1e{\"type\":6}\x1e";
        let (request, consumed) = Request::parse(buffer, 1024).unwrap().unwrap();
        assert_eq!(request, Request { protocol: Protocol::Json, version: 1 });
        assert_eq!(&buffer[consumed..], b"{\"type\":6}\x1e");
    }

    #[test]
    fn every_version_in_use_is_accepted() {
        for protocol in Protocol::ALL {
            for version in 0..=2 {
                let request = Request { protocol, version };
                let bytes = request.to_bytes();
                assert_eq!(Request::parse(&bytes, 1024), Ok(Some((request, bytes.len()))));
                for cut in 0..bytes.len() {
                    assert_eq!(Request::parse(&bytes[..cut], 1024), Ok(None));
                }
            }
        }
    }

    #[test]
    fn refusals_say_why() {
        assert_eq!(refusal(r#"{"protocol":"x","version":1}"#), "The protocol 'x' is not supported.");
        for version in ["9", "3", "-1"] {
            assert_eq!(
                refusal(&format!(r#"{{"version":{version},"protocol":"json"}}"#)),
                format!("The server does not support version {version} of the 'json' protocol.")
            );
        }
        assert_eq!(refusal(r#"{"version":1}"#), "Missing required property 'protocol'.");
        assert_eq!(refusal(r#"{"protocol":"json"}"#), "Missing required property 'version'.");
        assert_eq!(refusal(r#"{"protocol":1,"version":1}"#), "Expected 'protocol' to be of type String.");
        assert_eq!(refusal(r#"{"protocol":"json","version":"1"}"#), "Expected 'version' to be of type Number.");
        assert_eq!(refusal("[]"), "Unexpected JSON Token Type 'Array'. Expected a JSON Object.");
        assert_eq!(
            Request::parse(&[b' '; 100], 64),
            Err(HandshakeError::Malformed(ProtocolError::TooLong { limit: 64 }))
        );
    }

    #[test]
    fn bytes_need_a_transport_for_bytes() {
        let request = Request { protocol: Protocol::MessagePack, version: 1 };
        assert_eq!(request.require_transfer_format(true), Ok(()));
        let refused = request.require_transfer_format(false).unwrap_err();
        assert_eq!(
            refused.answer(),
            b"{\"error\":\"Cannot use the 'messagepack' protocol on the current transport. \
              The transport does not support 'Binary' transfer format.\"}\x1e"
        );
        assert_eq!(Request { protocol: Protocol::Json, version: 1 }.require_transfer_format(false), Ok(()));
    }

    #[test]
    fn an_answer_is_escaped() {
        let answer = HandshakeError::UnknownProtocol("a\"\u{1e}".into()).answer();
        assert_eq!(answer, b"{\"error\":\"The protocol 'a\\\"\\u001e' is not supported.\"}\x1e");
    }
}
