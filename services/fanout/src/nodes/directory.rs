//! Which nodes are alive, from the records that were read and the time at which they were read; pure.
//!
//! No clock of another node counts, and no time in which nothing could be read. A lease has expired once a node has
//! read [`RENEWALS_TO_END`] renewals of its own, each an interval after the last, and none of the other since. So
//! neither an unreachable broker nor a node that stood still ends anybody's lease.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fanfare_broker::NodeRecord;

use super::early::Early;
use super::lease::{LEASE, Lease, NodeId};
use super::own::Own;
use super::{Alive, Left};

/// How often a node renews its lease.
pub const RENEW_EVERY: Duration = Duration::from_secs(3);

/// How many of its own renewals a node reads without a record of another node until it ends that one's lease.
pub const RENEWALS_TO_END: u64 = 4;

/// How long a stored renewal may stay unread: after that the reader has fallen silent.
const DEAF: Duration = Duration::from_secs(10);

/// How many ids that have ended are remembered.
const ENDED_KEPT: usize = 1024;

/// How many nodes that have gone are listed.
const LEFT_KEPT: usize = 32;

/// News, for those who follow what nodes say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A node has a lease. It has no other records yet.
    Came(NodeId),
    /// A record of a node; an empty body withdraws it. The node's own records are read too.
    Entry {
        /// The node.
        node: NodeId,
        /// Of what.
        what: String,
        /// The body.
        body: Bytes,
    },
    /// A node is gone, with all its records.
    Gone(NodeId),
    /// Everything that was there at the start has been read.
    CaughtUp,
}

/// A node with a lease.
#[derive(Debug)]
struct Known {
    address: Option<String>,
    /// When its lease was last read.
    renewed: Instant,
    /// How many own renewals had been read at its last sign of life.
    seen: u64,
    /// Its records, and in which pass over the stream each was read.
    said: BTreeMap<String, u64>,
}

/// What is read at the start, until it is complete.
type Held = BTreeMap<NodeId, BTreeMap<String, Bytes>>;

/// All nodes, as one node knows them.
#[derive(Debug)]
pub struct Directory {
    own: Own,
    known: BTreeMap<NodeId, Known>,
    /// The ids that ended last. The record that ends a lease disappears from a compacted stream if its node, which has
    /// not read it yet, renews that lease; a node that remembers then ends it again.
    ended: VecDeque<NodeId>,
    /// Those that went while this node knew them, for operators.
    left: VecDeque<Left>,
    /// What was read before everything was; none afterwards.
    held: Option<Held>,
    /// Records of nodes whose lease was not read yet.
    early: Early,
    /// How many own renewals have been read, one an interval at most.
    renewals: u64,
    last_renewal: Option<Instant>,
    /// Since when a renewal is stored that has not been read.
    unread: Option<Instant>,
    /// Counts how often the stream was read from its beginning.
    reading: u64,
    /// The renewal at which records that were not read again are forgotten.
    sweep_at: Option<u64>,
}

impl Directory {
    /// A directory that knows nothing yet.
    #[must_use]
    pub fn new(own: NodeId, address: Option<String>) -> Self {
        Self {
            own: Own::new(own, address),
            known: BTreeMap::new(),
            ended: VecDeque::new(),
            left: VecDeque::new(),
            held: Some(Held::new()),
            early: Early::default(),
            renewals: 0,
            last_renewal: None,
            unread: None,
            reading: 0,
            sweep_at: None,
        }
    }

    /// The node's own id.
    #[must_use]
    pub fn own(&self) -> &NodeId {
        &self.own.id
    }

    /// Sets the address of the node's own operator's port.
    pub fn set_address(&mut self, address: String) {
        self.own.address = Some(address);
    }

    /// Lets the own lease be written again now.
    pub fn renew(&mut self) {
        self.own.renew();
    }

    /// All nodes with a lease, and this one.
    #[must_use]
    pub fn alive(&self) -> Vec<Alive> {
        let own = Alive { id: self.own.id.clone(), address: self.own.address.clone(), renewed: None };
        let others = self.known.iter().filter(|(id, _)| **id != self.own.id);
        let others = others.map(|(id, known)| {
            let (address, renewed) = (known.address.clone(), Some(known.renewed));
            Alive { id: id.clone(), address, renewed }
        });
        std::iter::once(own).chain(others).collect()
    }

    /// The nodes that have gone since this one runs; the last [`LEFT_KEPT`] of them.
    #[must_use]
    pub fn left(&self) -> Vec<Left> {
        self.left.iter().cloned().collect()
    }

    /// Writes a record of this node; see [`super::Nodes::say`].
    pub fn say(&mut self, what: &str, body: Bytes) {
        self.own.say(what, body);
    }

    /// The next record to write; none while the last write is not answered.
    pub fn next_write(&mut self, now: Instant) -> Option<NodeRecord> {
        self.own.next_write(now)
    }

    /// The outcome of the last write.
    pub fn wrote(&mut self, went_well: bool, now: Instant) {
        if self.own.wrote(went_well, now) {
            self.unread.get_or_insert(now);
        }
    }

    /// When to come back, if nothing happens before.
    #[must_use]
    pub fn next_turn(&self) -> Option<Instant> {
        self.own.next_turn()
    }

    /// Whether renewals are stored and not read, so that the stream must be read again.
    #[must_use]
    pub fn is_deaf(&self, now: Instant) -> bool {
        self.unread.is_some_and(|since| now.saturating_duration_since(since) > DEAF)
    }

    /// The stream is read from its beginning again; `is_other` if it is not the one that it was. Who was alive stays so,
    /// unless nothing is read of it for as long as a lease takes to run out.
    pub fn start_over(&mut self, is_other: bool) {
        self.unread = None;
        self.reading += 1;
        self.sweep_at = Some(self.renewals + RENEWALS_TO_END);
        self.known.values_mut().for_each(|known| known.seen = self.renewals);
        if is_other {
            self.own.say_again();
        }
    }

    /// Ends the own lease: nothing but that is written any more.
    pub fn leave(&mut self) {
        self.own.leave();
    }

    /// Whether all records are withdrawn.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.own.has_left()
    }

    /// A record was read.
    pub fn read(&mut self, record: NodeRecord, now: Instant, news: &mut Vec<News>) {
        let Some(id) = NodeId::of(&record.node) else { return };
        if record.what == LEASE {
            match record.is_removal() {
                true => self.ended(&id, now, news),
                false => self.renewed(&id, &record.body, now, news),
            }
        } else {
            self.heard(id, record.what, record.body, news);
        }
    }

    /// All that was there when the stream was opened has been read.
    pub fn caught_up(&mut self, news: &mut Vec<News>) {
        let Some(held) = self.held.take() else { return };
        for (node, said) in held {
            if self.known.contains_key(&node) {
                news.push(News::Came(node.clone()));
                let said = said.into_iter();
                news.extend(said.map(|(what, body)| News::Entry { node: node.clone(), what, body }));
            } else {
                // It was ended, and the node that ended it did not withdraw all its records.
                self.own.take_back(&node, said.keys());
            }
        }
        news.push(News::CaughtUp);
    }

    fn renewed(&mut self, id: &NodeId, body: &[u8], now: Instant, news: &mut Vec<News>) {
        if self.ended.contains(id) {
            return self.own.end(id, std::iter::empty());
        }
        let address = Lease::read(body).address;
        let seen = self.renewals;
        let is_new = match self.known.get_mut(id) {
            Some(known) => {
                (known.address, known.seen, known.renewed) = (address, seen, now);
                false
            }
            None => {
                self.known.insert(id.clone(), Known { address, renewed: now, seen, said: BTreeMap::new() });
                true
            }
        };
        match &mut self.held {
            // Its records may have been read before its lease, which is renewed and so comes later.
            Some(held) => {
                let said = held.entry(id.clone()).or_default().keys().cloned();
                let said = said.map(|what| (what, self.reading)).collect();
                if let Some(known) = self.known.get_mut(id).filter(|_| is_new) {
                    known.said = said;
                }
            }
            None if is_new => {
                news.push(News::Came(id.clone()));
                for (what, body) in self.early.remove(id) {
                    self.heard(id.clone(), what, body, news);
                }
            }
            None => {}
        }
        if *id == self.own.id {
            self.own_renewal(now, news);
        }
    }

    /// An own renewal was read: the stream flows, and an interval has passed by this node's clock.
    fn own_renewal(&mut self, now: Instant, news: &mut Vec<News>) {
        self.unread = None;
        let early = |last: Instant| now.saturating_duration_since(last) < RENEW_EVERY / 2;
        if self.last_renewal.is_some_and(early) {
            return;
        }
        self.last_renewal = Some(now);
        self.renewals += 1;
        let (renewals, own) = (self.renewals, self.own.id.clone());
        let ran_out = self.known.iter().filter(|(id, known)| **id != own && renewals - known.seen >= RENEWALS_TO_END);
        for (id, known) in ran_out {
            // For this node, too, it is gone once the record of its end is read.
            self.own.end(id, known.said.keys());
        }
        // Records without a lease are of a node that is gone, or of none.
        self.early.forget(|seen| renewals - seen >= RENEWALS_TO_END);
        if self.sweep_at.is_some_and(|at| renewals >= at) {
            self.sweep_at = None;
            self.sweep(news);
        }
    }

    /// Forgets records that were not found when the stream was read again.
    fn sweep(&mut self, news: &mut Vec<News>) {
        let reading = self.reading;
        for (node, known) in &mut self.known {
            known.said.retain(|what, read| {
                if *read < reading {
                    news.push(News::Entry { node: node.clone(), what: what.clone(), body: Bytes::new() });
                }
                *read >= reading
            });
        }
    }

    fn ended(&mut self, id: &NodeId, now: Instant, news: &mut Vec<News>) {
        self.own.was_ended(id);
        if !self.ended.contains(id) {
            self.ended.push_back(id.clone());
            let excess = self.ended.len().saturating_sub(ENDED_KEPT);
            self.ended.drain(..excess);
        }
        self.early.remove(id);
        if let Some(held) = &mut self.held {
            self.known.remove(id);
            held.entry(id.clone()).or_default();
        } else if let Some(known) = self.known.remove(id) {
            news.push(News::Gone(id.clone()));
            if *id != self.own.id {
                self.left.push_back(Left { id: id.clone(), renewed: known.renewed, at: now });
                let excess = self.left.len().saturating_sub(LEFT_KEPT);
                self.left.drain(..excess);
            }
        }
        if *id == self.own.id && !self.own.is_leaving() {
            // Others took this node for gone, for instance because it stood still.
            self.own.start_over();
        }
    }

    fn heard(&mut self, node: NodeId, what: String, body: Bytes, news: &mut Vec<News>) {
        if body.is_empty() {
            self.own.was_taken_back(&node, &what);
        }
        let (reading, seen) = (self.reading, self.renewals);
        if let Some(known) = self.known.get_mut(&node) {
            if body.is_empty() {
                known.said.remove(&what);
            } else {
                known.said.insert(what.clone(), reading);
                known.seen = seen;
            }
        } else if self.held.is_none() {
            // A record of a node that is gone: that node withdraws it itself when it reads so.
            if !self.ended.contains(&node) && !self.own.was(&node) {
                self.early.hear(node, what, body, self.renewals);
            }
            return;
        }
        match &mut self.held {
            Some(held) if body.is_empty() => drop(held.entry(node).or_default().remove(&what)),
            Some(held) => drop(held.entry(node).or_default().insert(what, body)),
            None => news.push(News::Entry { node, what, body }),
        }
    }
}
