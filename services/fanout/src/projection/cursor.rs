//! Cursors: positions in the stream as tabs keep them.

use fanfare_broker::Position;
use thiserror::Error;

use crate::seal::{Purpose, Seal};

/// The cursor was not issued by a node with this secret; a fault of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("The cursor was not issued by this server.")]
pub struct UnknownCursor;

/// The position as an opaque, URL-safe text that every node with the same secret reads.
#[must_use]
pub fn seal_cursor(seal: &Seal, position: &Position) -> String {
    let mut payload = Vec::with_capacity(24);
    payload.extend_from_slice(&position.incarnation().to_be_bytes());
    // Variable length: a Kafka topic may have a hundred partitions, and a cursor at most 512 bytes.
    for (partition, offset) in position.offsets() {
        push_varint(u64::from(*partition), &mut payload);
        push_varint(*offset, &mut payload);
    }
    seal.close(Purpose::Cursor, &payload)
}

/// Reads a cursor back.
///
/// # Errors
/// [`UnknownCursor`] for any text that was not issued.
pub fn open_cursor(seal: &Seal, text: &str) -> Result<Position, UnknownCursor> {
    let payload = seal.open(Purpose::Cursor, text).ok_or(UnknownCursor)?;
    let (incarnation, mut rest) = payload.split_first_chunk::<8>().ok_or(UnknownCursor)?;
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let partition = take_varint(&mut rest).ok_or(UnknownCursor)?;
        let offset = take_varint(&mut rest).ok_or(UnknownCursor)?;
        parts.push((u32::try_from(partition).map_err(|_| UnknownCursor)?, offset));
    }
    Ok(Position::from_parts(u64::from_be_bytes(*incarnation), parts))
}

fn push_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_carries_its_position() {
        let seal = Seal::new(b"secret", &[]);
        for parts in [vec![], vec![(0, 7)], vec![(0, u64::MAX), (5, 128), (u32::MAX, 0)]] {
            let position = Position::from_parts(42, parts);
            let cursor = seal_cursor(&seal, &position);
            assert_eq!(open_cursor(&seal, &cursor), Ok(position));
        }
    }

    #[test]
    fn a_cursor_of_forty_partitions_fits_its_limit() {
        let seal = Seal::new(b"secret", &[]);
        let position = Position::from_parts(u64::MAX, (0..40).map(|p| (p, 1 << 40)));
        assert!(seal_cursor(&seal, &position).len() <= crate::seal::MAX_SEALED_BYTES);
    }

    #[test]
    fn what_was_never_issued_is_refused() {
        let seal = Seal::new(b"secret", &[]);
        let cursor = seal_cursor(&Seal::new(b"other", &[]), &Position::start(1));
        for text in ["", "abc", &cursor] {
            assert_eq!(open_cursor(&seal, text), Err(UnknownCursor));
        }
    }
}
