//! Limits request bodies in flight, in number and bytes.

use std::collections::HashMap;
use std::hash::Hash;

/// The sender of a body, as digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The user or the producer, if known.
    pub user: u64,
    /// The connection that it is posted to, if it is.
    pub connection: Option<u128>,
}

/// The bounds of bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyBounds {
    /// The most bodies of one connection at the same time.
    pub of_connection: usize,
    /// The most bodies of one user.
    pub of_user: usize,
    /// The most bytes of one user.
    pub bytes_of_user: usize,
    /// The most bodies of the node.
    pub of_node: usize,
    /// The most bytes of the node.
    pub bytes_of_node: usize,
}

/// Which bound is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyScope {
    /// One connection.
    Connection,
    /// One user.
    User,
    /// The whole node.
    Node,
}

/// There is no room for another body, or for more of this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom(pub BodyScope);

#[derive(Debug, Default, Clone, Copy)]
struct Held {
    bodies: usize,
    bytes: usize,
}

/// The bodies that are on their way, counted.
#[derive(Debug)]
pub struct Bodies {
    bounds: BodyBounds,
    node: Held,
    users: HashMap<u64, Held>,
    connections: HashMap<u128, Held>,
}

impl Bodies {
    /// None yet.
    #[must_use]
    pub fn new(bounds: BodyBounds) -> Self {
        Self { bounds, node: Held::default(), users: HashMap::new(), connections: HashMap::new() }
    }

    /// Other bounds from now on; bodies that have begun count on, also beyond them.
    pub fn set_bounds(&mut self, bounds: BodyBounds) {
        self.bounds = bounds;
    }

    /// A body begins.
    ///
    /// # Errors
    /// [`NoRoom`]; nothing was counted.
    pub fn begin(&mut self, owner: Owner) -> Result<(), NoRoom> {
        let of = |held: Option<&Held>| held.map_or(0, |held| held.bodies);
        let connection = owner.connection.map_or(0, |id| of(self.connections.get(&id)));
        if connection >= self.bounds.of_connection {
            return Err(NoRoom(BodyScope::Connection));
        }
        if of(self.users.get(&owner.user)) >= self.bounds.of_user {
            return Err(NoRoom(BodyScope::User));
        }
        if self.node.bodies >= self.bounds.of_node {
            return Err(NoRoom(BodyScope::Node));
        }
        self.node.bodies += 1;
        self.users.entry(owner.user).or_default().bodies += 1;
        if let Some(id) = owner.connection {
            self.connections.entry(id).or_default().bodies += 1;
        }
        Ok(())
    }

    /// More bytes of a body that has begun.
    ///
    /// # Errors
    /// [`NoRoom`]; they are not counted.
    pub fn grow(&mut self, owner: Owner, bytes: usize) -> Result<(), NoRoom> {
        let of_user = self.users.entry(owner.user).or_default();
        if of_user.bytes + bytes > self.bounds.bytes_of_user {
            return Err(NoRoom(BodyScope::User));
        }
        if self.node.bytes + bytes > self.bounds.bytes_of_node {
            return Err(NoRoom(BodyScope::Node));
        }
        of_user.bytes += bytes;
        self.node.bytes += bytes;
        Ok(())
    }

    /// A body that had so many bytes is done with.
    pub fn end(&mut self, owner: Owner, bytes: usize) {
        self.node.bodies = self.node.bodies.saturating_sub(1);
        self.node.bytes = self.node.bytes.saturating_sub(bytes);
        lessen(&mut self.users, owner.user, bytes);
        if let Some(id) = owner.connection {
            lessen(&mut self.connections, id, 0);
        }
    }
}

fn lessen<K: Eq + Hash>(all: &mut HashMap<K, Held>, key: K, bytes: usize) {
    let Some(held) = all.get_mut(&key) else { return };
    held.bodies = held.bodies.saturating_sub(1);
    held.bytes = held.bytes.saturating_sub(bytes);
    if held.bodies == 0 {
        all.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: BodyBounds =
        BodyBounds { of_connection: 2, of_user: 3, bytes_of_user: 100, of_node: 5, bytes_of_node: 150 };

    fn owner(user: u64, connection: u128) -> Owner {
        Owner { user, connection: Some(connection) }
    }

    #[test]
    fn the_count_is_bounded_for_connection_user_and_node() {
        let mut bodies = Bodies::new(BOUNDS);
        assert!(bodies.begin(owner(1, 1)).is_ok() && bodies.begin(owner(1, 1)).is_ok());
        assert_eq!(bodies.begin(owner(1, 1)), Err(NoRoom(BodyScope::Connection)));
        assert_eq!(bodies.begin(owner(1, 2)), Ok(()));
        assert_eq!(bodies.begin(owner(1, 3)), Err(NoRoom(BodyScope::User)));
        assert_eq!(bodies.begin(Owner { user: 2, connection: None }), Ok(()));
        assert_eq!(bodies.begin(owner(3, 4)), Ok(()));
        assert_eq!(bodies.begin(owner(4, 5)), Err(NoRoom(BodyScope::Node)));
        bodies.end(owner(1, 1), 0);
        assert_eq!(bodies.begin(owner(4, 5)), Ok(()));
    }

    #[test]
    fn the_bytes_are_bounded_for_user_and_node() {
        let mut bodies = Bodies::new(BOUNDS);
        for user in 1..=2 {
            assert_eq!(bodies.begin(owner(user, user.into())), Ok(()));
        }
        assert_eq!(bodies.grow(owner(1, 1), 100), Ok(()));
        assert_eq!(bodies.grow(owner(1, 1), 1), Err(NoRoom(BodyScope::User)));
        assert_eq!(bodies.grow(owner(2, 2), 51), Err(NoRoom(BodyScope::Node)));
        assert_eq!(bodies.grow(owner(2, 2), 50), Ok(()));
        bodies.end(owner(1, 1), 100);
        assert_eq!(bodies.grow(owner(2, 2), 50), Ok(()));
    }

    #[test]
    fn finished_entries_are_forgotten() {
        let mut bodies = Bodies::new(BOUNDS);
        for round in 0..100 {
            assert_eq!(bodies.begin(owner(round, round.into())), Ok(()));
            assert_eq!(bodies.grow(owner(round, round.into()), 60), Ok(()));
            bodies.end(owner(round, round.into()), 60);
        }
        assert!(bodies.users.is_empty() && bodies.connections.is_empty());
        assert_eq!((bodies.node.bodies, bodies.node.bytes), (0, 0));
    }
}
