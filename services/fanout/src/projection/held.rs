//! What waits in a throttle, as far as cursors must not claim it.

use std::collections::HashMap;
use std::sync::Arc;

use fanfare_broker::Position;

/// For each hub and partition, the first record that was read and is not sent yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Held(HashMap<Arc<str>, Box<[(u32, u64)]>>);

impl Held {
    /// Takes the first of each partition, by hub.
    pub fn new(hubs: impl IntoIterator<Item = (Arc<str>, Box<[(u32, u64)]>)>) -> Self {
        Self(hubs.into_iter().filter(|(_, firsts)| !firsts.is_empty()).collect())
    }

    /// How far a connection of a hub has been sent everything, if it got all up to a position except what waits (rule
    /// 2.10).
    #[must_use]
    pub fn before(&self, hub: &str, position: Position) -> Position {
        let Some(firsts) = self.0.get(hub) else { return position };
        let told = |(partition, offset): (u32, u64)| {
            let first = firsts.iter().find(|(of, _)| *of == partition).map_or(u64::MAX, |(_, first)| *first);
            // Before the very first record nothing of a partition was sent.
            if offset < first { Some((partition, offset)) } else { first.checked_sub(1).map(|last| (partition, last)) }
        };
        let parts = position.offsets().iter().copied().filter_map(told);
        let before = Position::from_parts(position.incarnation(), parts).with_newest(position.newest());
        if position.is_partial() { before.partial() } else { before }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_ends_before_what_waits_on_its_hub() {
        let held = Held::new([(Arc::from("/a"), Box::from([(0, 5), (2, 0)]))]);
        let position = Position::from_parts(1, [(0, 9), (1, 7), (2, 3)]).with_newest(4);
        let before = held.before("/a", position.clone());
        assert_eq!((before.offsets(), before.newest()), (&[(0, 4), (1, 7)][..], 4));
        assert_eq!(held.before("/b", position.clone()), position);
        let earlier = Position::from_parts(1, [(0, 3)]);
        assert_eq!(held.before("/a", earlier.clone()), earlier);
    }
}
