//! A node's id, and its lease: the record that stands for it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use fanfare_broker::NODE_LIMIT;
use serde::{Deserialize, Serialize};

/// The key of a node's lease. Other records of the node have other keys.
pub const LEASE: &str = "lease";

/// The longest name that an id begins with.
const LONGEST_NAME: usize = 64;

/// A node's id, for other nodes and for operators.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(Arc<str>);

impl NodeId {
    /// An id that no other process has: the name of its machine, and chance.
    #[must_use]
    pub fn new(name: &str, random: u64) -> Self {
        let plain = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
        let mut id: String = name.chars().filter(plain).take(LONGEST_NAME).collect();
        if id.is_empty() {
            id.push_str("node");
        }
        Self(format!("{id}-{:010x}", random & 0xff_ffff_ffff).into())
    }

    /// The id that the same process takes once this one was ended by others: an id that has ended is never alive again.
    #[must_use]
    pub fn next(&self) -> Self {
        let (name, life) = match self.0.rsplit_once('.') {
            Some((name, life)) => (name, life.parse().unwrap_or(1)),
            None => (&*self.0, 1_u64),
        };
        Self(format!("{name}.{}", life.saturating_add(1)).into())
    }

    /// Whether both are ids that one process has had, one after the other.
    pub(super) fn is_of_the_process_of(&self, other: &Self) -> bool {
        let process = |id: &str| id.split_once('.').map_or(id.len(), |(process, _)| process.len());
        self.0[..process(&self.0)] == other.0[..process(&other.0)]
    }

    pub(super) fn of(text: &str) -> Option<Self> {
        (!text.is_empty() && text.len() <= NODE_LIMIT).then(|| Self(text.into()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The content of a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The address of the node's operator's port, as `host:port`, or `https://host:port` where it speaks TLS.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<String>,
    /// How often it was renewed.
    pub renewed: u64,
}

impl Lease {
    pub(super) fn body(&self) -> Bytes {
        // A text and a number are always JSON.
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    /// A lease that a later version may have written; one that cannot be read has no address.
    pub(super) fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or(Self { address: None, renewed: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_machines_name_and_chance_and_has_a_next_one() {
        let id = NodeId::new("web-2.example", 0xabc);
        assert_eq!(id.as_str(), "web-2example-0000000abc");
        assert_eq!(id.next().as_str(), "web-2example-0000000abc.2");
        assert_eq!(id.next().next().as_str(), "web-2example-0000000abc.3");
        assert_eq!(NodeId::new("", u64::MAX).as_str(), "node-ffffffffff");
        assert!(NodeId::new(&"x".repeat(500), 1).next().as_str().len() < NODE_LIMIT);
    }

    #[test]
    fn a_lease_decodes_and_one_of_another_version_is_ignored() {
        let lease = Lease { address: Some("10.0.0.7:9090".into()), renewed: 3 };
        assert_eq!(Lease::read(&lease.body()), lease);
        assert_eq!(Lease::read(b"{\"renewed\":1,\"more\":true}").renewed, 1);
        assert_eq!(Lease::read(b"\xff"), Lease { address: None, renewed: 0 });
    }
}
