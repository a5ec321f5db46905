//! The task of a WebSocket: reads what the client sends, and writes what did not fit when it was ready.

use std::io::ErrorKind;
use std::rc::Rc;

use tokio::io::Interest;
use tokio::net::TcpStream;

use super::Shard;
use super::link::{Kind, Link};
use crate::shard::Key;

/// How many buffers are read from one socket before others get a turn.
const READS_PER_TURN: usize = 4;

impl Shard {
    /// Serves a WebSocket until it is done with or another has taken its place.
    pub(super) async fn serve_web_socket(self: Rc<Self>, key: Key, link: Rc<Link>) {
        let Kind::WebSocket(stream) = &link.kind else { return };
        let mut turn = 0;
        self.settle();
        while self.is_current(key, &link) {
            // While an upload has no room nothing more is read, but what waits is written: the method may be waiting for
            // just that.
            let stalled = self.has_stalled_upload(key);
            let (most, waits) = {
                let core = self.core();
                (if stalled { 0 } else { core.may_read(key) }, core.waits(key))
            };
            let interest = match (most > 0, waits) {
                (true, true) => Interest::READABLE | Interest::WRITABLE,
                (true, false) => Interest::READABLE,
                (false, _) => Interest::WRITABLE,
            };
            tokio::select! {
                ready = stream.ready(interest), if most > 0 || waits => match ready {
                    Ok(ready) => {
                        if waits && ready.is_writable() {
                            self.flush(key);
                        }
                        if most > 0 && (ready.is_readable() || ready.is_error()) {
                            turn = if self.read(key, stream, most) { turn + 1 } else { 0 };
                        }
                    }
                    Err(_) => self.core().link_lost(key),
                },
                () = self.feed_upload(key), if stalled => {}
                () = link.wake.notified() => {}
            }
            self.settle();
            if turn >= READS_PER_TURN {
                turn = 0;
                tokio::task::yield_now().await;
            }
        }
    }

    /// Reads once; false if there is nothing to read.
    fn read(&self, key: Key, stream: &TcpStream, most: usize) -> bool {
        let mut buffer = self.read_buffer.borrow_mut();
        match stream.try_read(&mut buffer[..most]) {
            Ok(count @ 1..) => {
                self.core().receive_frames(key, &mut buffer[..count]);
                true
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Ok(_) | Err(_) => {
                self.core().link_lost(key);
                false
            }
        }
    }
}
