//! A map with so many entries at most, of which the oldest gives way.

use std::borrow::Borrow;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// A map of at most so many entries: the one that came first gives way to a new one.
#[derive(Debug)]
pub struct OldestFirst<K, V> {
    most: usize,
    entries: HashMap<K, V>,
    /// The keys in the order in which they came.
    order: VecDeque<K>,
}

impl<K: Eq + Hash + Clone, V> OldestFirst<K, V> {
    /// An empty map.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, entries: HashMap::new(), order: VecDeque::new() }
    }

    /// Keeps a value. A new one for a known key takes the place of the last, which is as old as before.
    pub fn insert(&mut self, key: K, value: V) {
        match self.entries.entry(key) {
            Entry::Occupied(mut known) => drop(known.insert(value)),
            Entry::Vacant(place) => {
                self.order.push_back(place.key().clone());
                place.insert(value);
            }
        }
        if self.order.len() > self.most {
            self.forget_oldest();
        }
    }

    /// The value of a key.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.entries.get(key)
    }

    /// Forgets the oldest entries, up to the first that is to stay.
    pub fn forget_while(&mut self, is_over: impl Fn(&V) -> bool) {
        while self.order.front().is_some_and(|oldest| self.entries.get(oldest).is_none_or(&is_over)) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let oldest = self.order.pop_front();
        oldest.and_then(|oldest| self.entries.remove(&oldest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_evicted() {
        let mut map = OldestFirst::new(2);
        for (key, value) in [("a", 1), ("b", 2), ("a", 3), ("c", 4)] {
            map.insert(key, value);
        }
        assert_eq!(["a", "b", "c"].map(|key| map.get(key).copied()), [None, Some(2), Some(4)]);
        assert_eq!((map.entries.len(), map.order.len()), (2, 2));
    }

    #[test]
    fn entries_above_the_bound_are_forgotten_oldest_first() {
        let mut map = OldestFirst::new(9);
        for value in [1, 2, 5, 3] {
            map.insert(value, value);
        }
        map.forget_while(|value| *value < 4);
        assert_eq!([1, 2, 5, 3].map(|key| map.get(&key).is_some()), [false, false, true, true]);
    }
}
