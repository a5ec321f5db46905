//! The task of a WebSocket: reads what the client sends, and later writes what did not fit at once.

use std::io::{ErrorKind, Result};
use std::rc::Rc;

use tokio::io::{Interest, Ready};
use tokio::net::TcpStream;

use super::Shard;
use super::link::{Kind, Link};
use super::secure::{Came, Secure};
use super::stream::Stream;
use crate::shard::{Key, READ};

/// After how many laps of its task another socket gets a turn.
const LAPS_PER_TURN: usize = 4;

impl Shard {
    /// Serves a WebSocket until it is finished or another has replaced it.
    pub(super) async fn serve_web_socket(self: Rc<Self>, key: Key, link: Rc<Link>) {
        let Kind::WebSocket(stream) = &link.kind else { return };
        let mut laps = 0;
        if let Stream::Tls(secure) = stream {
            // Bytes that came right after the request are in the session, and the socket would not announce them.
            self.take_opened(key, secure, READ);
        }
        self.carry_out();
        while self.is_current(key, &link) {
            // While an upload has no room nothing more is read, but what waits is written: the method may be waiting for
            // just that.
            let stalled = self.handlers.has_stalled_upload(key);
            let (most, waits) = {
                let core = self.core();
                (if stalled { 0 } else { core.may_read(key) }, core.waits(key) || stream.waits())
            };
            let interest = match (most > 0, waits) {
                (true, true) => Interest::READABLE | Interest::WRITABLE,
                (true, false) => Interest::READABLE,
                (false, _) => Interest::WRITABLE,
            };
            let woken = async {
                tokio::select! {
                    ready = stream.tcp().ready(interest), if most > 0 || waits => Some(ready),
                    () = link.wake.notified() => None,
                }
            };
            let ready = if stalled {
                // In a box: it is rare, and would make the task of each connection as large.
                Box::pin(async {
                    tokio::select! { ready = woken => ready, () = self.handlers.feed_upload(key) => None }
                })
                .await
            } else {
                woken.await
            };
            // Another socket may have replaced this one meanwhile: its bytes are then not the connection's.
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

    fn serve_ready(self: &Rc<Self>, key: Key, stream: &Stream, ready: Result<Ready>, most: usize, waits: bool) {
        let Ok(ready) = ready else { return self.core().link_lost(key) };
        if waits && ready.is_writable() {
            self.flush(key);
        }
        if most > 0 && (ready.is_readable() || ready.is_error()) {
            self.read(key, stream, most);
        }
    }

    fn read(&self, key: Key, stream: &Stream, most: usize) {
        match stream {
            Stream::Plain(tcp) => self.read_plain(key, tcp, most),
            Stream::Tls(secure) => self.read_secure(key, secure, most),
        }
    }

    fn read_plain(&self, key: Key, tcp: &TcpStream, most: usize) {
        let mut buffer = self.read_buffer.borrow_mut();
        match tcp.try_read(&mut buffer[..most]) {
            Ok(count @ 1..) => self.core().receive_frames(key, &mut buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Ok(_) | Err(_) => self.core().link_lost(key),
        }
    }

    fn read_secure(&self, key: Key, secure: &Secure, most: usize) {
        let mut read = 0;
        while read < most {
            match secure.receive() {
                Ok(Came { dry: true, .. }) => break,
                Ok(Came { bytes, .. }) => {
                    read += bytes;
                    let Some(opened) = self.take_opened(key, secure, most) else { return };
                    self.core().pay_for_sealing(key, bytes.saturating_sub(opened));
                }
                Err(_) => return self.core().link_lost(key),
            }
        }
        let sealed = secure.sealed();
        self.core().set_sealed(key, sealed);
    }

    /// Hands on all that was opened, so that nothing stays in a session whose socket says no more; how many bytes that was,
    /// or none at the end.
    fn take_opened(&self, key: Key, secure: &Secure, most: usize) -> Option<usize> {
        let (mut buffer, mut taken) = (self.read_buffer.borrow_mut(), 0);
        loop {
            match secure.opened(&mut buffer[..most]) {
                Ok(Some(count)) => {
                    taken += count;
                    self.core().receive_frames(key, &mut buffer[..count]);
                }
                Ok(None) => return Some(taken),
                Err(_) => {
                    self.core().link_lost(key);
                    return None;
                }
            }
        }
    }
}
