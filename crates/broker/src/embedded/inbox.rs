//! The receiving end of the queue: it decides which jobs are written together.

use std::mem;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::options::Options;
use super::queue::{Entry, Job};

/// The longest time that a group waits for expected publishers.
const LONGEST_LINGER: Duration = Duration::from_micros(500);

/// What the writer does next.
pub(super) enum Next {
    Group(Vec<Entry>),
    Idle,
    End,
}

/// Collects jobs into groups.
///
/// Publishers that wait for their answer send the next message a moment later. A writer that wrote at once would write
/// half of them while the other half waits, and pay for two fsyncs instead of one. So a group waits for as many jobs as
/// there were at the last fsync, for a small part of the time that the fsync took. A lone publisher never waits.
pub(super) struct Inbox {
    receiver: Receiver<Entry>,
    taken: Vec<Entry>,
    taken_bytes: usize,
    max_records: usize,
    max_bytes: usize,
    expected: usize,
    linger: Duration,
    closing: bool,
}

impl Inbox {
    pub(super) fn new(receiver: Receiver<Entry>, options: &Options) -> Self {
        Self {
            receiver,
            taken: Vec::new(),
            taken_bytes: 0,
            max_records: options.group_records,
            max_bytes: options.group_bytes,
            expected: 0,
            linger: Duration::ZERO,
            closing: false,
        }
    }

    /// The next group; `Idle` if nothing arrives for a while.
    pub(super) fn next(&mut self, patience: Duration) -> Next {
        self.take_waiting();
        if self.taken.is_empty() {
            if self.closing {
                return Next::End;
            }
            match self.receiver.recv_timeout(patience) {
                Ok(entry) => self.take(entry),
                Err(RecvTimeoutError::Timeout) => return Next::Idle,
                Err(RecvTimeoutError::Disconnected) => return Next::End,
            }
            self.take_waiting();
        }
        self.wait_for_expected();
        self.taken_bytes = 0;
        Next::Group(mem::take(&mut self.taken))
    }

    /// Notes that a group was written, before it is answered: publishers that wait now and those answered now are
    /// expected in the next group.
    pub(super) fn written(&mut self, answered: usize, took: Duration) {
        self.take_waiting();
        self.expected = answered + self.taken.len();
        self.linger = (took / 4).min(LONGEST_LINGER);
    }

    fn wait_for_expected(&mut self) {
        let end = Instant::now() + self.linger;
        while self.taken.len() < self.expected && self.has_room() && !self.closing {
            let left = end.saturating_duration_since(Instant::now());
            match self.receiver.recv_timeout(left) {
                Ok(entry) => self.take(entry),
                Err(_) => break,
            }
        }
    }

    fn take_waiting(&mut self) {
        while self.has_room() {
            let Ok(entry) = self.receiver.try_recv() else {
                break;
            };
            self.take(entry);
        }
    }

    fn take(&mut self, entry: Entry) {
        self.closing |= matches!(entry.job, Job::Close);
        self.taken_bytes += entry.job.size();
        self.taken.push(entry);
    }

    fn has_room(&self) -> bool {
        self.taken.len() < self.max_records && self.taken_bytes < self.max_bytes
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::embedded::queue::Queue;
    use crate::message::{Message, Stream};

    const SOON: Duration = Duration::from_millis(1);

    fn inbox(options: &Options) -> (Queue, Inbox) {
        let (queue, receiver) = Queue::new(100, 1 << 20);
        (queue, Inbox::new(receiver, options))
    }

    fn push(queue: &Queue, count: usize) {
        for _ in 0..count {
            let message = Message {
                stream: Stream::Events,
                org: None,
                topic: "t".into(),
                key: None,
                id: "i".into(),
                headers: vec![],
                body: vec![0; 100].into(),
            };
            queue.push(Job::publish(message, oneshot::channel().0)).expect("room");
        }
    }

    fn group(inbox: &mut Inbox) -> usize {
        match inbox.next(SOON) {
            Next::Group(entries) => entries.len(),
            Next::Idle => 0,
            Next::End => panic!("ended"),
        }
    }

    #[test]
    fn a_group_is_bounded_in_count_and_bytes() {
        let (queue, mut few) = inbox(&Options { group_records: 3, ..Options::default() });
        push(&queue, 7);
        assert_eq!([group(&mut few), group(&mut few), group(&mut few), group(&mut few)], [3, 3, 1, 0]);
        let (queue, mut small) = inbox(&Options { group_bytes: 150, ..Options::default() });
        push(&queue, 3);
        assert_eq!([group(&mut small), group(&mut small)], [2, 1]);
    }

    #[test]
    fn expected_publishers_join_the_group() {
        let (queue, mut inbox) = inbox(&Options::default());
        push(&queue, 1);
        assert_eq!(group(&mut inbox), 1);
        // One waits and one is answered; the other returns while the group waits for it.
        push(&queue, 1);
        inbox.written(1, Duration::from_secs(3600));
        inbox.linger = Duration::from_secs(3600);
        let late = std::thread::spawn(move || {
            push(&queue, 1);
            queue
        });
        assert_eq!(group(&mut inbox), 2);
        drop(late.join().expect("no panic"));
    }

    #[test]
    fn a_lone_publisher_never_waits() {
        let (queue, mut inbox) = inbox(&Options::default());
        inbox.written(1, Duration::from_secs(3600));
        inbox.linger = Duration::from_secs(3600);
        push(&queue, 1);
        assert_eq!(group(&mut inbox), 1);
    }

    #[test]
    fn closing_comes_after_what_is_waiting() {
        let (queue, mut inbox) = inbox(&Options { group_records: 2, ..Options::default() });
        inbox.expected = 100;
        inbox.linger = Duration::from_secs(3600);
        push(&queue, 2);
        queue.close();
        push(&queue, 1);
        assert_eq!([group(&mut inbox), group(&mut inbox)], [2, 2]);
        assert!(matches!(inbox.next(SOON), Next::End));
    }
}
