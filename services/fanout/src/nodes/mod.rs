//! Which nodes there are, and what they say of themselves (rule 10.2).
//!
//! ```text
//! say -> own records -> driver -> the nodes' stream -> driver -> directory -> news, who is alive
//!                                 of the broker
//! ```
//!
//! Each node keeps a lease in that stream: a record that it renews every few seconds, with the address of its
//! operator's port. Any node may end a lease that has expired, by another record; at that record the node and
//! everything that it said are gone on every node. [`Directory`] is the pure part; [`Driver`] reads and writes for it.
//! There is no gossip: nodes know of each other only what is in the stream.

mod address;
mod directory;
mod driver;
mod early;
mod lease;
mod own;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::Notify;

pub use directory::{Directory, News, RENEW_EVERY, RENEWALS_TO_END};
pub use driver::Driver;
pub use lease::{LEASE, Lease, NodeId};

use crate::vocabulary::scheme_of;

/// A node's own place among the others.
#[derive(Debug, Clone)]
pub struct Nodes {
    directory: Arc<Mutex<Directory>>,
    changed: Arc<Notify>,
}

/// A node that has a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alive {
    /// Its id.
    pub id: NodeId,
    /// The address of its operator's port, as `host:port`, or `https://host:port`; none while it is not known.
    pub address: Option<String>,
    /// When its lease was last read; none for the node that is asked, and for one whose lease was never read.
    pub renewed: Option<Instant>,
}

/// A node whose lease has ended: it left, or was ended by others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Its id.
    pub id: NodeId,
    /// When its lease was last read.
    pub renewed: Instant,
    /// When the record was read that ended it.
    pub at: Instant,
}

impl Left {
    /// Whether it died: its lease was not renewed for longer than a live node ever lets pass.
    #[must_use]
    pub fn was_silent(&self) -> bool {
        self.at.saturating_duration_since(self.renewed) > RENEW_EVERY * 2
    }
}

impl Nodes {
    /// A node of this id without records yet. Its operator's port has this address, if that is known.
    #[must_use]
    pub fn new(id: NodeId, address: Option<String>) -> Self {
        let directory = Arc::new(Mutex::new(Directory::new(id, address)));
        Self { directory, changed: Arc::default() }
    }

    /// The id that the node has now. It has another one once its lease was ended by others.
    #[must_use]
    pub fn own(&self) -> NodeId {
        self.directory().own().clone()
    }

    /// Whether an id is this node's, or was before its lease was ended.
    #[must_use]
    pub fn is_own(&self, id: &NodeId) -> bool {
        id.is_of_the_process_of(self.directory().own())
    }

    /// All nodes with a lease, this one among them.
    #[must_use]
    pub fn alive(&self) -> Vec<Alive> {
        self.directory().alive()
    }

    /// Whether another node is reached at this address.
    #[must_use]
    pub fn are_at(&self, address: IpAddr) -> bool {
        let others = self.alive().into_iter().filter(|node| node.renewed.is_some());
        others.filter_map(|node| node.address).any(|reached| {
            let reached: Option<SocketAddr> = scheme_of(&reached).1.parse().ok();
            reached.is_some_and(|reached| reached.ip().to_canonical() == address.to_canonical())
        })
    }

    /// The nodes that have gone since this one runs, the last ones of them.
    #[must_use]
    pub fn left(&self) -> Vec<Left> {
        self.directory().left()
    }

    /// Says something of this node, in place of what it said of the same before; an empty body takes it back. It is
    /// written once the broker takes it, and again whenever the broker may have lost it.
    pub fn say(&self, what: &str, body: Bytes) {
        self.directory().say(what, body);
        self.changed.notify_one();
    }

    /// Writes the lease again soon, since its content has changed.
    fn renew(&self) {
        self.directory().renew();
        self.changed.notify_one();
    }

    fn directory(&self) -> MutexGuard<'_, Directory> {
        self.directory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
