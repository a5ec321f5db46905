//! The place that a connection takes: counted from its opening request until the connection is gone.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use super::port::Place;
use crate::connection::ConnectionId;
use crate::limit::{ConnectBounds, ConnectRefusal, Connects, Who, of_network};
use crate::vocabulary::Identity;

/// The seats of a node.
#[derive(Debug)]
pub(super) struct Seats {
    rule: Mutex<Connects>,
    /// Keys the digests: nobody outside can make two users count as one.
    keys: RandomState,
    by_address: AtomicBool,
    /// The seats of connections that several requests may open: they share one.
    shared: Mutex<HashMap<ConnectionId, Weak<Taken>>>,
}

/// A taken seat; given back when the last of its clones is dropped.
#[derive(Debug, Clone)]
pub(super) struct Seat(#[expect(dead_code, reason = "kept for its drop")] Arc<Taken>);

#[derive(Debug)]
struct Taken {
    seats: Arc<Seats>,
    who: Who,
    shared_as: Option<ConnectionId>,
}

/// What a connection holds of its node, dropped with the connection.
#[derive(Debug, Default)]
pub struct Hold {
    seat: Option<Seat>,
    /// The place of its socket; of a stateful connection that of the last one.
    place: Mutex<Option<Arc<Place>>>,
}

impl Seats {
    /// All of them are free.
    pub(super) fn new(bounds: ConnectBounds) -> Arc<Self> {
        let by_address = AtomicBool::new(counts_addresses(&bounds));
        let rule = Mutex::new(Connects::new(bounds));
        Arc::new(Self { rule, keys: RandomState::new(), by_address, shared: Mutex::default() })
    }

    /// New bounds from now on; taken seats stay taken.
    pub(super) fn set_bounds(&self, bounds: ConnectBounds) {
        self.by_address.store(counts_addresses(&bounds), Ordering::Relaxed);
        self.rule().set_bounds(bounds);
    }

    /// The user, org and address that a request is counted for.
    pub(super) fn who(&self, identity: Option<&Identity>, address: Option<IpAddr>) -> Who {
        let claims = identity.map(Identity::claims);
        let key = |digest: u64| NonZeroU64::new(digest | 1);
        Who {
            user: claims.and_then(|claims| key(self.keys.hash_one((&claims.realm, &claims.user)))),
            org: claims.and_then(|claims| claims.org.as_ref()).and_then(|org| key(self.keys.hash_one(org))),
            address: address
                .filter(|_| self.by_address.load(Ordering::Relaxed))
                .and_then(|ip| key(self.keys.hash_one(of_network(ip)))),
        }
    }

    /// Whether there is room for one more, as of now.
    pub(super) fn check(&self, who: Who) -> Result<(), ConnectRefusal> {
        self.rule().check(who)
    }

    /// Pays for a new connection.
    pub(super) fn pay(&self, who: Who) -> Result<(), ConnectRefusal> {
        self.rule().pay(who, Instant::now())
    }

    /// Takes a seat for one request.
    pub(super) fn take(self: &Arc<Self>, who: Who) -> Result<Seat, ConnectRefusal> {
        self.rule().take(who)?;
        Ok(Seat(Arc::new(Taken { seats: Arc::clone(self), who, shared_as: None })))
    }

    /// Takes the seat of a connection that more than one request may open; all of them get the same.
    pub(super) fn take_shared(self: &Arc<Self>, id: ConnectionId, who: Who) -> Result<Seat, ConnectRefusal> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = shared.get(&id).and_then(Weak::upgrade) {
            return Ok(Seat(taken));
        }
        self.rule().take(who)?;
        let taken = Arc::new(Taken { seats: Arc::clone(self), who, shared_as: Some(id) });
        shared.insert(id, Arc::downgrade(&taken));
        Ok(Seat(taken))
    }

    /// How many are taken.
    #[cfg(test)]
    pub(super) fn taken(&self) -> usize {
        self.rule().open()
    }

    fn rule(&self) -> MutexGuard<'_, Connects> {
        // Each call leaves the counts in order, so a panic elsewhere does not spoil them.
        self.rule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn counts_addresses(bounds: &ConnectBounds) -> bool {
    bounds.address.is_some() || bounds.address_rate.is_some()
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.seats.rule().give_back(self.who);
        if let Some(id) = self.shared_as {
            let mut shared = self.seats.shared.lock().unwrap_or_else(PoisonError::into_inner);
            // A new seat may have been taken for the same id since the last clone of this one was dropped.
            if shared.get(&id).is_some_and(|taken| taken.strong_count() == 0) {
                shared.remove(&id);
            }
        }
    }
}

impl Hold {
    pub(super) fn new(seat: Option<Seat>) -> Self {
        Self { seat, place: Mutex::default() }
    }

    /// Keeps the place of the connection's own socket.
    pub(super) fn keep(&self, place: Arc<Place>) {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).replace(place);
    }

    /// Another socket has replaced the connection's last one.
    pub(super) fn follow(&self, other: Self) {
        let Self { seat, place } = other;
        drop(seat);
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) =
            place.into_inner().unwrap_or_else(PoisonError::into_inner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seats(node: usize) -> Arc<Seats> {
        Seats::new(ConnectBounds {
            node,
            user: None,
            org: None,
            address: None,
            node_rate: None,
            user_rate: None,
            address_rate: None,
        })
    }

    #[test]
    fn a_seat_is_given_back_when_its_holder_is_gone() {
        let seats = seats(2);
        let (first, second) = (seats.take(Who::default()).expect("room"), seats.take(Who::default()).expect("room"));
        assert!(matches!(seats.take(Who::default()), Err(ConnectRefusal::NodeFull)));
        let hold = Hold::new(Some(first));
        drop(second);
        assert_eq!(seats.taken(), 1);
        hold.follow(Hold::new(None));
        assert_eq!(seats.taken(), 1, "another socket of the same connection");
        drop(hold);
        assert_eq!(seats.taken(), 0);
    }

    #[test]
    fn several_requests_that_open_one_connection_share_its_seat() {
        let seats = seats(1);
        let id = ConnectionId::from_random(7);
        let first = seats.take_shared(id, Who::default()).expect("room");
        let second = seats.take_shared(id, Who::default()).expect("the same");
        assert!(seats.take_shared(ConnectionId::from_random(8), Who::default()).is_err());
        drop(first);
        assert_eq!(seats.taken(), 1);
        drop(second);
        assert_eq!(seats.taken(), 0);
        assert!(seats.shared.lock().expect("sound").is_empty());
    }
}
