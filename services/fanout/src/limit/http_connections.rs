//! The TCP connections of a port: how many there are, which of them wait for a request, and which is closed to make
//! room.
//!
//! A connection waits if it has sent no whole request since it was opened or last answered. The one that has waited
//! longest is closed for a new one: an honest client has sent its head by then, and an idle one opens another
//! connection.

use std::collections::BTreeMap;

use slab::Slab;

/// A TCP connection of the port.
pub type HttpKey = usize;

/// As many as there may be, and none of them waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// How many may be closing to make room: so many more than allowed may be open for a moment.
const MOST_LEAVING: usize = 32;

#[derive(Debug, Default)]
struct Entry {
    /// Its place among those that wait, and how many bytes of a head it has sent there.
    waiting: Option<(u64, usize)>,
    /// It is closing to make room.
    leaving: bool,
}

/// The TCP connections of one port.
#[derive(Debug)]
pub struct HttpConnections {
    most: usize,
    most_waiting: usize,
    most_head_bytes: usize,
    entries: Slab<Entry>,
    /// In the order in which they began to wait.
    waiting: BTreeMap<u64, HttpKey>,
    turn: u64,
    head_bytes: usize,
    leaving: usize,
}

impl HttpConnections {
    /// None yet: at most `most`, of which `most_waiting` wait, with `most_head_bytes` of unfinished heads.
    #[must_use]
    pub fn new(most: usize, most_waiting: usize, most_head_bytes: usize) -> Self {
        Self {
            most,
            most_waiting,
            most_head_bytes,
            entries: Slab::new(),
            waiting: BTreeMap::new(),
            turn: 0,
            head_bytes: 0,
            leaving: 0,
        }
    }

    /// How many there are.
    #[must_use]
    pub fn open(&self) -> usize {
        self.entries.len()
    }

    /// A new connection, which waits; returns the one to close for it, if any.
    ///
    /// # Errors
    /// [`Full`] if nobody can give way.
    pub fn arrive(&mut self) -> Result<(HttpKey, Option<HttpKey>), Full> {
        let mut gives_way = None;
        if self.entries.len() >= self.most {
            if self.leaving >= MOST_LEAVING {
                return Err(Full);
            }
            gives_way = Some(self.evict().ok_or(Full)?);
        }
        let key = self.entries.insert(Entry::default());
        let another = self.wait(key);
        Ok((key, gives_way.or(another)))
    }

    /// It waits for a request; returns the one to close if too many wait.
    pub fn wait(&mut self, key: HttpKey) -> Option<HttpKey> {
        let entry = self.entries.get_mut(key).filter(|entry| !entry.leaving)?;
        if entry.waiting.is_none() {
            self.turn += 1;
            entry.waiting = Some((self.turn, 0));
            self.waiting.insert(self.turn, key);
        }
        if self.waiting.len() > self.most_waiting { self.evict() } else { None }
    }

    /// It has sent some bytes; returns the one to close if too many bytes of heads are held.
    pub fn receive(&mut self, key: HttpKey, bytes: usize) -> Option<HttpKey> {
        let (_, sent) = self.entries.get_mut(key)?.waiting.as_mut()?;
        *sent += bytes;
        self.head_bytes += bytes;
        if self.head_bytes <= self.most_head_bytes {
            return None;
        }
        let entries = &self.entries;
        let held = |key: &HttpKey| entries.get(*key).and_then(|entry| entry.waiting).is_some_and(|(_, sent)| sent > 0);
        let longest = self.waiting.values().copied().find(held)?;
        self.give_way(longest);
        Some(longest)
    }

    /// It has sent a whole head.
    pub fn begin(&mut self, key: HttpKey) {
        self.stop_waiting(key);
    }

    /// It is gone.
    pub fn leave(&mut self, key: HttpKey) {
        self.stop_waiting(key);
        let gone = self.entries.try_remove(key);
        self.leaving -= usize::from(gone.is_some_and(|gone| gone.leaving));
    }

    /// The one that has waited longest; counted until it is gone, though it no longer waits.
    fn evict(&mut self) -> Option<HttpKey> {
        let (_, key) = self.waiting.first_key_value()?;
        let key = *key;
        self.give_way(key);
        Some(key)
    }

    fn give_way(&mut self, key: HttpKey) {
        self.stop_waiting(key);
        if let Some(entry) = self.entries.get_mut(key) {
            entry.leaving = true;
            self.leaving += 1;
        }
    }

    fn stop_waiting(&mut self, key: HttpKey) {
        let Some(waiting) = self.entries.get_mut(key).and_then(|entry| entry.waiting.take()) else { return };
        let (turn, sent) = waiting;
        self.waiting.remove(&turn);
        self.head_bytes -= sent;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrive(connections: &mut HttpConnections) -> HttpKey {
        connections.arrive().expect("room").0
    }

    #[test]
    fn the_connection_that_has_waited_longest_is_closed_and_requests_are_not() {
        let mut connections = HttpConnections::new(3, 3, 1000);
        let (first, second, third) = (arrive(&mut connections), arrive(&mut connections), arrive(&mut connections));
        connections.begin(first);
        let (fourth, gives_way) = connections.arrive().expect("the second gives way");
        assert_eq!(gives_way, Some(second));
        connections.leave(second);
        connections.begin(third);
        connections.begin(fourth);
        assert_eq!(connections.arrive(), Err(Full), "all three are in a request");
        assert_eq!(connections.wait(first), None);
        assert_eq!(connections.arrive().map(|(_, gives_way)| gives_way), Ok(Some(first)));
    }

    #[test]
    fn those_that_wait_are_fewer_than_those_that_are_open() {
        let mut connections = HttpConnections::new(10, 2, 1000);
        let first = arrive(&mut connections);
        arrive(&mut connections);
        let (third, gives_way) = connections.arrive().expect("room");
        assert_eq!(gives_way, Some(first));
        connections.begin(third);
        arrive(&mut connections);
        assert_eq!(connections.wait(third).map(|gives_way| gives_way != third), Some(true));
    }

    #[test]
    fn bytes_of_heads_are_bounded_and_the_oldest_unfinished_head_is_dropped() {
        let mut connections = HttpConnections::new(10, 10, 100);
        let (idle, half, new) = (arrive(&mut connections), arrive(&mut connections), arrive(&mut connections));
        assert_eq!(connections.receive(half, 60), None);
        assert_eq!(connections.receive(new, 40), None);
        assert_eq!(connections.receive(new, 1), Some(half), "one that holds nothing frees nothing");
        assert_eq!(connections.receive(new, 59), None);
        connections.begin(new);
        assert_eq!(connections.head_bytes, 0);
        assert_eq!(connections.receive(new, 5000), None, "a body is not a head");
        connections.leave(idle);
        assert_eq!(connections.open(), 2);
    }

    #[test]
    fn closing_connections_that_stay_let_no_more_in() {
        let mut connections = HttpConnections::new(100, 100, 1000);
        let first = arrive(&mut connections);
        let came = (1..1000).filter(|_| connections.arrive().is_ok()).count();
        assert_eq!(came, 99 + MOST_LEAVING);
        connections.leave(first);
        assert!(connections.arrive().is_ok());
    }

    #[test]
    fn nothing_is_left_of_those_that_have_gone() {
        let mut connections = HttpConnections::new(5, 4, 100);
        for _ in 0..1000 {
            let key = arrive(&mut connections);
            connections.receive(key, 7);
            connections.leave(key);
            connections.leave(key);
        }
        assert_eq!((connections.open(), connections.waiting.len(), connections.head_bytes), (0, 0, 0));
    }
}
