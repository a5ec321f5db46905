//! How a shard empties: it closes its connections one after another, so that they reconnect elsewhere.
//!
//! Connections closed at once would reconnect at once, to nodes that have their own work. Until its turn a connection
//! is like any other: it receives what is published, and its calls are carried out.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use fanfare_signalr::negotiate::Transport;

use super::{Core, Key};
use crate::connection::{CloseReason, ConnectionId};

/// How long a client may take to leave after its Close, and how long a polling client may pause between two polls. One
/// that takes longer is gone, and is no longer waited for.
pub(super) const PARTING: Duration = Duration::from_secs(2);

/// The connections that a draining shard has still to close, and when.
#[derive(Debug)]
pub(super) struct Drain {
    untold: VecDeque<(Key, ConnectionId)>,
    next: Instant,
    pause: Duration,
}

impl Drain {
    /// Closes these from now on, the last of them within `over`.
    fn new(untold: VecDeque<(Key, ConnectionId)>, over: Duration, now: Instant) -> Self {
        let pause = u32::try_from(untold.len()).ok().and_then(|count| over.checked_div(count));
        Self { untold, next: now, pause: pause.unwrap_or_default() }
    }

    /// The next one whose turn has come.
    fn next(&mut self, now: Instant) -> Option<(Key, ConnectionId)> {
        if self.next > now {
            return None;
        }
        self.next += self.pause;
        self.untold.pop_front()
    }

    /// When the next one's turn comes.
    pub(super) fn due(&self) -> Option<Instant> {
        (!self.untold.is_empty()).then_some(self.next)
    }
}

impl Core {
    /// Closes every connection so that it reconnects elsewhere, one after another `over` a time.
    pub fn drain(&mut self, over: Duration) {
        self.look_after_joining();
        let now = self.now();
        let (gone, here): (Vec<Key>, Vec<Key>) =
            self.connections.iter().map(|(key, _)| key).partition(|key| self.polls_no_more(*key));
        // They take nobody's turn.
        for key in gone {
            self.poller_gone(key, CloseReason::Draining);
        }
        let untold = here.into_iter().map(|key| (key, self.connections[key].id)).collect();
        self.draining = Some(Drain::new(untold, over, now));
        self.tell_that_it_drains();
    }

    /// Closes those whose turn has come.
    pub(super) fn tell_that_it_drains(&mut self) {
        let now = self.now();
        while let Some((key, id)) = self.draining.as_mut().and_then(|drain| drain.next(now)) {
            if !self.is(key, id) {
                continue;
            }
            if self.polls_no_more(key) {
                self.poller_gone(key, CloseReason::Draining);
            } else {
                self.close(key, CloseReason::Draining);
            }
        }
    }

    /// Whether a polling client has left: a page that was closed sends nothing.
    fn polls_no_more(&self, key: Key) -> bool {
        self.connections.get(key).is_some_and(|tab| {
            tab.transport == Transport::LongPolling
                && !tab.poll.waits
                && self.now().saturating_duration_since(tab.poll.since) >= PARTING
        })
    }

    /// Whether the shard drains.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(count: u64, over: Duration, now: Instant) -> Drain {
        let untold =
            (0..count).map(|key| (usize::try_from(key).expect("a key"), ConnectionId::from_random(key.into())));
        Drain::new(untold.collect(), over, now)
    }

    /// How many are closed up to a time after the start.
    fn told(drain: &mut Drain, at: Instant) -> usize {
        std::iter::from_fn(|| drain.next(at)).count()
    }

    #[test]
    fn many_closes_are_spread_evenly_over_the_time() {
        let now = Instant::now();
        let mut drain = drain(6000, Duration::from_secs(12), now);
        assert_eq!(drain.due(), Some(now));
        assert_eq!(told(&mut drain, now), 1);
        assert_eq!(told(&mut drain, now + Duration::from_secs(6)), 3000);
        assert_eq!(told(&mut drain, now + Duration::from_secs(12)), 2999);
        assert_eq!(drain.due(), None);
    }

    #[test]
    fn without_time_all_are_closed_at_once() {
        let now = Instant::now();
        assert_eq!(told(&mut drain(500, Duration::ZERO, now), now), 500);
        assert_eq!(told(&mut drain(0, Duration::from_secs(9), now), now), 0);
    }
}
