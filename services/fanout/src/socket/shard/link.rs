//! The three ways in which a connection's bytes leave.

use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use super::queue::SendQueue;

/// How many frames an event stream hands to the HTTP side ahead of its socket; what it does not take
/// stays in the connection's bounded queue.
pub const EVENTS_AHEAD: usize = 4;

/// The answer to a poll.
#[derive(Debug)]
pub enum PollAnswer {
    /// 200 with hub messages; none for the first poll and for one that ran out of time.
    Messages(Vec<u8>),
    /// 204: the connection is over, or a newer poll has taken this one's place.
    Over,
}

/// Where a connection's bytes go.
#[derive(Debug)]
pub(super) enum Link {
    /// A socket of its own.
    WebSocket(Rc<TcpStream>),
    /// The body of a response that never ends.
    EventStream(mpsc::Sender<Bytes>),
    /// One response per poll.
    LongPolling(Poll),
    /// No way at the moment: a stateful connection whose socket is lost, or one that is over.
    Gone,
}

/// The poll of a long-polling connection.
#[derive(Debug)]
pub(super) struct Poll {
    /// The poll that waits for something to say.
    pub waiting: Option<oneshot::Sender<PollAnswer>>,
    /// Since when there is a poll, or since when there is none.
    pub since: Instant,
    /// Whether there has been a poll at all: the first one opens and nothing else, as its client throws
    /// the body away.
    pub polled: bool,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// Everything is out.
    All,
    /// The rest has to wait.
    Part,
}

impl Link {
    /// Writes what waits, as far as it goes.
    ///
    /// # Errors
    /// The other side is gone.
    pub(super) fn write(&mut self, queue: &mut SendQueue, now: Instant) -> io::Result<Written> {
        match self {
            Self::WebSocket(stream) => write_socket(stream, queue),
            Self::EventStream(events) => write_events(events, queue),
            Self::LongPolling(poll) => Ok(poll.answer(queue, now)),
            Self::Gone => Ok(if queue.is_empty() { Written::All } else { Written::Part }),
        }
    }
}

fn write_socket(stream: &TcpStream, queue: &mut SendQueue) -> io::Result<Written> {
    while !queue.is_empty() {
        let outcome = match &*queue.slices() {
            // One frame is the rule, and a plain write is cheaper than a vectored one: 7% of the node's CPU in a
            // broadcast to 1,000 tabs.
            [one] => stream.try_write(one),
            many => stream.try_write_vectored(many),
        };
        match outcome {
            Ok(written) => queue.advance(written),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Written::Part),
            Err(error) => return Err(error),
        }
    }
    Ok(Written::All)
}

fn write_events(events: &mpsc::Sender<Bytes>, queue: &mut SendQueue) -> io::Result<Written> {
    while let Some(frame) = queue.first() {
        let length = frame.len();
        match events.try_send(frame.clone()) {
            Ok(()) => queue.advance(length),
            Err(TrySendError::Full(_)) => return Ok(Written::Part),
            Err(TrySendError::Closed(_)) => return Err(ErrorKind::BrokenPipe.into()),
        }
    }
    Ok(Written::All)
}

impl Poll {
    /// No poll yet; the client has just had an answer.
    #[must_use]
    pub(super) fn new(now: Instant) -> Self {
        Self { waiting: None, since: now, polled: false }
    }

    /// Answers the poll that waits with all there is to say.
    fn answer(&mut self, queue: &mut SendQueue, now: Instant) -> Written {
        if queue.is_empty() {
            return Written::All;
        }
        let Some(waiting) = self.waiting.take() else { return Written::Part };
        self.since = now;
        let body = queue.drain();
        // A poll whose client has left takes the messages with it, as a socket does that breaks after a
        // write: what it missed is for the resume.
        let _ = waiting.send(PollAnswer::Messages(body));
        Written::All
    }

    /// Takes a new poll; an older one that still waits is told that it is over.
    pub(super) fn take(&mut self, poll: oneshot::Sender<PollAnswer>, now: Instant) {
        self.since = now;
        if !std::mem::replace(&mut self.polled, true) {
            let _ = poll.send(PollAnswer::Messages(Vec::new()));
            return;
        }
        if let Some(older) = self.waiting.replace(poll) {
            let _ = older.send(PollAnswer::Over);
        }
    }

    /// Answers the poll that waits without a message.
    pub(super) fn release(&mut self, answer: PollAnswer, now: Instant) {
        if let Some(waiting) = self.waiting.take() {
            let _ = waiting.send(answer);
        }
        self.since = now;
    }
}
