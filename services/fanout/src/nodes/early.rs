//! Records of nodes whose lease has not been read yet; pure.
//!
//! A compacted stream has only the newest lease. So for a node that is behind or stood still, a lease may come after
//! the records that were written under it.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::lease::NodeId;

/// About how much memory such records may take. The nodes' own stream is small: this is several times all of it.
const MOST_BYTES: usize = 16 << 20;

/// The overhead of a record.
const OVERHEAD: usize = 128;

/// The records by node.
#[derive(Debug, Default)]
pub(super) struct Early {
    nodes: BTreeMap<NodeId, Words>,
    bytes: usize,
}

#[derive(Debug)]
struct Words {
    /// How many own renewals had been read when the first of them was.
    seen: u64,
    said: BTreeMap<String, Bytes>,
}

fn cost(what: &str, body: &Bytes) -> usize {
    what.len() + body.len() + OVERHEAD
}

impl Words {
    fn cost(&self) -> usize {
        self.said.iter().map(|(what, body)| cost(what, body)).sum()
    }
}

impl Early {
    /// Keeps a record, if there is room; an empty one withdraws the one before.
    pub(super) fn hear(&mut self, node: NodeId, what: String, body: Bytes, seen: u64) {
        if let Some(words) = self.nodes.get_mut(&node)
            && let Some(before) = words.said.remove(&what)
        {
            self.bytes -= cost(&what, &before);
        }
        if body.is_empty() {
            return;
        }
        let cost = cost(&what, &body);
        if self.bytes + cost > MOST_BYTES {
            tracing::warn!(%node, what, "a record of a node without a lease is skipped: too many of them are kept already");
            return;
        }
        self.bytes += cost;
        self.nodes.entry(node).or_insert_with(|| Words { seen, said: BTreeMap::new() }).said.insert(what, body);
    }

    /// Takes out a node's records: its lease has come, or its end.
    pub(super) fn remove(&mut self, node: &NodeId) -> BTreeMap<String, Bytes> {
        let Some(words) = self.nodes.remove(node) else { return BTreeMap::new() };
        self.bytes -= words.cost();
        words.said
    }

    /// Forgets nodes by when their first record was read.
    pub(super) fn forget(&mut self, is_over: impl Fn(u64) -> bool) {
        let over: Vec<NodeId> =
            self.nodes.iter().filter(|(_, words)| is_over(words.seen)).map(|(node, _)| node.clone()).collect();
        for node in over {
            self.remove(&node);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_take_bounded_memory_and_give_it_back() {
        let (mut early, node) = (Early::default(), NodeId::new("a", 1));
        for number in 0..200 {
            early.hear(node.clone(), number.to_string(), Bytes::from(vec![b'x'; 1 << 20]), 3);
        }
        assert!(early.bytes <= MOST_BYTES && early.nodes[&node].said.len() == 15, "{}", early.bytes);
        early.hear(node.clone(), "0".to_owned(), Bytes::from_static(b"shorter"), 4);
        early.hear(node.clone(), "1".to_owned(), Bytes::new(), 4);
        early.forget(|seen| seen > 3);
        assert_eq!(early.remove(&node).len(), 14);
        assert_eq!(early.bytes, 0);
    }
}
