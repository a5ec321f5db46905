//! Whom the newest notifications have reached on this node, for operators: noted by its shards once per notification and
//! turn, and not once per connection.
//!
//! The places are fixed and written again in a circle, so that a notification allocates nothing.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::connection::ConnectionId;

/// The number under which it is noted whom a notification reaches.
pub type ReachNumber = NonZeroU64;

/// How many places are allocated at a time: a node that sends nothing has none.
const BLOCK: usize = 64;

/// How many blocks there are: a little more than one megabyte.
const BLOCKS: usize = 128;

/// Whom the newest notifications have reached.
#[derive(Debug)]
pub struct Reaches {
    /// How many numbers were given out.
    given: AtomicU64,
    blocks: Box<[OnceLock<Block>]>,
}

type Block = Box<[Mutex<Noted>]>;

#[derive(Debug, Default)]
struct Noted {
    /// Of which notification; none has 0.
    number: u64,
    reached: Reached,
}

/// Whom a notification has reached so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reached {
    /// Whether it was sent to the shards at all: a throttle may hold it, or have replaced it by a newer one.
    pub is_sent: bool,
    /// How many connections it was queued for at once.
    pub at_once: u64,
    /// How many get it once they have caught up.
    pub later: u64,
    /// The connection that took it last, and after how many milliseconds since the broker stored the event.
    pub slowest: Option<(ConnectionId, u64)>,
    /// How many have not taken it yet, of those that are noted: their sockets take nothing more.
    pub waiting: u64,
    /// One of them.
    pub waits: Option<ConnectionId>,
}

impl Default for Reaches {
    fn default() -> Self {
        Self { given: AtomicU64::new(0), blocks: std::iter::repeat_with(OnceLock::new).take(BLOCKS).collect() }
    }
}

impl Reaches {
    /// How many notifications are noted; the oldest is forgotten first.
    pub const MOST: usize = BLOCK * BLOCKS;

    /// The first of so many numbers, which follow each other; only the pipeline asks.
    pub fn begin(&self, count: usize) -> Option<ReachNumber> {
        let given = self.given.fetch_add(count as u64, Ordering::Relaxed);
        for number in (given + 1..).take(count) {
            *self.place(number) = Noted { number, reached: Reached::default() };
        }
        NonZeroU64::new(given + 1).filter(|_| count > 0)
    }

    /// Notes more about a notification, unless it is forgotten.
    pub fn note(&self, number: ReachNumber, change: impl FnOnce(&mut Reached)) {
        let mut noted = self.place(number.get());
        if noted.number == number.get() {
            change(&mut noted.reached);
        }
    }

    /// Whom a notification has reached so far, unless it is forgotten.
    #[must_use]
    pub fn so_far(&self, number: ReachNumber) -> Option<Reached> {
        let noted = self.place(number.get());
        (noted.number == number.get()).then_some(noted.reached)
    }

    fn place(&self, number: u64) -> MutexGuard<'_, Noted> {
        let at = usize::try_from(number % Self::MOST as u64).unwrap_or_default();
        let block =
            self.blocks[at / BLOCK].get_or_init(|| std::iter::repeat_with(Mutex::default).take(BLOCK).collect());
        // Each change leaves it in order, so a panic elsewhere does not spoil it.
        block[at % BLOCK].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reached {
    /// A shard has queued it for so many connections, and for as many keeps it.
    pub fn count(&mut self, at_once: u64, later: u64) {
        self.at_once += at_once;
        self.later += later;
    }

    /// A connection has taken it, so many milliseconds after the broker stored the event.
    pub fn take(&mut self, connection: ConnectionId, millis: u64) {
        if self.slowest.is_none_or(|(_, slowest)| millis > slowest) {
            self.slowest = Some((connection, millis));
        }
    }

    /// A connection does not take it for now.
    pub fn wait(&mut self, connection: ConnectionId) {
        self.waiting += 1;
        self.waits = Some(connection);
    }

    /// A connection that did not take it has taken it, or has ended if no time is given.
    pub fn end_wait(&mut self, connection: ConnectionId, millis: Option<u64>) {
        self.waiting = self.waiting.saturating_sub(1);
        self.waits.take_if(|waits| *waits == connection);
        if let Some(millis) = millis {
            self.take(connection, millis);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_of_all_shards_is_kept_and_who_waits_is_named_until_it_does_not() {
        let (mut reached, id) = (Reached::default(), ConnectionId::from_random);
        for (shard, millis) in [(1, 7), (2, 9), (3, 9)] {
            reached.count(2, 1);
            reached.take(id(shard), millis);
        }
        reached.wait(id(4));
        reached.wait(id(5));
        assert_eq!((reached.at_once, reached.later, reached.slowest), (6, 3, Some((id(2), 9))));
        assert_eq!((reached.waiting, reached.waits), (2, Some(id(5))));
        reached.end_wait(id(5), Some(1200));
        reached.end_wait(id(4), None);
        assert_eq!((reached.slowest, reached.waiting, reached.waits), (Some((id(5), 1200)), 0, None));
    }

    #[test]
    fn the_newest_are_noted_in_fixed_places_and_what_is_said_of_forgotten_ones_spoils_none() {
        let reaches = Reaches::default();
        assert_eq!(reaches.so_far(NonZeroU64::MIN), None);
        let first = reaches.begin(1).expect("a number");
        reaches.note(first, |reached| reached.count(1, 0));
        assert_eq!(reaches.so_far(first).map(|reached| reached.at_once), Some(1));
        assert_eq!(reaches.blocks.iter().filter(|block| block.get().is_some()).count(), 1);
        let numbers: Vec<ReachNumber> = (0..Reaches::MOST).filter_map(|_| reaches.begin(1)).collect();
        assert_eq!((numbers.len(), reaches.so_far(first)), (Reaches::MOST, None));
        reaches.note(first, |reached| reached.count(100, 0));
        assert!(numbers.iter().all(|number| reaches.so_far(*number) == Some(Reached::default())));
        let three = reaches.begin(3).expect("the first of them");
        assert_eq!((reaches.begin(0), reaches.begin(1)), (None, three.checked_add(3)));
        assert!(size_of::<Mutex<Noted>>() <= 160, "{}", size_of::<Mutex<Noted>>());
    }
}
