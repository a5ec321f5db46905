//! The limit for nested values.

use crate::ProtocolError;

/// The largest nesting depth of arrays and maps in one field of a received message.
///
/// A deeper message is refused, so that no input can exhaust the stack.
pub const MAX_DEPTH: usize = 64;

/// One level deeper.
pub(crate) fn deeper(depth: usize) -> Result<usize, ProtocolError> {
    if depth < MAX_DEPTH { Ok(depth + 1) } else { Err(ProtocolError::TooDeep { limit: MAX_DEPTH }) }
}
