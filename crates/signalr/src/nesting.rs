//! How deep values may be nested.

use crate::ProtocolError;

/// How deep arrays and maps may be nested in one field of a message that is read.
///
/// A deeper message is refused, so that no input can exhaust the stack.
pub const MAX_DEPTH: usize = 64;

/// One level further down.
pub(crate) fn deeper(depth: usize) -> Result<usize, ProtocolError> {
    if depth < MAX_DEPTH { Ok(depth + 1) } else { Err(ProtocolError::TooDeep { limit: MAX_DEPTH }) }
}
