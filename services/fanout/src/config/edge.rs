//! The keys of `[limits]` that limit connections, connects, tokens and request bodies of one client, org or address.

use std::time::Duration;

use crate::document::section::Section;
use crate::limit::{BodyBounds, ConnectBounds, Rate};

/// How many seconds of its rate a node takes at once: all tabs of a node that is gone come at the same time.
const NODE_BURST_SECONDS: u32 = 20;

/// How many connections a user or an address opens at once where they may have any number.
const UNBOUNDED_BURST: usize = 200;

/// And if they may have few: a reloaded page opens another before the last is gone.
const FEWEST_BURST: usize = 50;

/// The most bodies of one connection at the same time; clients send one after the other.
const BODIES_OF_CONNECTION: usize = 4;

/// The most bodies of one user or producer at the same time.
const BODIES_OF_USER: usize = 256;

/// The most bodies of the node at the same time.
const BODIES_OF_NODE: usize = 4096;

/// How many TLS handshakes an address may ask for with each connection that it may open: a tab takes one for its
/// negotiation, one for its transport, and now and then one for a call or a renewed token.
const HANDSHAKES_OF_CONNECTION: u32 = 4;

/// The bounds of what one client takes of a node; `None` is no bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeLimits {
    /// The most connections of one user.
    pub connections_per_user: Option<usize>,
    /// The most connections of one org.
    pub connections_per_org: Option<usize>,
    /// The most connections from one address.
    pub connections_per_address: Option<usize>,
    /// How many connections a node takes in a second.
    pub connects_per_second: Option<u32>,
    /// How many connections one user opens in a minute.
    pub user_connects_per_minute: Option<u32>,
    /// How many connections are opened from one address in a minute.
    pub address_connects_per_minute: Option<u32>,
    /// How many tokens of one address may be wrong in a minute.
    pub failed_tokens_per_minute: Option<u32>,
    /// How long a client may take for the head of a request, and how long a connection may be idle.
    pub head: Duration,
    /// How long a client may take for the body of a request.
    pub body: Duration,
    /// The most bytes of bodies that are held at the same time.
    pub body_bytes: usize,
}

/// The keys whose other values hold at once, while the node runs.
pub const CHANGE_AT_ONCE: [&str; 9] = [
    "connections_per_user",
    "connections_per_org",
    "connections_per_address",
    "connects_per_second",
    "user_connects_per_minute",
    "address_connects_per_minute",
    "failed_tokens_per_minute",
    "body_seconds",
    "body_bytes",
];

/// The keys that need a start.
pub(super) const NEED_A_START: [&str; 1] = ["head_seconds"];

/// The keys that are of no use while all clients seem to have the address of the proxy.
pub const BY_ADDRESS: [&str; 3] =
    ["connections_per_address", "address_connects_per_minute", "failed_tokens_per_minute"];

impl EdgeLimits {
    /// The defaults; those by address count only where it is known which addresses are clients'.
    #[must_use]
    pub fn default_with(knows_addresses: bool) -> Self {
        let by_address = |limit| knows_addresses.then_some(limit);
        Self {
            connections_per_user: Some(200),
            connections_per_org: None,
            connections_per_address: by_address(1000).map(|limit| limit as usize),
            connects_per_second: Some(2000),
            user_connects_per_minute: Some(600),
            address_connects_per_minute: by_address(6000),
            failed_tokens_per_minute: by_address(300),
            head: Duration::from_secs(30),
            body: Duration::from_secs(30),
            body_bytes: 64 << 20,
        }
    }

    /// What bounds connections on a node that takes so many.
    #[must_use]
    pub fn connect_bounds(&self, node: usize) -> ConnectBounds {
        let minute = Duration::from_secs(60);
        let burst =
            |most: Option<usize>| u32::try_from(most.unwrap_or(UNBOUNDED_BURST).max(FEWEST_BURST)).unwrap_or(u32::MAX);
        let rate = |count: Option<u32>, most| count.map(|count| Rate::new(count, minute, burst(most)));
        let of_node = |count: u32| Rate::new(count, Duration::from_secs(1), count.saturating_mul(NODE_BURST_SECONDS));
        ConnectBounds {
            node,
            user: self.connections_per_user,
            org: self.connections_per_org,
            address: self.connections_per_address,
            node_rate: self.connects_per_second.map(of_node),
            user_rate: rate(self.user_connects_per_minute, self.connections_per_user),
            address_rate: rate(self.address_connects_per_minute, self.connections_per_address),
        }
    }

    /// How many TLS handshakes one address may ask for.
    #[must_use]
    pub fn handshake_rate(&self) -> Option<Rate> {
        let rate = self.connect_bounds(0).address_rate?;
        let burst = rate.burst.saturating_mul(HANDSHAKES_OF_CONNECTION);
        Some(Rate { burst, every: rate.every / HANDSHAKES_OF_CONNECTION })
    }

    /// How many tokens of one address may be wrong.
    #[must_use]
    pub fn failed_token_rate(&self) -> Option<Rate> {
        self.failed_tokens_per_minute.map(|count| Rate::new(count, Duration::from_secs(60), count))
    }

    /// What bounds the bodies of requests.
    #[must_use]
    pub fn body_bounds(&self) -> BodyBounds {
        BodyBounds {
            of_connection: BODIES_OF_CONNECTION,
            of_user: BODIES_OF_USER,
            bytes_of_user: self.body_bytes / 4,
            of_node: BODIES_OF_NODE,
            bytes_of_node: self.body_bytes,
        }
    }
}

/// Reads these keys of `[limits]`; `knows_addresses` says whether the proxies in front of the node are declared.
pub(super) fn read(section: &Section<'_>, knows_addresses: bool) -> EdgeLimits {
    let d = EdgeLimits::default_with(knows_addresses);
    if !knows_addresses {
        for key in BY_ADDRESS.into_iter().filter(|key| section.value(key).is_some()) {
            let help = "list the proxies in front of the node, or say `trusted_proxies = []` if there are none: behind \
                        a proxy all clients seem to have its address";
            let message = format!("`{key}` needs `trusted_proxies` of [node]");
            section.fault(key, message, Some(help.to_owned()));
        }
    }
    let count = |key, default: Option<usize>| {
        let number = section.integer(key, 0..=1_000_000, default.unwrap_or(0) as u64);
        usize::try_from(number).ok().filter(|number| *number > 0)
    };
    let rate = |key, default: Option<u32>| {
        let number = section.integer(key, 0..=1_000_000, default.unwrap_or(0).into());
        u32::try_from(number).ok().filter(|number| *number > 0)
    };
    let head = section.integer("head_seconds", 1..=600, d.head.as_secs());
    let body = section.integer("body_seconds", 1..=600, d.body.as_secs());
    let body_bytes = section.integer("body_bytes", 4 << 20..=16 << 30, d.body_bytes as u64);
    EdgeLimits {
        connections_per_user: count("connections_per_user", d.connections_per_user),
        connections_per_org: count("connections_per_org", d.connections_per_org),
        connections_per_address: count("connections_per_address", d.connections_per_address),
        connects_per_second: rate("connects_per_second", d.connects_per_second),
        user_connects_per_minute: rate("user_connects_per_minute", d.user_connects_per_minute),
        address_connects_per_minute: rate("address_connects_per_minute", d.address_connects_per_minute),
        failed_tokens_per_minute: rate("failed_tokens_per_minute", d.failed_tokens_per_minute),
        head: Duration::from_secs(head),
        body: Duration::from_secs(body),
        body_bytes: usize::try_from(body_bytes).unwrap_or(d.body_bytes),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;
    use std::time::Instant;

    use super::*;
    use crate::limit::{Connects, Who};

    #[test]
    fn by_default_ten_thousand_users_of_one_address_connect_at_once_and_one_user_does_not() {
        let now = Instant::now();
        let mut connects = Connects::new(EdgeLimits::default_with(false).connect_bounds(15_000));
        let who = |user| Who { user: NonZeroU64::new(user), org: NonZeroU64::new(1), address: NonZeroU64::new(1) };
        for user in 1..=10_000 {
            assert_eq!(connects.pay(who(user), now), Ok(()), "{user}");
            assert_eq!(connects.take(who(user)), Ok(()), "{user}");
        }
        let opened = (0..1000).filter(|_| connects.pay(who(1), now).is_ok() && connects.take(who(1)).is_ok()).count();
        assert_eq!(opened, 199, "one they had already");
    }
}
