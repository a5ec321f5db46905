//! Reads frames from a client as a stream: a payload is passed on as it arrives.

use thiserror::Error;

use super::writer::Opcode;

/// Longest payload of a control frame (RFC 6455 section 5.5).
const MAX_CONTROL_BYTES: u64 = 125;

/// What the bytes of a client amounted to.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// A piece of a text or binary message, unmasked; `end` with the last piece of the message.
    Data {
        /// The piece; may be empty.
        bytes: &'a [u8],
        /// Whether the message ends with this piece.
        end: bool,
    },
    /// A ping to be answered with the same payload.
    Ping(Vec<u8>),
    /// A pong with its payload; clients send it unasked or in answer, it carries no duty.
    Pong(Vec<u8>),
    /// The client closes; the code it gave, if any.
    Close(Option<u16>),
}

/// A client broke the framing rules; the connection must end with close code 1002.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Reserved bits are set though no extension was agreed.
    #[error("a WebSocket frame has reserved bits set, but no extension was agreed")]
    ReservedBits,
    /// An opcode that RFC 6455 does not define.
    #[error("WebSocket opcode {0} is not defined")]
    UnknownOpcode(u8),
    /// Client frames must be masked.
    #[error("a WebSocket frame from the client is not masked")]
    NotMasked,
    /// A control frame is fragmented or longer than 125 bytes.
    #[error("a WebSocket control frame is fragmented or longer than 125 bytes")]
    BadControl,
    /// A continuation without a start, or a start inside a message.
    #[error("a WebSocket message is continued that was not begun, or begun inside another")]
    BadFragment,
    /// A close frame whose payload is not as RFC 6455 section 5.5.1 wants it.
    #[error("a WebSocket close frame holds one byte, a code that must not be sent, or a reason that is not UTF-8")]
    BadClose,
    /// The length field uses its highest bit.
    #[error("a WebSocket frame announces a length above 2^63")]
    BadLength,
}

/// The state of one client's frame stream.
#[derive(Debug, Default)]
pub struct FrameReader {
    header: [u8; 14],
    header_len: u8,
    /// The frame whose payload is being read, once its header is complete.
    frame: Option<Frame>,
    /// Whether a fragmented data message is open.
    in_message: bool,
    /// The payload of a control frame so far; empty and unallocated almost always.
    control: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    opcode: Opcode,
    fin: bool,
    mask: [u8; 4],
    mask_at: u8,
    left: u64,
}

impl FrameReader {
    /// Reads on in `input`, unmasking in place; returns how many bytes were used and what they gave.
    ///
    /// Call again with the rest until nothing is used and nothing is given. No payload is kept but that
    /// of an unfinished control frame, so there is no limit on a frame here; the hub protocol has one.
    ///
    /// # Errors
    /// [`FrameError`] if the client broke the framing rules; the reader must not be used after that.
    pub fn read<'a>(&mut self, input: &'a mut [u8]) -> Result<(usize, Option<Received<'a>>), FrameError> {
        let mut used = 0;
        if self.frame.is_none() {
            used = self.take_header(input);
            let Some(frame) = self.parse_header()? else {
                return Ok((used, None));
            };
            self.header_len = 0;
            self.frame = Some(frame);
        }
        let Some(mut frame) = self.frame.take() else {
            return Ok((used, None));
        };
        let rest = &mut input[used..];
        let take = usize::try_from(frame.left).map_or(rest.len(), |left| left.min(rest.len()));
        if take == 0 && frame.left > 0 {
            self.frame = Some(frame);
            return Ok((used, None));
        }
        let payload = &mut rest[..take];
        unmask(payload, frame.mask, &mut frame.mask_at);
        frame.left -= take as u64;
        used += take;
        let done = frame.left == 0;
        if !done {
            self.frame = Some(frame);
        }
        Ok((used, self.give(frame, payload, done)?))
    }

    fn give<'a>(&mut self, frame: Frame, payload: &'a [u8], done: bool) -> Result<Option<Received<'a>>, FrameError> {
        if !frame.opcode.is_control() {
            return Ok(Some(Received::Data { bytes: payload, end: done && frame.fin }));
        }
        self.control.extend_from_slice(payload);
        if !done {
            return Ok(None);
        }
        let payload = std::mem::take(&mut self.control);
        Ok(Some(match frame.opcode {
            Opcode::Ping => Received::Ping(payload),
            Opcode::Pong => Received::Pong(payload),
            _ => Received::Close(close_code(&payload)?),
        }))
    }

    /// Moves bytes into the header buffer, no more than the header needs; returns how many.
    fn take_header(&mut self, input: &[u8]) -> usize {
        let mut used = 0;
        while used < input.len() && usize::from(self.header_len) < self.header_size() {
            self.header[usize::from(self.header_len)] = input[used];
            self.header_len += 1;
            used += 1;
        }
        used
    }

    /// How long the header is, as far as its bytes so far tell.
    fn header_size(&self) -> usize {
        if self.header_len < 2 {
            return 2;
        }
        let mask = if self.header[1] & 0x80 == 0 { 0 } else { 4 };
        match self.header[1] & 0x7f {
            126 => 4 + mask,
            127 => 10 + mask,
            _ => 2 + mask,
        }
    }

    fn parse_header(&mut self) -> Result<Option<Frame>, FrameError> {
        let size = self.header_size();
        if usize::from(self.header_len) < size {
            return Ok(None);
        }
        let [first, second, ..] = self.header;
        if first & 0x70 != 0 {
            return Err(FrameError::ReservedBits);
        }
        if second & 0x80 == 0 {
            return Err(FrameError::NotMasked);
        }
        let fin = first & 0x80 != 0;
        let left = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes([self.header[2], self.header[3]])),
            127 => self.header[2..10].iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)),
            short => u64::from(short),
        };
        if left > i64::MAX as u64 {
            return Err(FrameError::BadLength);
        }
        let opcode = self.opcode(first & 0x0f, fin, left)?;
        let mut mask = [0; 4];
        mask.copy_from_slice(&self.header[size - 4..size]);
        Ok(Some(Frame { opcode, fin, mask, mask_at: 0, left }))
    }

    fn opcode(&mut self, bits: u8, fin: bool, length: u64) -> Result<Opcode, FrameError> {
        let opcode = Opcode::from_bits(bits).ok_or(FrameError::UnknownOpcode(bits))?;
        if opcode.is_control() {
            if !fin || length > MAX_CONTROL_BYTES {
                return Err(FrameError::BadControl);
            }
            return Ok(opcode);
        }
        if (opcode == Opcode::Continuation) != self.in_message {
            return Err(FrameError::BadFragment);
        }
        self.in_message = !fin;
        Ok(opcode)
    }
}

/// The code of a close frame's payload, if it has one.
fn close_code(payload: &[u8]) -> Result<Option<u16>, FrameError> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(None) } else { Err(FrameError::BadClose) };
    };
    let code = u16::from_be_bytes(*code);
    // What RFC 6455 section 7.4 and its registry let an endpoint send; 3000 and above are a platform's own.
    let may_be_sent = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
    if may_be_sent && std::str::from_utf8(reason).is_ok() { Ok(Some(code)) } else { Err(FrameError::BadClose) }
}

fn unmask(payload: &mut [u8], mask: [u8; 4], at: &mut u8) {
    for byte in payload {
        *byte ^= mask[usize::from(*at & 3)];
        *at = at.wrapping_add(1);
    }
}
