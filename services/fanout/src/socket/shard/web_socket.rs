//! The task of a WebSocket: reads what the client sends, and lets the socket go at the end.

use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::Shard;
use super::calls::Items;
use super::tab::Tab;
use crate::connection::{Action, CloseReason};
use crate::websocket::{Received, pong_frame};

/// How many buffers are read from one socket before others get a turn.
const READS_PER_TURN: usize = 4;

impl Shard {
    /// Serves a WebSocket until it is done with or another has taken its place.
    pub(super) async fn serve_web_socket(
        self: Rc<Self>,
        tab: Rc<Tab>,
        stream: Rc<TcpStream>,
        read_ahead: Bytes,
        mut cursor: Option<String>,
    ) {
        let number = tab.sockets.get();
        if !read_ahead.is_empty() {
            self.receive_frames(&tab, &mut read_ahead.to_vec(), &mut cursor);
        }
        loop {
            if tab.sockets.get() != number {
                return;
            }
            let (waits, over, lost) = {
                let state = tab.state.borrow();
                let over = state.ending.as_ref().is_some_and(|ending| ending.over);
                (!state.queue.is_empty(), over, state.socket().is_none())
            };
            if over {
                return self.forget(&tab);
            }
            if lost {
                // A stateful connection without a socket: another one comes, or time runs out.
                tab.wake.notified().await;
                continue;
            }
            // While an upload has no room nothing more is read, but what waits is written: the method may
            // be waiting for just that.
            let stalled = tab.calls.borrow().stalled();
            let reads = stalled.is_none();
            let interest = match (reads, waits) {
                (true, true) => Interest::READABLE | Interest::WRITABLE,
                (true, false) => Interest::READABLE,
                (false, _) => Interest::WRITABLE,
            };
            tokio::select! {
                ready = stream.ready(interest), if reads || waits => match ready {
                    Ok(ready) => {
                        if ready.is_writable() {
                            tab.flush(Instant::now());
                        }
                        if reads && (ready.is_readable() || ready.is_error()) {
                            self.read(&tab, &stream, &mut cursor);
                        }
                    }
                    Err(_) => tab.state.borrow_mut().link_broke(Instant::now()),
                },
                () = feed(&tab, stalled), if !reads => {}
                () = tab.wake.notified() => {}
            }
        }
    }

    /// Gives uploads all that they had no room for, as they get it; a method that ends wants no more.
    pub(super) async fn feed_stalled(&self, tab: &Tab) {
        loop {
            let stalled = tab.calls.borrow().stalled();
            if stalled.is_none() {
                return;
            }
            feed(tab, stalled).await;
        }
    }

    fn read(self: &Rc<Self>, tab: &Rc<Tab>, stream: &TcpStream, cursor: &mut Option<String>) {
        for _ in 0..READS_PER_TURN {
            // Taken out while it is used: what a message causes may read another connection's state.
            let mut buffer = self.read_buffer.take();
            let outcome = stream.try_read(&mut buffer);
            if let Ok(count @ 1..) = outcome {
                self.receive_frames(tab, &mut buffer[..count], cursor);
            }
            self.read_buffer.replace(buffer);
            match outcome {
                Ok(1..) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Ok(0) | Err(_) => {
                    tab.state.borrow_mut().link_broke(Instant::now());
                    return;
                }
            }
        }
    }

    /// Takes bytes of the socket and carries out what they ask for.
    fn receive_frames(self: &Rc<Self>, tab: &Rc<Tab>, bytes: &mut [u8], cursor: &mut Option<String>) {
        let now = Instant::now();
        let mut rest = bytes;
        // Only the end of the stream matters once the connection has ended.
        while !rest.is_empty() && tab.state.borrow().ending.is_none() {
            let mut reader = std::mem::take(&mut tab.state.borrow_mut().reader);
            let outcome = reader.read(rest);
            let (used, reason) = match outcome {
                Ok((used, Some(Received::Data { bytes, .. }))) => {
                    self.receive(tab, bytes, cursor);
                    (used, None)
                }
                Ok((used, Some(Received::Ping(payload)))) => {
                    self.send_wire(tab, Bytes::from(pong_frame(&payload)), false);
                    (used, None)
                }
                Ok((used, Some(Received::Close(_)))) => (used, Some(CloseReason::ClientClosed)),
                Ok((0, None)) => (rest.len(), None),
                Ok((used, Some(Received::Pong) | None)) => (used, None),
                Err(error) => {
                    tracing::debug!(connection = %tab.id, %error, "broken WebSocket framing");
                    (rest.len(), Some(CloseReason::InvalidFrame))
                }
            };
            tab.state.borrow_mut().reader = reader;
            if let Some(reason) = reason {
                self.carry_out(tab, &mut vec![Action::End(reason)], now);
            }
            rest = &mut rest[used..];
        }
        tab.flush(now);
    }
}

/// Hands over the first item that waits once its upload has room. Nothing is lost if this is dropped.
async fn feed(tab: &Tab, stalled: Option<Items>) {
    if let Some(items) = stalled {
        // The room is taken with the item, or there is no reader any more.
        drop(items.reserve().await);
        tab.calls.borrow_mut().unstall(&items);
    }
}
