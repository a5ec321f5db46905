//! What waits for one socket: empty except after a short write.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;
use smallvec::SmallVec;
use thiserror::Error;

/// How many frames one write takes; more gain nothing (a burst of eight is already at the floor).
pub(crate) const SLICES: usize = 16;

/// The queue of a connection is full: its client does not take what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the connection's queue is full")]
pub(crate) struct Full;

/// The overhead of a frame: its entry here, and what holds the bytes.
pub(crate) const FRAME_OVERHEAD: usize = 96;

/// Frames that wait for a socket, bounded in bytes of memory.
#[derive(Debug, Default)]
pub(crate) struct SendQueue {
    frames: VecDeque<Waiting>,
    /// How much of the first frame is already written.
    written: usize,
    /// The memory of all of them.
    memory: usize,
    /// What the link holds of frames that are no longer here: encrypted, and not taken by its socket yet.
    sealed: usize,
}

#[derive(Debug)]
struct Waiting {
    bytes: Bytes,
    conflation: Option<u64>,
}

impl Waiting {
    fn cost(&self) -> usize {
        self.bytes.len() + FRAME_OVERHEAD
    }
}

impl SendQueue {
    /// Adds a frame at the end. It replaces one that waits with the same conflation key.
    ///
    /// # Errors
    /// [`Full`] if it would exceed `limit` bytes; the queue is then as it was.
    #[inline]
    pub(crate) fn push(&mut self, bytes: Bytes, conflation: Option<u64>, limit: usize) -> Result<(), Full> {
        if conflation.is_some() {
            self.drop_older(conflation);
        }
        // A frame alone in the queue is always accepted: a limit below its size would end every connection.
        let cost = bytes.len() + FRAME_OVERHEAD;
        if !self.frames.is_empty() && self.memory() + cost > limit {
            return Err(Full);
        }
        self.memory += cost;
        self.frames.push_back(Waiting { bytes, conflation });
        Ok(())
    }

    fn drop_older(&mut self, conflation: Option<u64>) {
        // The first frame may be half written and must then be finished.
        let begun = usize::from(self.written > 0);
        let older = self.frames.iter().skip(begun).position(|frame| frame.conflation == conflation);
        if let Some(frame) = older.and_then(|at| self.frames.remove(at + begun)) {
            self.memory -= frame.cost();
        }
    }

    /// What the next write should take.
    #[must_use]
    pub(crate) fn slices(&self) -> SmallVec<[IoSlice<'_>; SLICES]> {
        let skipped = std::iter::once(self.written).chain(std::iter::repeat(0));
        let frames = self.frames.iter().zip(skipped).take(SLICES);
        frames.map(|(frame, skip)| IoSlice::new(&frame.bytes[skip..])).collect()
    }

    /// The rest of the frame that waits, if there is just one.
    #[must_use]
    #[inline]
    pub(crate) fn only(&self) -> Option<&[u8]> {
        match self.frames.len() {
            1 => self.frames.front().map(|frame| &frame.bytes[self.written..]),
            _ => None,
        }
    }

    /// The first frame, which must not be half written.
    #[must_use]
    pub(crate) fn first(&self) -> Option<&Bytes> {
        debug_assert_eq!(self.written, 0, "frames of this link are written whole");
        self.frames.front().map(|frame| &frame.bytes)
    }

    /// Takes everything out, joined.
    pub(crate) fn drain(&mut self) -> Vec<u8> {
        let mut joined = Vec::with_capacity(self.frames.iter().map(|frame| frame.bytes.len()).sum());
        for frame in self.frames.drain(..) {
            joined.extend_from_slice(&frame.bytes);
        }
        self.clear();
        joined
    }

    /// Notes that `count` bytes have been written.
    pub(crate) fn advance(&mut self, count: usize) {
        let mut left = self.written + count;
        while let Some(first) = self.frames.front() {
            if left < first.bytes.len() {
                break;
            }
            left -= first.bytes.len();
            self.memory -= first.cost();
            self.frames.pop_front();
        }
        self.written = left;
        if self.frames.is_empty() && self.frames.capacity() > SLICES {
            self.frames.shrink_to(SLICES);
        }
    }

    /// Drops everything; for a socket that is gone.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether nothing waits.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The memory of what waits, in bytes.
    #[must_use]
    pub(crate) fn memory(&self) -> usize {
        self.memory + self.sealed
    }

    /// The link holds so many bytes of what was written.
    pub(crate) fn set_sealed(&mut self, bytes: usize) {
        self.sealed = bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &mut SendQueue, step: usize) -> String {
        let mut out = Vec::new();
        while !queue.is_empty() {
            let mut left = step;
            for slice in queue.slices() {
                let take = left.min(slice.len());
                out.extend_from_slice(&slice[..take]);
                left -= take;
            }
            queue.advance(step - left);
        }
        assert_eq!(queue.memory(), 0);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn bytes_come_out_in_order_however_short_the_writes() {
        for step in 1..20 {
            let mut queue = SendQueue::default();
            for word in ["one ", "", "two ", "three"] {
                queue.push(Bytes::from_static(word.as_bytes()), None, 1000).expect("room");
            }
            assert_eq!(drain(&mut queue, step), "one two three");
        }
    }

    #[test]
    fn a_newer_frame_replaces_the_one_that_waits() {
        let mut queue = SendQueue::default();
        for (word, key) in [("a1 ", Some(1)), ("b ", None), ("a2 ", Some(1)), ("c ", Some(2))] {
            queue.push(Bytes::from_static(word.as_bytes()), key, 1000).expect("room");
        }
        assert_eq!(drain(&mut queue, 100), "b a2 c ");
    }

    #[test]
    fn a_frame_that_is_half_written_is_finished() {
        let mut queue = SendQueue::default();
        queue.push(Bytes::from_static(b"old "), Some(1), 1000).expect("room");
        queue.advance(2);
        queue.push(Bytes::from_static(b"new"), Some(1), 1000).expect("room");
        assert_eq!(drain(&mut queue, 100), "d new");
    }

    #[test]
    fn a_full_queue_refuses_and_keeps_what_it_has() {
        let mut queue = SendQueue::default();
        queue.push(Bytes::from_static(b"larger than the limit"), None, 4).expect("alone");
        assert_eq!(queue.push(Bytes::from_static(b"x"), None, 4), Err(Full));
        assert_eq!(drain(&mut queue, 7), "larger than the limit");
    }

    #[test]
    fn bytes_that_the_link_holds_count_as_well() {
        let mut queue = SendQueue::default();
        queue.set_sealed(1000);
        queue.push(Bytes::from_static(b"alone"), None, 1000).expect("one is always taken");
        assert_eq!(queue.push(Bytes::from_static(b"x"), None, 1190), Err(Full));
        queue.set_sealed(0);
        queue.push(Bytes::from_static(b"x"), None, 1190).expect("room");
    }

    #[test]
    fn memory_is_counted_and_not_payload() {
        let mut queue = SendQueue::default();
        let taken = (0..10_000).take_while(|_| queue.push(Bytes::new(), None, 10_000).is_ok()).count();
        assert!(taken <= 10_000 / FRAME_OVERHEAD, "{taken} empty frames");
    }
}
