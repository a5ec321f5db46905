//! The HTTP side of opening a WebSocket (RFC 6455 section 4.2).

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use thiserror::Error;

/// The constant that RFC 6455 section 1.3 appends to the client's key.
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The request is not a WebSocket opening handshake that can be answered; a fault of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UpgradeError {
    /// Only version 13 exists in practice.
    #[error("Sec-WebSocket-Version must be 13")]
    Version,
    /// The key is missing or not 16 bytes in base64.
    #[error("Sec-WebSocket-Key is missing or not 16 bytes in base64")]
    Key,
}

/// Checks an opening handshake and gives the value of `Sec-WebSocket-Accept`; `None` if the request
/// does not ask for a WebSocket.
///
/// # Errors
/// [`UpgradeError`] if it asks for one in a way that cannot be answered.
pub fn check(headers: &HeaderMap) -> Result<Option<String>, UpgradeError> {
    if !has_token(headers, &header::CONNECTION, "upgrade") || !has_token(headers, &header::UPGRADE, "websocket") {
        return Ok(None);
    }
    let version = headers.get(header::SEC_WEBSOCKET_VERSION).map(http::HeaderValue::as_bytes);
    if version != Some(b"13") {
        return Err(UpgradeError::Version);
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).ok_or(UpgradeError::Key)?.as_bytes();
    match STANDARD.decode(key) {
        Ok(bytes) if bytes.len() == 16 => Ok(Some(accept_key(key))),
        _ => Err(UpgradeError::Key),
    }
}

/// The value of `Sec-WebSocket-Accept` for the client's key. SHA-1 is what the RFC prescribes here; it
/// guards against caches and mistakes, not against attackers.
#[must_use]
pub fn accept_key(key: &[u8]) -> String {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(key);
    context.update(KEY_SUFFIX);
    STANDARD.encode(context.finish())
}

fn has_token(headers: &HeaderMap, name: &header::HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|part| part.trim().eq_ignore_ascii_case(token))
}
