//! Limits of connections: counts and rates by user, org, address and node.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use super::bucket::{Rate, TokenBucket};
use super::keyed::KeyedBuckets;

/// The bounds of connections; `None` is no bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectBounds {
    /// The most connections of the node.
    pub node: usize,
    /// The most connections of one user.
    pub user: Option<usize>,
    /// The most connections of one org.
    pub org: Option<usize>,
    /// The most connections from one address.
    pub address: Option<usize>,
    /// How fast the node takes new ones.
    pub node_rate: Option<Rate>,
    /// How fast one user may open them.
    pub user_rate: Option<Rate>,
    /// How fast one address may open them.
    pub address_rate: Option<Rate>,
}

/// Whose connection it is, as digests: unknown and unlimited ones are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Who {
    /// The user, of one realm.
    pub user: Option<NonZeroU64>,
    /// The org.
    pub org: Option<NonZeroU64>,
    /// The address, or its network.
    pub address: Option<NonZeroU64>,
}

/// Why a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectRefusal {
    /// The node has as many as it may have.
    NodeFull,
    /// The user has.
    UserFull,
    /// The org has.
    OrgFull,
    /// The address has.
    AddressFull,
    /// The node has accepted too many recently; with how long to wait.
    NodeRate(Duration),
    /// The user has opened too many lately.
    UserRate(Duration),
    /// The address has.
    AddressRate(Duration),
}

type Counts = HashMap<NonZeroU64, u32>;

/// The connections that there are, counted.
#[derive(Debug)]
pub struct Connects {
    bounds: ConnectBounds,
    open: usize,
    users: Counts,
    orgs: Counts,
    addresses: Counts,
    node_rate: Option<TokenBucket>,
    user_rates: Option<KeyedBuckets>,
    address_rates: Option<KeyedBuckets>,
}

impl Connects {
    /// No connections yet.
    #[must_use]
    pub fn new(bounds: ConnectBounds) -> Self {
        let (user_rates, address_rates) =
            (bounds.user_rate.map(KeyedBuckets::new), bounds.address_rate.map(KeyedBuckets::new));
        Self {
            bounds,
            open: 0,
            users: HashMap::new(),
            orgs: HashMap::new(),
            addresses: HashMap::new(),
            node_rate: None,
            user_rates,
            address_rates,
        }
    }

    /// New bounds from now on. Open connections stay counted, even beyond them; a changed rate starts with a full
    /// budget.
    pub fn set_bounds(&mut self, bounds: ConnectBounds) {
        if self.bounds.user_rate != bounds.user_rate {
            self.user_rates = bounds.user_rate.map(KeyedBuckets::new);
        }
        if self.bounds.address_rate != bounds.address_rate {
            self.address_rates = bounds.address_rate.map(KeyedBuckets::new);
        }
        if self.bounds.node_rate != bounds.node_rate {
            self.node_rate = None;
        }
        self.bounds = bounds;
    }

    /// How many there are.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open
    }

    /// Whether there is room for one more.
    ///
    /// # Errors
    /// The bound that is reached: the narrowest first, so that a client learns what it can change itself.
    pub fn check(&self, who: Who) -> Result<(), ConnectRefusal> {
        let reached = |counts: &Counts, key: Option<NonZeroU64>, most: Option<usize>| match (key, most) {
            (Some(key), Some(most)) => counts.get(&key).is_some_and(|count| *count as usize >= most),
            _ => false,
        };
        if reached(&self.users, who.user, self.bounds.user) {
            Err(ConnectRefusal::UserFull)
        } else if reached(&self.addresses, who.address, self.bounds.address) {
            Err(ConnectRefusal::AddressFull)
        } else if reached(&self.orgs, who.org, self.bounds.org) {
            Err(ConnectRefusal::OrgFull)
        } else if self.open >= self.bounds.node {
            Err(ConnectRefusal::NodeFull)
        } else {
            Ok(())
        }
    }

    /// Pays for one new connection. A connection is paid for once: by its negotiation, or by its opening without one.
    ///
    /// # Errors
    /// The rate that is used up. Other rates are then not charged.
    pub fn pay(&mut self, who: Who, now: Instant) -> Result<(), ConnectRefusal> {
        let (users, addresses) = (self.user_rates.as_ref().zip(who.user), self.address_rates.as_ref().zip(who.address));
        if let Some((buckets, user)) = users {
            buckets.check(user.get(), now).map_err(ConnectRefusal::UserRate)?;
        }
        if let Some((buckets, address)) = addresses {
            buckets.check(address.get(), now).map_err(ConnectRefusal::AddressRate)?;
        }
        if let Some(rate) = self.bounds.node_rate {
            let bucket = self.node_rate.get_or_insert(TokenBucket::full(now));
            bucket.take(rate, now).map_err(ConnectRefusal::NodeRate)?;
        }
        // Looked at above and held since.
        if let Some((buckets, user)) = self.user_rates.as_mut().zip(who.user) {
            buckets.take(user.get(), now).map_err(ConnectRefusal::UserRate)?;
        }
        if let Some((buckets, address)) = self.address_rates.as_mut().zip(who.address) {
            buckets.take(address.get(), now).map_err(ConnectRefusal::AddressRate)?;
        }
        Ok(())
    }

    /// Counts one more.
    ///
    /// # Errors
    /// As [`Self::check`]; nothing was counted.
    pub fn take(&mut self, who: Who) -> Result<(), ConnectRefusal> {
        self.check(who)?;
        self.open += 1;
        for (counts, key) in self.counts(who) {
            if let Some(key) = key {
                *counts.entry(key).or_default() += 1;
            }
        }
        Ok(())
    }

    /// One that was counted is gone.
    pub fn give_back(&mut self, who: Who) {
        self.open = self.open.saturating_sub(1);
        for (counts, key) in self.counts(who) {
            let Some(key) = key else { continue };
            if let Some(count) = counts.get_mut(&key) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(&key);
                }
            }
        }
    }

    fn counts(&mut self, who: Who) -> [(&mut Counts, Option<NonZeroU64>); 3] {
        [(&mut self.users, who.user), (&mut self.orgs, who.org), (&mut self.addresses, who.address)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: ConnectBounds = ConnectBounds {
        node: 10,
        user: Some(3),
        org: Some(5),
        address: Some(4),
        node_rate: None,
        user_rate: None,
        address_rate: None,
    };

    fn who(user: u64, org: u64, address: u64) -> Who {
        Who { user: NonZeroU64::new(user), org: NonZeroU64::new(org), address: NonZeroU64::new(address) }
    }

    #[test]
    fn each_bound_is_named_and_a_client_at_it_leaves_room_for_others() {
        let mut connects = Connects::new(BOUNDS);
        for _ in 0..3 {
            assert_eq!(connects.take(who(1, 1, 1)), Ok(()));
        }
        assert_eq!(connects.take(who(1, 1, 2)), Err(ConnectRefusal::UserFull));
        assert_eq!(connects.take(who(2, 1, 1)), Ok(()));
        assert_eq!(connects.take(who(3, 2, 1)), Err(ConnectRefusal::AddressFull));
        assert_eq!(connects.take(who(3, 1, 2)), Ok(()));
        assert_eq!(connects.take(who(3, 1, 2)), Err(ConnectRefusal::OrgFull));
        for user in 10..15 {
            assert_eq!(connects.take(who(user, user, user)), Ok(()));
        }
        assert_eq!(connects.take(who(20, 20, 20)), Err(ConnectRefusal::NodeFull));
        assert_eq!(connects.open(), 10);
    }

    #[test]
    fn a_connection_that_leaves_makes_room_and_is_forgotten() {
        let mut connects = Connects::new(BOUNDS);
        for _ in 0..100 {
            for _ in 0..3 {
                assert_eq!(connects.take(who(1, 1, 1)), Ok(()));
            }
            assert!(connects.take(who(1, 1, 1)).is_err(), "what is refused is not counted");
            (0..3).for_each(|_| connects.give_back(who(1, 1, 1)));
        }
        assert_eq!(connects.open(), 0);
        assert!(connects.users.is_empty() && connects.orgs.is_empty() && connects.addresses.is_empty());
    }

    #[test]
    fn without_a_bound_or_a_name_nothing_is_refused() {
        let mut connects = Connects::new(ConnectBounds { user: None, org: None, address: None, ..BOUNDS });
        for _ in 0..10 {
            assert_eq!(connects.take(Who::default()), Ok(()));
        }
        assert_eq!(connects.take(Who::default()), Err(ConnectRefusal::NodeFull));
    }

    #[test]
    fn one_user_in_a_loop_uses_up_their_own_rate_and_not_the_nodes() {
        let now = Instant::now();
        let rate = |burst| Some(Rate { burst, every: Duration::from_secs(1) });
        let mut connects = Connects::new(ConnectBounds { node_rate: rate(10), user_rate: rate(4), ..BOUNDS });
        let passed = (0..1000).filter(|_| connects.pay(who(1, 1, 1), now).is_ok()).count();
        assert_eq!(passed, 4);
        assert_eq!(connects.pay(who(1, 1, 1), now), Err(ConnectRefusal::UserRate(Duration::from_secs(1))));
        let passed = (2..1000).filter(|user| connects.pay(who(*user, 1, 1), now).is_ok()).count();
        assert_eq!(passed, 6, "what is left of the node's");
        assert!(matches!(connects.pay(who(5000, 1, 1), now), Err(ConnectRefusal::NodeRate(_))));
        assert_eq!(connects.pay(who(1, 1, 1), now + Duration::from_secs(1)), Ok(()));
    }

    #[test]
    fn one_address_has_a_rate_of_its_own() {
        let now = Instant::now();
        let rate = Some(Rate { burst: 2, every: Duration::from_secs(1) });
        let mut connects = Connects::new(ConnectBounds { address_rate: rate, ..BOUNDS });
        let passed = (1..10).filter(|user| connects.pay(who(*user, 1, 7), now).is_ok()).count();
        assert_eq!(passed, 2);
        assert_eq!(connects.pay(who(1, 1, 8), now), Ok(()));
        assert!(matches!(connects.pay(who(1, 1, 7), now), Err(ConnectRefusal::AddressRate(_))));
    }
}
