//! Frames as a client writes them, and the parts of a server's that an attacker needs.

/// Continues a message.
pub(crate) const CONTINUATION: u8 = 0;
/// Starts a text message.
pub(crate) const TEXT: u8 = 1;
/// A ping.
pub(crate) const PING: u8 = 9;

/// The opcode of a whole text message from a server.
const WHOLE_TEXT: u8 = 0x81;
const WHOLE_CLOSE: u8 = 0x88;

/// Any mask will do.
const MASK: [u8; 4] = [0x4d, 0x61, 0x73, 0x6b];

/// The end of every hub message.
pub(crate) const RECORD_END: u8 = 0x1e;

/// A masked frame.
pub(crate) fn frame(opcode: u8, last: bool, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![opcode | if last { 0x80 } else { 0 }];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ ..=125), _) => frame.push(0x80 | short),
        (_, Ok(middle)) => {
            frame.push(0x80 | 126);
            frame.extend(middle.to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// A frame from the server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Whole messages of the hub protocol.
    Text(String),
    /// The end, with its code.
    Close(Option<u16>),
    /// A frame that an attacker ignores.
    Other,
}

/// Parses the first frame in `bytes`; none until it is complete.
pub(crate) fn take(bytes: &mut Vec<u8>) -> Option<Told> {
    let [first, second, ..] = **bytes else { return None };
    let (start, length) = match second & 0x7f {
        126 => (4, u64::from(u16::from_be_bytes(*bytes.get(2..4)?.first_chunk()?))),
        127 => (10, u64::from_be_bytes(*bytes.get(2..10)?.first_chunk()?)),
        short => (2, u64::from(short)),
    };
    let end = start + usize::try_from(length).ok()?;
    let payload = bytes.get(start..end)?;
    let told = match first {
        WHOLE_TEXT => Told::Text(String::from_utf8_lossy(payload).into_owned()),
        WHOLE_CLOSE => Told::Close(payload.first_chunk().map(|code| u16::from_be_bytes(*code))),
        _ => Told::Other,
    };
    bytes.drain(..end);
    Some(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_understood_however_its_bytes_are_cut() {
        let mut bytes = vec![0x81, 2, b'{', b'}'];
        bytes.extend([0x8a, 0]);
        bytes.extend([0x88, 2, 3, 0xe8, 0x81]);
        for wanted in [Told::Text("{}".into()), Told::Other, Told::Close(Some(1000))] {
            assert_eq!(take(&mut bytes), Some(wanted));
        }
        assert_eq!((take(&mut bytes), bytes.len()), (None, 1), "half a frame stays");
    }

    #[test]
    fn a_frame_holds_its_length_in_each_form() {
        for (length, head) in [(0, 2), (125, 2), (126, 4), (65_536, 10)] {
            assert_eq!(frame(TEXT, true, &vec![0; length]).len(), head + 4 + length);
        }
        assert_eq!(frame(CONTINUATION, false, b"")[..2], [0x00, 0x80]);
    }
}
