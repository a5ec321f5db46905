//! What a node says of itself, and which of it is still to be written.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fanfare_broker::NodeRecord;

use super::directory::RENEW_EVERY;
use super::lease::{LEASE, Lease, NodeId};

/// The pause after a write that failed.
const RETRY: Duration = Duration::from_millis(500);

/// The node's own records.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) id: NodeId,
    pub(super) address: Option<String>,
    renewed: u64,
    /// The address in the last lease.
    told_address: Option<String>,
    /// When the lease is to be written next; at once if absent.
    renew_at: Option<Instant>,
    said: BTreeMap<String, Bytes>,
    unwritten: BTreeSet<String>,
    /// The leases of nodes that are gone, to be ended.
    ended: BTreeSet<NodeId>,
    /// Records of such nodes, to be withdrawn.
    remains: BTreeSet<(NodeId, String)>,
    in_flight: Option<Write>,
    retry_at: Option<Instant>,
    /// Records are now only withdrawn.
    leaving: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Write {
    Lease(NodeId),
    Entry(NodeId, String, Bytes),
    End(NodeId),
    Remains(NodeId, String),
}

impl Own {
    pub(super) fn new(id: NodeId, address: Option<String>) -> Self {
        Self {
            id,
            address,
            renewed: 0,
            told_address: None,
            renew_at: None,
            said: BTreeMap::new(),
            unwritten: BTreeSet::new(),
            ended: BTreeSet::new(),
            remains: BTreeSet::new(),
            in_flight: None,
            retry_at: None,
            leaving: false,
        }
    }

    pub(super) fn say(&mut self, what: &str, body: Bytes) {
        if what == LEASE || self.said.get(what).map_or(body.is_empty(), |said| *said == body) {
            return;
        }
        if body.is_empty() {
            self.said.remove(what);
        } else {
            self.said.insert(what.to_owned(), body);
        }
        self.unwritten.insert(what.to_owned());
    }

    /// Everything is written once more, the lease first: the broker may have lost it.
    pub(super) fn say_again(&mut self) {
        self.unwritten.extend(self.said.keys().cloned());
        self.renew_at = None;
    }

    /// The lease is due.
    pub(super) fn renew(&mut self) {
        self.renew_at = None;
    }

    /// Takes another id, and withdraws the records of the old one.
    pub(super) fn start_over(&mut self) {
        let next = self.id.next();
        let old = std::mem::replace(&mut self.id, next);
        // A renewal may have crossed the record that ended the lease.
        self.ended.insert(old.clone());
        let unwritten = std::mem::take(&mut self.unwritten);
        let whats = self.said.keys().chain(&unwritten);
        self.remains.extend(whats.map(|what| (old.clone(), what.clone())));
        self.say_again();
    }

    /// Whether it is an id that this process has had before.
    pub(super) fn was(&self, id: &NodeId) -> bool {
        *id != self.id && id.is_of_the_process_of(&self.id)
    }

    /// Ends the lease of a node, and withdraws all its records.
    pub(super) fn end<'a>(&mut self, node: &NodeId, said: impl Iterator<Item = &'a String>) {
        self.ended.insert(node.clone());
        self.take_back(node, said);
    }

    /// Withdraws a record of a node that is gone.
    pub(super) fn take_back<'a>(&mut self, node: &NodeId, said: impl Iterator<Item = &'a String>) {
        self.remains.extend(said.map(|what| (node.clone(), what.clone())));
    }

    /// Somebody else has ended it.
    pub(super) fn was_ended(&mut self, node: &NodeId) {
        if !self.was(node) {
            self.ended.remove(node);
        }
    }

    /// Another node has withdrawn it.
    pub(super) fn was_taken_back(&mut self, node: &NodeId, what: &str) {
        if !self.was(node) {
            self.remains.remove(&(node.clone(), what.to_owned()));
        }
    }

    /// Ends the own lease, and takes everything back.
    pub(super) fn leave(&mut self) {
        self.leaving = true;
        let id = self.id.clone();
        self.ended.insert(id.clone());
        let whats = self.said.keys().chain(&self.unwritten);
        self.remains.extend(whats.map(|what| (id.clone(), what.clone())));
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving
    }

    pub(super) fn has_left(&self) -> bool {
        self.leaving && self.ended.is_empty() && self.remains.is_empty() && self.in_flight.is_none()
    }

    /// The next record to write, if nothing is being written.
    pub(super) fn next_write(&mut self, now: Instant) -> Option<NodeRecord> {
        if self.in_flight.is_some() || self.retry_at.is_some_and(|at| now < at) {
            return None;
        }
        let write = self.due(now)?;
        let (node, what, body) = match &write {
            Write::Lease(id) => {
                let lease = Lease { address: self.address.clone(), renewed: self.renewed };
                self.told_address.clone_from(&self.address);
                (id, LEASE, lease.body())
            }
            Write::Entry(id, what, body) => (id, what.as_str(), body.clone()),
            Write::End(node) => (node, LEASE, Bytes::new()),
            Write::Remains(node, what) => (node, what.as_str(), Bytes::new()),
        };
        let record = NodeRecord { node: node.as_str().to_owned(), what: what.to_owned(), body };
        self.in_flight = Some(write);
        Some(record)
    }

    /// The own lease comes first: no record of a node counts without one.
    fn due(&self, now: Instant) -> Option<Write> {
        if !self.leaving && self.renew_at.is_none_or(|at| now >= at) {
            return Some(Write::Lease(self.id.clone()));
        }
        if let Some(node) = self.ended.first() {
            return Some(Write::End(node.clone()));
        }
        if let Some(what) = self.unwritten.first().filter(|_| !self.leaving) {
            let body = self.said.get(what).cloned().unwrap_or_default();
            return Some(Write::Entry(self.id.clone(), what.clone(), body));
        }
        self.remains.first().map(|(node, what)| Write::Remains(node.clone(), what.clone()))
    }

    /// The outcome of the write. True if it renewed the lease.
    pub(super) fn wrote(&mut self, went_well: bool, now: Instant) -> bool {
        let Some(write) = self.in_flight.take() else { return false };
        if !went_well {
            self.retry_at = Some(now + RETRY);
            return false;
        }
        self.retry_at = None;
        match write {
            // The id may have become another one meanwhile.
            Write::Lease(id) if id == self.id => {
                self.renewed += 1;
                // The address may have become known while this was on its way.
                self.renew_at = (self.told_address == self.address).then(|| now + RENEW_EVERY);
                return true;
            }
            Write::Entry(id, what, body) if id == self.id => {
                if self.said.get(&what).cloned().unwrap_or_default() == body {
                    self.unwritten.remove(&what);
                }
            }
            Write::Entry(id, what, _) => {
                self.remains.insert((id, what));
            }
            Write::Lease(id) => {
                self.ended.insert(id);
            }
            Write::End(node) => {
                self.ended.remove(&node);
            }
            Write::Remains(node, what) => {
                self.remains.remove(&(node, what));
            }
        }
        false
    }

    /// When there is something to write next.
    pub(super) fn next_turn(&self) -> Option<Instant> {
        self.retry_at.or(self.renew_at)
    }
}
