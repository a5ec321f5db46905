//! WebSocket frames, as a client writes and reads them.

/// A frame of a client; its mask is all zeros, which changes nothing.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match u16::try_from(payload.len()) {
        Ok(short) if short < 126 => bytes.push(0x80 | short as u8),
        Ok(medium) => {
            bytes.push(0x80 | 126);
            bytes.extend(medium.to_be_bytes());
        }
        Err(_) => unreachable!("no message of a run is so long"),
    }
    bytes.extend([0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}

/// Takes the next whole frame of the server out of what was read.
pub(super) fn next_frame(bytes: &mut Vec<u8>) -> Option<(u8, Vec<u8>)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (length, begins) = match second {
        126 => (usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])), 4),
        127 => (usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?, 10),
        short => (usize::from(short), 2),
    };
    if bytes.len() < begins + length {
        return None;
    }
    let payload = bytes[begins..begins + length].to_vec();
    bytes.drain(..begins + length);
    Some((first & 0x0f, payload))
}

/// Counts the frames of a client, however its bytes are cut.
#[derive(Debug, Default)]
pub(super) struct FrameCount {
    head: Vec<u8>,
    /// How many bytes of the frame that has begun are still to come.
    rest: usize,
    pub(super) frames: u64,
}

impl FrameCount {
    pub(super) fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.rest > 0 {
                let some = self.rest.min(bytes.len());
                self.rest -= some;
                bytes = &bytes[some..];
                continue;
            }
            self.head.push(bytes[0]);
            bytes = &bytes[1..];
            let length = match &self.head[..] {
                [_, short] if short & 0x7f < 126 => usize::from(short & 0x7f),
                [_, medium, high, low] if medium & 0x7f == 126 => usize::from(u16::from_be_bytes([*high, *low])),
                _ => continue,
            };
            // The mask comes first.
            self.rest = 4 + length;
            self.head.clear();
            self.frames += 1;
        }
    }
}
