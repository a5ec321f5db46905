//! How many requests a node forwards to others at a time, how many of them for one user, and which nodes it skips.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use super::Who;

/// The part of all places that one user, or one address where users have none, may take.
const SHARE: usize = 4;

/// A share of so many is given to everybody, however few places there are: the tabs of one person.
const LEAST_SHARE: usize = 16;

/// How long a node that could not be reached in time counts as gone: each try holds a place while it lasts.
const LEFT_ALONE: Duration = Duration::from_secs(5);

/// How many such nodes are remembered. Only tokens that nodes of the same secret have sealed name one.
const MOST_LEFT_ALONE: usize = 64;

/// The places for forwarded requests; `N` names a node.
#[derive(Debug)]
pub struct Forwards<N> {
    most: usize,
    share: usize,
    all: usize,
    by_owner: HashMap<NonZeroU64, usize>,
    left_alone: HashMap<N, Instant>,
}

/// A user's place; for [`Forwards::give_back`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(Option<NonZeroU64>);

/// There is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPlace {
    /// The node forwards as much as it may.
    Node,
    /// It does so for this user, or for this address.
    User,
}

impl<N: Eq + Hash> Forwards<N> {
    /// At most so many at a time.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let share = (most / SHARE).max(LEAST_SHARE);
        Self { most, share, all: 0, by_owner: HashMap::new(), left_alone: HashMap::new() }
    }

    /// Takes a place.
    ///
    /// # Errors
    /// [`NoPlace`] if all are taken, or too many by the same user.
    pub fn take(&mut self, who: Who) -> Result<Place, NoPlace> {
        let owner = who.user.or(who.address);
        if self.all >= self.most {
            return Err(NoPlace::Node);
        }
        if let Some(owner) = owner {
            let taken = self.by_owner.entry(owner).or_default();
            if *taken >= self.share {
                return Err(NoPlace::User);
            }
            *taken += 1;
        }
        self.all += 1;
        Ok(Place(owner))
    }

    /// Gives a place back.
    pub fn give_back(&mut self, place: Place) {
        self.all = self.all.saturating_sub(1);
        let Some(owner) = place.0 else { return };
        if let Some(taken) = self.by_owner.get_mut(&owner) {
            *taken = taken.saturating_sub(1);
            if *taken == 0 {
                self.by_owner.remove(&owner);
            }
        }
    }

    /// A node could not be reached in time.
    pub fn leave_alone(&mut self, node: N, now: Instant) {
        self.left_alone.retain(|_, until| *until > now);
        if self.left_alone.len() < MOST_LEFT_ALONE {
            self.left_alone.insert(node, now + LEFT_ALONE);
        }
    }

    /// Whether a node could not be reached a moment ago.
    #[must_use]
    pub fn is_left_alone(&self, node: &N, now: Instant) -> bool {
        self.left_alone.get(node).is_some_and(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(number: u64) -> Who {
        Who { user: NonZeroU64::new(number), ..Who::default() }
    }

    #[test]
    fn one_user_takes_a_share_and_leaves_the_rest_to_others() {
        let mut forwards = Forwards::<u8>::new(100);
        let places: Vec<Place> = std::iter::from_fn(|| forwards.take(user(1)).ok()).collect();
        assert_eq!(places.len(), 25);
        assert_eq!(forwards.take(user(1)), Err(NoPlace::User));
        assert!(forwards.take(user(2)).is_ok());
        forwards.give_back(places[0]);
        assert!(forwards.take(user(1)).is_ok());
        let nobody = std::iter::from_fn(|| forwards.take(Who::default()).ok()).count();
        assert_eq!(nobody, 74, "whose user and address are unknown have the bound of the node");
        assert_eq!(forwards.take(user(2)), Err(NoPlace::Node));
    }

    #[test]
    fn connections_without_a_user_count_by_address_and_the_tabs_of_one_person_always_fit() {
        let mut forwards = Forwards::<u8>::new(20);
        let address = Who { address: NonZeroU64::new(7), ..Who::default() };
        assert_eq!(std::iter::from_fn(|| forwards.take(address).ok()).count(), LEAST_SHARE);
        assert_eq!(forwards.take(address), Err(NoPlace::User));
        assert!(forwards.take(Who { user: NonZeroU64::new(8), ..address }).is_ok());
    }

    #[test]
    fn nothing_is_remembered_of_a_connection_without_a_seat() {
        let mut forwards = Forwards::<u8>::new(1000);
        let places: Vec<Place> = (1..=200).filter_map(|number| forwards.take(user(number)).ok()).collect();
        places.into_iter().for_each(|place| forwards.give_back(place));
        assert!(forwards.by_owner.is_empty() && forwards.all == 0);
    }

    #[test]
    fn a_node_that_cannot_be_reached_is_left_alone_for_a_while() {
        let (mut forwards, now) = (Forwards::<usize>::new(100), Instant::now());
        forwards.leave_alone(1, now);
        assert!(forwards.is_left_alone(&1, now + LEFT_ALONE / 2) && !forwards.is_left_alone(&2, now));
        assert!(!forwards.is_left_alone(&1, now + LEFT_ALONE));
        (0..1000).for_each(|node| forwards.leave_alone(node, now));
        assert_eq!(forwards.left_alone.len(), MOST_LEFT_ALONE);
        forwards.leave_alone(5000, now + LEFT_ALONE);
        assert_eq!(forwards.left_alone.len(), 1);
    }
}
