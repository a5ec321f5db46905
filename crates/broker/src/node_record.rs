//! Records that nodes write about themselves for each other: a compacted stream of its own, beside the log.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use crate::error::{BrokerError, PublishError};
use crate::limits::Limits;

/// The longest id of a node, in bytes.
pub const NODE_LIMIT: usize = 128;

/// How many removals a log without a server keeps for readers that have not reached them.
const REMOVALS_KEPT: usize = 10_000;

/// The largest number of records in a batch that is read from memory.
const BATCH: usize = 256;

/// A node's record: of each pair of node and name the newest counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRecord {
    /// The node's id.
    pub node: String,
    /// The record's name, for instance that of a lease.
    pub what: String,
    /// The content. An empty body removes the previous record.
    pub body: Bytes,
}

impl NodeRecord {
    /// Whether it removes the previous record.
    #[must_use]
    pub fn is_removal(&self) -> bool {
        self.body.is_empty()
    }

    pub(crate) fn check(&self, limits: &Limits) -> Result<(), PublishError> {
        for (part, value, limit) in [("node", &self.node, NODE_LIMIT), ("what", &self.what, limits.key)] {
            if value.is_empty() || value.chars().any(char::is_control) {
                let reason = format!("{part} of a node's record is empty or holds a control character");
                return Err(PublishError::Invalid(reason));
            }
            if value.len() > limit {
                return Err(PublishError::TooLarge { part, size: value.len(), limit });
            }
        }
        if self.body.len() > limits.body {
            return Err(PublishError::TooLarge { part: "body", size: self.body.len(), limit: limits.body });
        }
        Ok(())
    }
}

/// Reads nodes' records, in one order over all of them.
#[async_trait]
pub trait NodeReader: Send {
    /// The next records. First the newest of each existing pair; then, once, an empty batch; then later ones, for which
    /// it waits. A broker that compacts in the background may also return older records and removals.
    ///
    /// Cancel safe. After [`BrokerError::Unavailable`] the caller may call again; any other error ends the reader.
    /// After [`BrokerError::OtherIncarnation`] everything that was read is void and must be read again.
    async fn next(&mut self) -> Result<Vec<NodeRecord>, BrokerError>;
}

/// The nodes' records, if no server stores them.
#[derive(Debug, Clone, Default)]
pub struct NodeTable {
    last: u64,
    /// The last record that can no longer be read, because it was a removal too long ago.
    forgotten: u64,
    by_place: BTreeMap<u64, NodeRecord>,
    places: HashMap<(String, String), u64>,
    removals: BTreeMap<u64, ()>,
}

impl NodeTable {
    /// Stores a record in place of the one before it.
    pub fn tell(&mut self, record: NodeRecord) {
        self.last += 1;
        let key = (record.node.clone(), record.what.clone());
        if let Some(before) = self.places.insert(key, self.last) {
            self.by_place.remove(&before);
            self.removals.remove(&before);
        }
        if record.is_removal() {
            self.removals.insert(self.last, ());
        }
        self.by_place.insert(self.last, record);
        while self.removals.len() > REMOVALS_KEPT {
            let Some((place, ())) = self.removals.pop_first() else { break };
            self.forgotten = place;
            if let Some(record) = self.by_place.remove(&place) {
                self.places.remove(&(record.node, record.what));
            }
        }
    }

    /// The place of the last record.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.last
    }

    /// At most this many records after a place, and the place after them. A place of 0 is before all of them.
    ///
    /// # Errors
    /// [`BrokerError::OtherIncarnation`] if the place is not from this table, or a removal after it was dropped.
    pub fn after(&self, place: u64, most: usize) -> Result<(Vec<NodeRecord>, u64), BrokerError> {
        let other = |reason: &str| Err(BrokerError::OtherIncarnation { reason: reason.to_owned() });
        if place > self.last {
            return other("the nodes' stream was recreated");
        }
        if place > 0 && place < self.forgotten {
            return other("older removals of nodes' records are no longer stored");
        }
        let mut through = self.last;
        let mut records = Vec::new();
        for (at, record) in self.by_place.range(place + 1..) {
            if records.len() == most {
                break;
            }
            records.push(record.clone());
            through = *at;
        }
        if records.len() < most {
            through = self.last;
        }
        Ok((records, through))
    }
}

/// A page of a [`NodeTable`], by the place after which it starts.
type Page = Box<dyn Fn(u64, usize) -> Result<(Vec<NodeRecord>, u64), BrokerError> + Send + Sync>;

/// Follows a [`NodeTable`].
pub(crate) struct TableReader {
    page: Page,
    changes: watch::Receiver<u64>,
    through: u64,
    /// The records that existed at the start, until they were read.
    begun: Option<u64>,
}

impl TableReader {
    /// Reads pages; `changes` wakes the reader, also when there will be no other page.
    pub(crate) fn new(last: u64, changes: watch::Receiver<u64>, page: Page) -> Self {
        Self { page, changes, through: 0, begun: Some(last) }
    }
}

#[async_trait]
impl NodeReader for TableReader {
    async fn next(&mut self) -> Result<Vec<NodeRecord>, BrokerError> {
        loop {
            self.changes.borrow_and_update();
            let (records, through) = (self.page)(self.through, BATCH)?;
            if records.is_empty() && self.begun.is_some_and(|begun| through >= begun) {
                self.begun = None;
                self.through = through;
                return Ok(records);
            }
            self.through = through;
            if !records.is_empty() {
                return Ok(records);
            }
            self.changes.changed().await.map_err(|_| BrokerError::Closed)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(node: &str, what: &str, body: &str) -> NodeRecord {
        NodeRecord { node: node.into(), what: what.into(), body: Bytes::copy_from_slice(body.as_bytes()) }
    }

    #[test]
    fn the_newest_of_each_pair_is_kept_and_a_removal_is_returned() {
        let mut table = NodeTable::default();
        for (what, body) in [("lease", "1"), ("group", "x"), ("lease", "2")] {
            table.tell(record("a", what, body));
        }
        let all = table.after(0, 10).expect("a page");
        assert_eq!(all, (vec![record("a", "group", "x"), record("a", "lease", "2")], 3));
        table.tell(record("a", "group", ""));
        assert_eq!(table.after(3, 10).expect("a page"), (vec![record("a", "group", "")], 4));
        assert_eq!(table.after(0, 1).expect("a page"), (vec![record("a", "lease", "2")], 3));
        assert!(table.after(5, 1).is_err(), "a place that it never had");
    }

    #[test]
    fn removals_are_bounded_and_a_reader_that_may_have_missed_one_starts_over() {
        let mut table = NodeTable::default();
        table.tell(record("a", "first", "x"));
        for n in 0..=REMOVALS_KEPT {
            table.tell(record("a", &n.to_string(), ""));
        }
        assert!(table.by_place.len() <= REMOVALS_KEPT + 1 && table.places.len() == table.by_place.len());
        assert!(matches!(table.after(1, 1), Err(BrokerError::OtherIncarnation { .. })));
        assert_eq!(table.after(0, 1).expect("a page").0, [record("a", "first", "x")]);
    }

    #[test]
    fn messages_that_no_broker_could_carry_are_refused() {
        let limits = Limits::default();
        record("a", "b", "").check(&limits).expect("a removal");
        assert!(record("", "b", "").check(&limits).is_err());
        assert!(record("a", "b\n", "").check(&limits).is_err());
        assert!(record(&"a".repeat(NODE_LIMIT + 1), "b", "").check(&limits).is_err());
        assert!(record("a", &"b".repeat(limits.key + 1), "").check(&limits).is_err());
        assert!(record("a", "b", &"c".repeat(limits.body + 1)).check(&limits).is_err());
    }
}
