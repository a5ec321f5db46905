//! Writes frames to a client: never masked, never compressed.

/// The kind of a frame (RFC 6455 section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// A further piece of a fragmented message.
    Continuation,
    /// UTF-8 text: the JSON protocol.
    Text,
    /// Bytes: the MessagePack protocol.
    Binary,
    /// The end of the connection.
    Close,
    /// A question whether the other side lives.
    Ping,
    /// The answer to a ping.
    Pong,
}

impl Opcode {
    pub(super) fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }

    fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xa,
        }
    }

    /// Whether frames of this kind may come between the pieces of a message.
    #[must_use]
    pub fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// Why the server closes, as the client's WebSocket API shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseCode {
    /// The hub said Close, or the client did.
    Normal,
    /// The node is going away.
    GoingAway,
    /// The client broke the framing rules.
    ProtocolError,
}

impl CloseCode {
    fn value(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::GoingAway => 1001,
            Self::ProtocolError => 1002,
        }
    }
}

/// Appends the header of an unfragmented frame of `length` payload bytes.
pub fn frame_header(opcode: Opcode, length: usize, out: &mut Vec<u8>) {
    out.push(0x80 | opcode.bits());
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < 126 => out.push(short),
        (_, Ok(medium)) => {
            out.push(126);
            out.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

/// A whole close frame.
#[must_use]
pub fn close_frame(code: CloseCode) -> Vec<u8> {
    let mut out = Vec::with_capacity(4);
    frame_header(Opcode::Close, 2, &mut out);
    out.extend_from_slice(&code.value().to_be_bytes());
    out
}

/// A whole ping frame without a payload: 0x89 is its opcode and the mark of a whole message.
pub const PING: [u8; 2] = [0x89, 0];

/// A whole ping frame with a payload of at most 125 bytes, which its pong repeats.
#[must_use]
pub fn ping_frame(payload: &[u8]) -> Vec<u8> {
    control_frame(Opcode::Ping, payload)
}

/// The answer to a ping: the same payload.
#[must_use]
pub fn pong_frame(payload: &[u8]) -> Vec<u8> {
    control_frame(Opcode::Pong, payload)
}

fn control_frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 + payload.len());
    frame_header(opcode, payload.len(), &mut out);
    out.extend_from_slice(payload);
    out
}
