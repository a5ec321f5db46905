//! How long a client takes to answer: measured by a ping of its WebSocket when an operator asks, and at no other time.
//!
//! Nothing is kept of connections that nobody asks for, and no delivery pays for it.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Instant;

use bytes::Bytes;
use fanfare_signalr::negotiate::Transport;

use super::{Core, Key, Task};
use crate::connection::ConnectionId;
use crate::websocket::ping_frame;

/// How many clients of a shard may be asked at a time.
const MOST: usize = 1024;

/// Behind more bytes of memory than this a ping would measure what waits, and wait in a queue that is for notifications.
const MUCH_WAITS: usize = 4 * 1024;

/// The number of a ping: its payload, which no client knows before it comes.
pub type PingNumber = u64;

/// The clients that are asked just now.
#[derive(Debug, Default)]
pub(super) struct RoundTrips {
    asked: HashMap<ConnectionId, Asked>,
    pings: u64,
    chance: RandomState,
}

#[derive(Debug)]
struct Asked {
    number: PingNumber,
    since: Instant,
    /// How many wait for the answer.
    waiters: usize,
}

impl Core {
    /// Pings a client. The number by which [`Task::Ponged`] names the answer; none where there is no WebSocket, or it does
    /// not take what it is sent. One that is asked already is not pinged again.
    pub fn ping(&mut self, id: ConnectionId) -> Option<PingNumber> {
        let (key, now) = (self.find(id)?, self.now());
        let tab = self.connections.get(key)?;
        let may_be_asked = tab.transport == Transport::WebSockets && tab.is_linked && tab.ending.is_none();
        if !may_be_asked || tab.connection.protocol().is_none() || tab.queue.memory() > MUCH_WAITS {
            return None;
        }
        let RoundTrips { asked, pings, chance } = &mut self.round_trips;
        if let Some(asked) = asked.get_mut(&id) {
            asked.waiters += 1;
            return Some(asked.number);
        }
        if asked.len() >= MOST {
            return None;
        }
        *pings += 1;
        let number = chance.hash_one(*pings);
        asked.insert(id, Asked { number, since: now, waiters: 1 });
        self.send_wire(key, Bytes::from(ping_frame(&number.to_be_bytes())), false);
        Some(number)
    }

    /// One who waited for the answer to a ping waits no more.
    pub fn give_up_ping(&mut self, id: ConnectionId, number: PingNumber) {
        let asked = &mut self.round_trips.asked;
        let Some(waited) = asked.get_mut(&id).filter(|asked| asked.number == number) else { return };
        waited.waiters -= 1;
        if waited.waiters == 0 {
            asked.remove(&id);
        }
    }

    /// A client has answered a ping, asked or not.
    pub(super) fn take_pong(&mut self, key: Key, payload: &[u8]) {
        let (now, asked) = (self.now(), &mut self.round_trips.asked);
        let Some(tab) = self.connections.get(key).filter(|_| !asked.is_empty()) else { return };
        let is_it = asked.get(&tab.id).is_some_and(|asked| asked.number.to_be_bytes() == payload);
        if is_it && let Some(Asked { number, since, .. }) = asked.remove(&tab.id) {
            self.tasks.push_back(Task::Ponged { number, took: now.saturating_duration_since(since) });
        }
    }
}
