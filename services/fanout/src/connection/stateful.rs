//! Stateful reconnect: counts messages in both directions, so that a socket can be replaced.
//!
//! Both sides number the messages of types 1 to 5 from one, in the order in which they are sent, over all sockets of a
//! connection. Clients differ from the specification's text in one place: a Sequence names the first message that will
//! be sent again, not the next new one.

use std::collections::VecDeque;

use bytes::Bytes;
use thiserror::Error;

/// The overhead of a kept frame.
const FRAME_OVERHEAD: usize = 64;

/// How many bytes of memory a side keeps for the other at the most; the clients keep as many bytes.
pub const UNACKNOWLEDGED_BYTES: usize = 100_000;

/// The client acknowledges too slowly: the connection cannot be kept resumable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the client has not acknowledged {UNACKNOWLEDGED_BYTES} bytes")]
pub struct TooMuch;

/// Messages that were sent and not acknowledged, ready to be sent again with the same bytes.
#[derive(Debug)]
pub struct Unacknowledged {
    frames: VecDeque<Bytes>,
    /// The number of the first frame kept, or of the next one to be sent.
    first: u64,
    memory: usize,
}

impl Default for Unacknowledged {
    fn default() -> Self {
        Self { frames: VecDeque::new(), first: 1, memory: 0 }
    }
}

impl Unacknowledged {
    /// Notes a message that is being sent, also while there is no socket.
    ///
    /// # Errors
    /// [`TooMuch`] if too many bytes are kept; a group send must never wait for one client.
    pub fn push(&mut self, frame: Bytes) -> Result<(), TooMuch> {
        let cost = frame.len() + FRAME_OVERHEAD;
        if self.memory + cost > UNACKNOWLEDGED_BYTES && !self.frames.is_empty() {
            return Err(TooMuch);
        }
        self.memory += cost;
        self.frames.push_back(frame);
        Ok(())
    }

    /// Forgets everything up to the message that the client has; numbers never sent are ignored.
    pub fn acknowledge(&mut self, newest: u64) {
        while self.first <= newest {
            let Some(frame) = self.frames.pop_front() else { return };
            self.memory -= frame.len() + FRAME_OVERHEAD;
            self.first += 1;
        }
    }

    /// The number for a Sequence message: of the first frame that follows it.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.first
    }

    /// The messages to send again, in order.
    pub fn frames(&self) -> impl Iterator<Item = &Bytes> {
        self.frames.iter()
    }
}

/// The client announced a later message than the expected one: some are lost for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("Sequence ID greater than amount of messages we've received.")]
pub struct Gap;

/// Which of the client's messages were received.
#[derive(Debug)]
pub struct Inbound {
    /// The number of the next message on this socket.
    next: u64,
    /// The highest number received.
    taken: u64,
    /// The highest number acknowledged to the client.
    acknowledged: u64,
}

impl Default for Inbound {
    fn default() -> Self {
        Self { next: 1, taken: 0, acknowledged: 0 }
    }
}

impl Inbound {
    /// The client announces the number of its next message.
    ///
    /// # Errors
    /// [`Gap`] if messages are missing.
    pub fn sequence(&mut self, next: u64) -> Result<(), Gap> {
        if next > self.taken + 1 {
            return Err(Gap);
        }
        self.next = next;
        Ok(())
    }

    /// Counts a message; false if it was received before.
    pub fn take(&mut self) -> bool {
        let number = self.next;
        self.next += 1;
        if number <= self.taken {
            return false;
        }
        self.taken = number;
        true
    }

    /// The number for an Ack message, if one is due.
    pub fn acknowledge(&mut self) -> Option<u64> {
        if self.acknowledged == self.taken {
            return None;
        }
        self.acknowledged = self.taken;
        Some(self.taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[test]
    fn what_is_not_acknowledged_is_sent_again_from_its_number_on() {
        let mut sent = Unacknowledged::default();
        assert_eq!(sent.sequence(), 1, "nothing sent: the next is the first");
        for text in ["one", "two", "three"] {
            sent.push(frame(text)).expect("room");
        }
        assert_eq!(sent.sequence(), 1);
        sent.acknowledge(2);
        assert_eq!(sent.sequence(), 3);
        assert_eq!(sent.frames().collect::<Vec<_>>(), [&frame("three")]);
        sent.acknowledge(99);
        assert_eq!(sent.sequence(), 4, "an empty buffer announces the next new message");
        sent.acknowledge(1);
        assert_eq!(sent.sequence(), 4);
    }

    #[test]
    fn a_client_that_never_acknowledges_fills_the_buffer() {
        let mut sent = Unacknowledged::default();
        let big = Bytes::from(vec![0; UNACKNOWLEDGED_BYTES]);
        sent.push(big.clone()).expect("alone");
        assert_eq!(sent.push(frame("x")), Err(TooMuch));
        sent.acknowledge(1);
        sent.push(big).expect("room again");
    }

    #[test]
    fn messages_sent_twice_are_taken_once_over_any_number_of_drops() {
        let mut inbound = Inbound::default();
        assert!(inbound.take() && inbound.take());
        assert_eq!(inbound.acknowledge(), Some(2));
        assert_eq!(inbound.acknowledge(), None);
        for _ in 0..2 {
            inbound.sequence(1).expect("known");
            assert!(!inbound.take() && !inbound.take());
        }
        assert!(inbound.take(), "the third is new");
        assert_eq!(inbound.sequence(5), Err(Gap));
        inbound.sequence(4).expect("the next");
    }
}
