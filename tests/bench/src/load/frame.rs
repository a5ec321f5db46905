//! WebSocket frames on the client side: strict, because every byte must be checked.

use anyhow::{Result, bail, ensure};

use super::hub::RECORD_END;

/// Any mask will do where no proxy is attacked.
const MASK: [u8; 4] = [0x5a, 0x17, 0xc3, 0x88];

/// A masked text frame, as clients send them.
pub(crate) fn masked(payload: &[u8]) -> Vec<u8> {
    of(0x81, payload)
}

/// The answer to a ping.
pub(crate) fn pong(payload: &[u8]) -> Vec<u8> {
    of(0x8a, payload)
}

fn of(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap_or(u8::MAX);
    assert!(length < 126, "the load client sends nothing long");
    let mut frame = vec![first, 0x80 | length];
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// A frame from the server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// Whole messages of the hub protocol.
    Text(&'a [u8]),
    /// A WebSocket ping, which any client answers.
    Ping(&'a [u8]),
    /// The end, with its code.
    Close(u16),
}

/// The first frame in `bytes` and its length; `None` until it is complete.
pub(crate) fn read(bytes: &[u8]) -> Result<Option<(Frame<'_>, usize)>> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    ensure!(second & 0x80 == 0, "the server masks its frames");
    let (length, header) = match second & 0x7f {
        126 => {
            let Some(length) = rest.first_chunk().map(|raw| usize::from(u16::from_be_bytes(*raw))) else {
                return Ok(None);
            };
            ensure!(length >= 126, "a length of {length} in more bytes than it needs");
            (length, 4)
        }
        127 => {
            let Some(length) = rest.first_chunk().map(|raw| u64::from_be_bytes(*raw)) else { return Ok(None) };
            ensure!(u16::try_from(length).is_err(), "a length of {length} in more bytes than it needs");
            (usize::try_from(length)?, 10)
        }
        short => (usize::from(short), 2),
    };
    let Some(payload) = bytes.get(header..header + length) else { return Ok(None) };
    let frame = match (first, payload) {
        (0x81, payload) => {
            ensure!(payload.last() == Some(&RECORD_END), "a frame that ends within a message");
            Frame::Text(payload)
        }
        (0x89, payload) if payload.len() < 126 => Frame::Ping(payload),
        (0x88, [high, low, ..]) => Frame::Close(u16::from_be_bytes([*high, *low])),
        _ => bail!("a frame that begins with {first:#04x}"),
    };
    Ok(Some((frame, header + length)))
}

#[cfg(test)]
mod tests {
    use super::super::hub::{HANDSHAKE, PING};
    use super::*;

    fn text(payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0x81, u8::try_from(payload.len()).expect("short")];
        frame.extend_from_slice(payload);
        frame
    }

    #[test]
    fn a_frame_is_whole_or_not_there() {
        let bytes = text(PING);
        assert_eq!(read(&bytes).expect("sound"), Some((Frame::Text(PING), bytes.len())));
        for end in 0..bytes.len() {
            assert_eq!(read(&bytes[..end]).expect("sound"), None, "{end}");
        }
        let mut long = vec![0x81, 126, 1, 0];
        long.extend([b' '; 255]);
        long.push(RECORD_END);
        assert_eq!(read(&long).expect("sound"), Some((Frame::Text(&long[4..]), 260)));
    }

    #[test]
    fn a_ping_is_answered_with_what_it_holds() {
        assert_eq!(read(&[0x89, 1, b'x']).expect("sound"), Some((Frame::Ping(b"x"), 3)));
        assert_eq!(pong(b""), [0x8a, 0x80, 0x5a, 0x17, 0xc3, 0x88]);
    }

    #[test]
    fn what_a_server_must_not_send_is_reported() {
        let half = text(b"{\"type\":6}");
        let wasteful = [0x81, 126, 0, 3, b'{', b'}', RECORD_END];
        let masked = masked(PING);
        let binary = [0x82, 1, RECORD_END];
        let fragment = [0x01, 1, RECORD_END];
        for bytes in [&half[..], &wasteful, &masked, &binary, &fragment] {
            assert!(read(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_mask_is_undone_by_itself() {
        let frame = masked(HANDSHAKE);
        let payload: Vec<u8> = frame[6..].iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        assert_eq!(payload, HANDSHAKE);
    }
}
