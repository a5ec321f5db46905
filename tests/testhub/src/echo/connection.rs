//! One raw connection without a WebSocket: a bounded queue from its POSTs to its stream or polls.

use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

/// How many payloads wait for the client; a POST waits for room.
const AHEAD: usize = 64;

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// The sending side.
    pub(super) payloads: mpsc::Sender<Bytes>,
    /// The receiving side.
    pub(super) echoes: Mutex<mpsc::Receiver<Bytes>>,
    /// Whether there has been a poll.
    pub(super) polled: AtomicBool,
    /// Cancelled once it is over.
    pub(super) over: CancellationToken,
}

impl Default for Connection {
    fn default() -> Self {
        let (payloads, echoes) = mpsc::channel(AHEAD);
        let over = CancellationToken::new();
        Self { payloads, echoes: Mutex::new(echoes), polled: AtomicBool::new(false), over }
    }
}

impl Connection {
    /// Ends it; a waiting poll or stream ends too.
    pub(super) fn end(&self) {
        self.over.cancel();
    }
}
