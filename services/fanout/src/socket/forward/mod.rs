//! Any node takes the requests of any connection: it forwards those that name a connection of another node, and returns
//! that node's answer.
//!
//! An event stream or long polling belongs to the node that negotiated it, which its token names; a WebSocket opens
//! wherever it arrives. So round robin is right for every transport, and a balancer that keeps a client on one node
//! saves a hop.

mod address;
mod forwarded;
mod outbound;
mod place;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::shard::Denied;
use crate::connection::Home;
pub use address::address_of_hubs;
pub(super) use forwarded::{Forwarded, NotForwarded};
use place::Places;
use rustls::ClientConfig;
use thiserror::Error;

/// Why the node that has a connection gives no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum NoAnswer {
    /// It was asked, and does not answer.
    #[error("The server that has this connection does not answer.")]
    Silent,
    /// This node forwards as much as it may.
    #[error("The server has no room to forward another request.")]
    NoRoom,
    /// It does so for this user.
    #[error("Too many requests of this user wait for the servers that have their connections.")]
    TooMany,
}

/// Forwards requests to the nodes that have their connections.
#[derive(Debug)]
pub(crate) struct Forwarder {
    process: u64,
    own: OnceLock<Home>,
    client: outbound::Asking,
    places: Arc<Places>,
}

impl Forwarder {
    /// Forwards at most so many requests at a time, as `tls` says to nodes that speak it. No idle TCP connection of its waits
    /// for longer than other nodes let it.
    #[must_use]
    pub(crate) fn new(most: usize, patience: Duration, tls: ClientConfig) -> Self {
        let process = uuid::Uuid::new_v4().as_u64_pair().0;
        Self { process, own: OnceLock::new(), client: outbound::client(patience, tls), places: Places::new(most) }
    }

    /// Other nodes reach the hubs of this one there, as `host:port`, or `https://host:port`.
    pub(crate) fn set_address(&self, address: &str) {
        match Home::new(self.process, address) {
            // The first that is found stays: tokens name it.
            Some(home) => drop(self.own.set(home)),
            None => tracing::warn!(
                address,
                longest = Home::LONGEST_ADDRESS,
                "the address of this node is too long for a connection token: other nodes cannot forward to it"
            ),
        }
    }

    /// The home of connections negotiated here; none while no other node could reach it.
    pub(super) fn home(&self) -> Option<&Home> {
        self.own.get()
    }

    /// The other node that has a connection of this home, if one has.
    ///
    /// # Errors
    /// [`Denied::Unknown`] where that node is gone: a request that another node forwarded was meant for a process that
    /// this one has replaced, as were those for this node's own address.
    pub(super) fn elsewhere(&self, home: Option<Home>, was_forwarded: bool) -> Result<Option<Home>, Denied> {
        let Some(home) = home.filter(|home| home.process() != self.process) else { return Ok(None) };
        let is_here = self.own.get().is_some_and(|own| own.address() == home.address());
        if was_forwarded || is_here { Err(Denied::Unknown) } else { Ok(Some(home)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::{Asking, Trust};

    fn forwarder() -> Forwarder {
        let trust = Trust::new(Asking::default()).expect("nobody is trusted");
        Forwarder::new(8, Duration::from_secs(1), trust.client().expect("a client"))
    }

    #[test]
    fn a_connection_is_here_elsewhere_or_gone() {
        let forwarder = forwarder();
        let (own, home) = (forwarder.process, Home::new);
        assert_eq!(forwarder.elsewhere(None, false), Ok(None), "negotiated by a node that could not be reached");
        forwarder.set_address("10.0.0.1:8080");
        assert_eq!(forwarder.home().map(Home::address), Some("10.0.0.1:8080"));
        assert_eq!(forwarder.elsewhere(home(own, "10.0.0.1:8080"), false), Ok(None));
        assert_eq!(forwarder.elsewhere(home(own, "10.0.0.9:8080"), true), Ok(None), "however it is reached");
        let other = home(own ^ 1, "10.0.0.2:8080");
        assert_eq!(forwarder.elsewhere(other.clone(), false), Ok(other.clone()));
        assert_eq!(forwarder.elsewhere(other, true), Err(Denied::Unknown), "it is forwarded once");
        assert_eq!(
            forwarder.elsewhere(home(own ^ 1, "10.0.0.1:8080"), false),
            Err(Denied::Unknown),
            "who was here before"
        );
    }

    #[test]
    fn an_address_that_is_too_long_for_a_token_is_left_out() {
        let forwarder = forwarder();
        forwarder.set_address(&format!("{}:8080", "n".repeat(Home::LONGEST_ADDRESS)));
        assert_eq!(forwarder.home(), None);
    }
}
