//! The writer's queue: bounded in count and in bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use tokio::sync::oneshot;

use super::codec;
use crate::error::PublishError;
use crate::letter::DeadLetter;
use crate::message::{Message, Published};

/// A request to the writer.
pub(super) enum Job {
    Publish(Publish),
    Letter(Letter),
    /// Write what is waiting, then end.
    Close,
    /// Trim everything that may be removed.
    #[cfg(test)]
    Trim(oneshot::Sender<()>),
}

/// A message on its way to the log.
pub(super) struct Publish {
    pub(super) message: Message,
    pub(super) encoded: Vec<u8>,
    pub(super) state_key: Option<Vec<u8>>,
    pub(super) answer: oneshot::Sender<Result<Published, PublishError>>,
}

/// A dead letter on its way to its table.
pub(super) struct Letter {
    pub(super) source: (u32, u64),
    pub(super) encoded: Vec<u8>,
    pub(super) answer: oneshot::Sender<Result<(), PublishError>>,
}

impl Job {
    /// Encodes a message here, so that the writer does not have to.
    pub(super) fn publish(message: Message, answer: oneshot::Sender<Result<Published, PublishError>>) -> Self {
        Self::Publish(Publish {
            encoded: codec::encode(&message),
            state_key: codec::state_key(&message),
            message,
            answer,
        })
    }

    /// Encodes a dead letter.
    pub(super) fn letter(letter: &DeadLetter, answer: oneshot::Sender<Result<(), PublishError>>) -> Self {
        Self::Letter(Letter {
            source: (letter.partition, letter.offset),
            encoded: codec::encode_letter(letter),
            answer,
        })
    }

    pub(super) fn size(&self) -> usize {
        match self {
            Self::Publish(publish) => publish.encoded.len(),
            Self::Letter(letter) => letter.encoded.len(),
            _ => 0,
        }
    }
}

/// A job, and the room that it occupies in the queue until it is answered.
pub(super) struct Entry {
    pub(super) job: Job,
    pub(super) room: Room,
}

/// Bytes occupied in the queue; released on drop.
pub(super) struct Room {
    used: Arc<AtomicUsize>,
    size: usize,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.used.fetch_sub(self.size, Ordering::Relaxed);
    }
}

/// The sending end.
pub(super) struct Queue {
    sender: SyncSender<Entry>,
    used: Arc<AtomicUsize>,
    limit: usize,
}

impl Queue {
    pub(super) fn new(records: usize, bytes: usize) -> (Self, Receiver<Entry>) {
        let (sender, receiver) = sync_channel(records);
        let queue = Self { sender, used: Arc::default(), limit: bytes };
        (queue, receiver)
    }

    /// Adds a job, or refuses it at once if there is no room.
    pub(super) fn push(&self, job: Job) -> Result<(), PublishError> {
        let size = job.size();
        let used = self.used.fetch_add(size, Ordering::Relaxed) + size;
        // Created before the check, so that a refused job releases its room.
        let entry = Entry { job, room: Room { used: Arc::clone(&self.used), size } };
        if used > self.limit {
            return Err(PublishError::NotStored(format!("busy: {} bytes are waiting to be written", used - size)));
        }
        self.sender.try_send(entry).map_err(|refused| match refused {
            TrySendError::Full(_) => PublishError::NotStored("busy: the queue of the log is full".into()),
            TrySendError::Disconnected(_) => closed(),
        })
    }

    /// Asks the writer to end; waits for a place in the queue, not for the end.
    pub(super) fn close(&self) {
        let entry = Entry { job: Job::Close, room: Room { used: Arc::clone(&self.used), size: 0 } };
        // Refused only if the writer has ended before.
        let _ = self.sender.send(entry);
    }
}

pub(super) fn closed() -> PublishError {
    PublishError::NotStored("the log is closed".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Stream;

    fn push(queue: &Queue, body: usize) -> Result<(), PublishError> {
        let (answer, _) = oneshot::channel();
        let message = Message {
            stream: Stream::Events,
            org: None,
            topic: "t".into(),
            key: None,
            id: "i".into(),
            headers: vec![],
            body: vec![0; body].into(),
        };
        queue.push(Job::publish(message, answer))
    }

    #[test]
    fn a_queue_that_is_full_by_count_refuses_and_frees_the_room() {
        let (queue, receiver) = Queue::new(2, 10_000);
        push(&queue, 1).expect("fits");
        push(&queue, 1).expect("fits");
        let refused = push(&queue, 1).expect_err("full");
        assert!(matches!(refused, PublishError::NotStored(_)), "{refused}");
        drop(receiver.recv().expect("an entry"));
        push(&queue, 1).expect("fits again");
        while receiver.try_recv().is_ok() {}
        assert_eq!(queue.used.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_queue_that_is_full_by_bytes_refuses() {
        let (queue, receiver) = Queue::new(100, 1000);
        push(&queue, 900).expect("fits");
        assert!(push(&queue, 200).expect_err("full").to_string().contains("busy"));
        drop(receiver.recv().expect("an entry"));
        push(&queue, 200).expect("fits again");
    }

    #[test]
    fn a_queue_without_its_writer_is_closed() {
        let (queue, receiver) = Queue::new(1, 1000);
        drop(receiver);
        assert!(push(&queue, 1).expect_err("closed").to_string().contains("closed"));
        queue.close();
    }
}
