//! The task of a WebSocket: reads what the client sends, and writes what did not fit when it was ready.

use std::io::{ErrorKind, Result};
use std::rc::Rc;

use tokio::io::{Interest, Ready};
use tokio::net::TcpStream;

use super::Shard;
use super::link::{Kind, Link};
use crate::shard::Key;

/// After how many laps of its task another socket gets a turn.
const LAPS_PER_TURN: usize = 4;

impl Shard {
    /// Serves a WebSocket until it is done with or another has taken its place.
    pub(super) async fn serve_web_socket(self: Rc<Self>, key: Key, link: Rc<Link>) {
        let Kind::WebSocket(stream) = &link.kind else { return };
        let mut laps = 0;
        self.carry_out();
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
            let woken = async {
                tokio::select! {
                    ready = stream.ready(interest), if most > 0 || waits => Some(ready),
                    () = link.wake.notified() => None,
                }
            };
            let ready = if stalled {
                // In a box: it is rare, and would make the task of each connection as large.
                Box::pin(async {
                    tokio::select! { ready = woken => ready, () = self.feed_upload(key) => None }
                })
                .await
            } else {
                woken.await
            };
            // Another socket may have taken this one's place meanwhile: what this one says is not the connection's.
            if let Some(ready) = ready
                && self.is_current(key, &link)
            {
                self.serve_ready(key, stream, ready, most, waits);
            }
            self.carry_out();
            laps += 1;
            // A socket that is ready for ever, as a broken one is, must not hold the shard: waiting for readiness takes
            // nothing from a task's budget.
            if laps >= LAPS_PER_TURN {
                laps = 0;
                tokio::task::yield_now().await;
            }
        }
    }

    fn serve_ready(self: &Rc<Self>, key: Key, stream: &TcpStream, ready: Result<Ready>, most: usize, waits: bool) {
        let Ok(ready) = ready else { return self.core().link_lost(key) };
        if waits && ready.is_writable() {
            self.flush(key);
        }
        if most > 0 && (ready.is_readable() || ready.is_error()) {
            self.read(key, stream, most);
        }
    }

    fn read(&self, key: Key, stream: &TcpStream, most: usize) {
        let mut buffer = self.read_buffer.borrow_mut();
        match stream.try_read(&mut buffer[..most]) {
            Ok(count @ 1..) => self.core().receive_frames(key, &mut buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Ok(_) | Err(_) => self.core().link_lost(key),
        }
    }
}
