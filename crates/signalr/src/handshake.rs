//! The handshake: the first bytes of a connection, always JSON with a record separator.
//!
//! The client names a protocol and a version. The server sends nothing before its answer. The client may send hub
//! messages right after its request, so the rest of the buffer must be kept.

use thiserror::Error;

use crate::frame::{self, RECORD_SEPARATOR};
use crate::{Protocol, ProtocolError, json};

/// The highest version that is accepted.
///
/// Version 2 announces stateful reconnect, and some clients send 0; neither changes the messages on the wire.
pub const MAX_VERSION: i64 = 2;

/// The answer to an accepted request.
///
/// It is sent in the transport's format for the protocol: a binary WebSocket message for MessagePack, though its
/// content is still JSON.
pub const ACCEPTED: &[u8] = b"{}\x1e";

/// The client's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// The protocol of every message after the handshake.
    pub protocol: Protocol,
    /// Its version, 0 to [`MAX_VERSION`].
    pub version: i64,
}

/// Why a handshake fails. Answer with [`HandshakeError::answer`] and close.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HandshakeError {
    /// The client requests an unknown protocol.
    #[error("The protocol '{0}' is not supported.")]
    UnknownProtocol(String),
    /// The client requests an unsupported version.
    #[error("The server does not support version {version} of the '{protocol}' protocol.")]
    UnknownVersion {
        /// The protocol.
        protocol: Protocol,
        /// The requested version.
        version: i64,
    },
    /// The protocol needs bytes, but the transport sends only text.
    #[error(
        "Cannot use the '{0}' protocol on the current transport. The transport does not support 'Binary' transfer format."
    )]
    TextOnly(Protocol),
    /// The client did not send its request in time.
    #[error("Handshake was canceled.")]
    Canceled,
    /// The request cannot be parsed.
    #[error(transparent)]
    Malformed(#[from] ProtocolError),
}

impl HandshakeError {
    /// The answer with the reason, framed.
    #[must_use]
    pub fn answer(&self) -> Vec<u8> {
        let mut out = b"{\"error\":".to_vec();
        json::write_string(&self.to_string(), &mut out);
        out.extend_from_slice(&[b'}', RECORD_SEPARATOR]);
        out
    }
}

impl Request {
    /// Parses a request at the start of `buffer`, and returns its size; none if more bytes are needed.
    ///
    /// # Errors
    /// A request that is too long, not a JSON object, or for something unsupported.
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

    /// Refuses a binary protocol on a transport that sends only text.
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
mod tests;
