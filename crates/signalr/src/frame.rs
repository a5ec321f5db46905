//! The boundaries of hub messages.
//!
//! JSON ends every message with a record separator. MessagePack puts its length in front, seven bits per byte, the low
//! ones first. Neither depends on the frames of the transport: one WebSocket message may contain several hub messages,
//! or a part of one.

use crate::ProtocolError;

/// The byte that ends a JSON message.
pub(crate) const RECORD_SEPARATOR: u8 = 0x1e;

/// The longest length prefix.
const MAX_PREFIX: usize = 5;

/// The largest length in a prefix: 2 GiB less one.
const MAX_LENGTH: usize = i32::MAX as usize;

/// One complete hub message at the start of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'b> {
    /// The message without its framing.
    pub body: &'b [u8],
    /// Its size in the buffer, including its framing.
    pub consumed: usize,
}

/// Finds the first message that ends with a record separator.
pub(crate) fn split_text(buffer: &[u8], max_length: usize) -> Result<Option<Frame<'_>>, ProtocolError> {
    let searched = &buffer[..buffer.len().min(max_length.saturating_add(1))];
    match memchr::memchr(RECORD_SEPARATOR, searched) {
        Some(end) => Ok(Some(Frame { body: &buffer[..end], consumed: end + 1 })),
        None if buffer.len() > max_length => Err(ProtocolError::TooLong { limit: max_length }),
        None => Ok(None),
    }
}

/// Finds the first message with its length in front.
pub(crate) fn split_binary(buffer: &[u8], max_length: usize) -> Result<Option<Frame<'_>>, ProtocolError> {
    let Some((length, prefix)) = read_length(buffer)? else {
        return Ok(None);
    };
    // Refused before the bytes arrive, so that nothing is buffered in vain.
    if length > max_length {
        return Err(ProtocolError::TooLong { limit: max_length });
    }
    let consumed = prefix + length;
    Ok(buffer.get(prefix..consumed).map(|body| Frame { body, consumed }))
}

/// The length in front of a message and the size of that prefix; none if it is incomplete.
fn read_length(buffer: &[u8]) -> Result<Option<(usize, usize)>, ProtocolError> {
    let mut length = 0;
    for (index, &byte) in buffer.iter().take(MAX_PREFIX).enumerate() {
        // 4 x 7 bits have been read by then: three more make 2 GiB.
        if index == MAX_PREFIX - 1 && byte > 0b111 {
            return Err(ProtocolError::LengthPrefix);
        }
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((length, index + 1)));
        }
    }
    Ok(None)
}

/// Appends the output of `write`, with its length in front.
///
/// A message of 2 GiB or more cannot be framed: it is left out.
pub(crate) fn prefix_length(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    // Most messages need a prefix of one byte; longer ones are moved up by the rest.
    out.push(0);
    write(out);
    let length = out.len() - start - 1;
    if length > MAX_LENGTH {
        out.truncate(start);
        return;
    }
    let (prefix, size) = length_prefix(length);
    if size > 1 {
        let body = start + 1..out.len();
        out.resize(out.len() + size - 1, 0);
        out.copy_within(body, start + size);
    }
    out[start..start + size].copy_from_slice(&prefix[..size]);
}

fn length_prefix(mut length: usize) -> ([u8; MAX_PREFIX], usize) {
    let mut prefix = [0; MAX_PREFIX];
    let mut size = 0;
    loop {
        // Masked to seven bits, which fit.
        prefix[size] = (length & 0x7f) as u8;
        length >>= 7;
        size += 1;
        if length == 0 || size == MAX_PREFIX {
            return (prefix, size);
        }
        prefix[size - 1] |= 0x80;
    }
}

#[cfg(test)]
mod tests;
