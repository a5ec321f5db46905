//! How many TLS handshakes one address may ask for: each takes as much of a processor as thousands of messages.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use crate::limit::{KeyedBuckets, Rate, TrustedProxies, of_network};
use crate::nodes::Nodes;

/// The handshakes of one port, by address. Those of trusted proxies and of other nodes are of many clients, and are not
/// counted.
#[derive(Debug)]
pub struct Handshakes {
    proxies: TrustedProxies,
    nodes: OnceLock<Nodes>,
    buckets: Mutex<Option<KeyedBuckets>>,
    keys: RandomState,
}

impl Handshakes {
    /// At most so many of one address; any number without a rate.
    #[must_use]
    pub fn new(rate: Option<Rate>, proxies: TrustedProxies) -> Self {
        let buckets = Mutex::new(rate.map(KeyedBuckets::new));
        Self { proxies, nodes: OnceLock::new(), buckets, keys: RandomState::new() }
    }

    /// Other nodes forward what many clients ask for.
    pub(super) fn know(&self, nodes: Nodes) {
        // The port is served once.
        let _ = self.nodes.set(nodes);
    }

    /// Another rate from now on.
    pub(super) fn set_rate(&self, rate: Option<Rate>) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        // Else another limit that changes would forgive a flood.
        if buckets.as_ref().map(KeyedBuckets::rate) != rate {
            *buckets = rate.map(KeyedBuckets::new);
        }
    }

    /// Counts one of this address; false if it has had too many of late.
    pub(super) fn admit(&self, peer: IpAddr, now: Instant) -> bool {
        let key = self.keys.hash_one(of_network(peer));
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = buckets.as_mut().is_none_or(|buckets| buckets.take(key, now).is_ok());
        drop(buckets);
        // Looked at last: it is seldom asked.
        taken || self.proxies.trust(peer) || self.nodes.get().is_some_and(|nodes| nodes.are_at(peer))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::nodes::NodeId;

    const RATE: Rate = Rate { burst: 2, every: Duration::from_secs(1) };

    fn admitted(handshakes: &Handshakes, peer: &str, now: Instant) -> usize {
        let peer = peer.parse().expect("an address");
        (0..10).filter(|_| handshakes.admit(peer, now)).count()
    }

    #[test]
    fn one_address_has_so_many_and_others_have_theirs() {
        let (now, proxies) = (Instant::now(), TrustedProxies::parse(["10.0.0.0/8"]).expect("a network"));
        let handshakes = Handshakes::new(Some(RATE), proxies);
        handshakes.know(Nodes::new(NodeId::new("a", 1), Some("192.0.2.9:9090".to_owned())));
        assert_eq!(admitted(&handshakes, "192.0.2.1", now), 2);
        assert_eq!(admitted(&handshakes, "192.0.2.2", now), 2);
        assert_eq!(admitted(&handshakes, "2001:db8::1", now), 2);
        assert_eq!(admitted(&handshakes, "2001:db8::2", now), 0, "one client has the whole network");
        assert_eq!(admitted(&handshakes, "10.1.2.3", now), 10, "those of a proxy are of many clients");
        assert_eq!(admitted(&handshakes, "192.0.2.9", now), 2, "the node itself asks nothing of itself");
        assert_eq!(admitted(&handshakes, "192.0.2.1", now + RATE.every), 1);
        handshakes.set_rate(Some(RATE));
        assert_eq!(admitted(&handshakes, "192.0.2.2", now), 0, "the same rate forgives nothing");
        handshakes.set_rate(None);
        assert_eq!(admitted(&handshakes, "192.0.2.1", now), 10);
    }
}
