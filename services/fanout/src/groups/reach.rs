//! Whom a notification has reached on this node, for operators: counted by its shards, once per delivery and turn and not
//! once per connection.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::connection::ConnectionId;

/// What all shards say of one notification.
#[derive(Debug, Default)]
pub struct Reach {
    is_sent: AtomicBool,
    at_once: AtomicU64,
    later: AtomicU64,
    slow: Mutex<Slow>,
}

#[derive(Debug, Default)]
struct Slow {
    slowest: Option<(ConnectionId, u64)>,
    waiting: u64,
    waits: Option<ConnectionId>,
}

/// Whom a notification has reached so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reached {
    /// Whether it was sent to the shards at all: a throttle may hold it, or have replaced it by a newer one.
    pub is_sent: bool,
    /// How many connections it was queued for at once.
    pub at_once: u64,
    /// How many get it once they have caught up.
    pub later: u64,
    /// The connection that took it last, and after how many milliseconds since the broker stored the event.
    pub slowest: Option<(ConnectionId, u64)>,
    /// How many have not taken it yet: their sockets take nothing more.
    pub waiting: u64,
    /// One of them.
    pub waits: Option<ConnectionId>,
}

impl Reach {
    /// It goes to the shards, or would if one had a member.
    pub fn send(&self) {
        self.is_sent.store(true, Ordering::Relaxed);
    }

    /// A shard has queued it for so many connections, and for as many keeps it.
    pub fn count(&self, at_once: u64, later: u64) {
        self.at_once.fetch_add(at_once, Ordering::Relaxed);
        if later > 0 {
            self.later.fetch_add(later, Ordering::Relaxed);
        }
    }

    /// A shard has written it to its connections, to this one last.
    pub fn wrote(&self, last: ConnectionId, millis: u64) {
        self.slow().note(last, millis);
    }

    /// A connection does not take it for now.
    pub fn wait(&self, connection: ConnectionId) {
        let mut slow = self.slow();
        slow.waiting += 1;
        slow.waits = Some(connection);
    }

    /// A connection that did not take it has taken it, or has ended if no time is given.
    pub fn end_wait(&self, connection: ConnectionId, millis: Option<u64>) {
        let mut slow = self.slow();
        slow.waiting = slow.waiting.saturating_sub(1);
        slow.waits.take_if(|waits| *waits == connection);
        if let Some(millis) = millis {
            slow.note(connection, millis);
        }
    }

    /// Whom it has reached so far.
    #[must_use]
    pub fn so_far(&self) -> Reached {
        let slow = self.slow();
        Reached {
            is_sent: self.is_sent.load(Ordering::Relaxed),
            at_once: self.at_once.load(Ordering::Relaxed),
            later: self.later.load(Ordering::Relaxed),
            slowest: slow.slowest,
            waiting: slow.waiting,
            waits: slow.waits,
        }
    }

    fn slow(&self) -> MutexGuard<'_, Slow> {
        // Each call leaves it in order, so a panic elsewhere does not spoil it.
        self.slow.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slow {
    fn note(&mut self, connection: ConnectionId, millis: u64) {
        if self.slowest.is_none_or(|(_, slowest)| millis > slowest) {
            self.slowest = Some((connection, millis));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_of_all_shards_is_kept_and_who_waits_is_named_until_it_does_not() {
        let (reach, id) = (Reach::default(), ConnectionId::from_random);
        assert_eq!(reach.so_far(), Reached::default());
        reach.send();
        for (shard, millis) in [(1, 7), (2, 9), (3, 9)] {
            reach.count(2, 1);
            reach.wrote(id(shard), millis);
        }
        reach.wait(id(4));
        reach.wait(id(5));
        let reached = reach.so_far();
        assert_eq!((reached.at_once, reached.later, reached.slowest), (6, 3, Some((id(2), 9))));
        assert_eq!((reached.waiting, reached.waits), (2, Some(id(5))));
        reach.end_wait(id(5), Some(1200));
        reach.end_wait(id(4), None);
        let reached = reach.so_far();
        assert_eq!((reached.slowest, reached.waiting, reached.waits), (Some((id(5), 1200)), 0, None));
    }
}
