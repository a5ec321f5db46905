//! What a reader has returned of each partition.

use std::collections::BTreeMap;

use super::names::Part;
use super::places::{Anchor, Anchors};

/// The last record of each partition, and the time with which a record is returned.
pub(super) struct Given {
    anchors: Anchors,
    /// The latest time with which a record was returned. Unlike an anchor's time it starts with nothing: what a
    /// position covers is at most as young as the position says, which is no time for what follows it in one partition.
    times: BTreeMap<Part, i64>,
}

impl Given {
    /// Nothing returned yet; what the position covers becomes the anchors.
    pub(super) fn new(anchors: Anchors) -> Self {
        Self { anchors, times: BTreeMap::new() }
    }

    /// What a later check compares with the log.
    pub(super) fn anchors(&self) -> &Anchors {
        &self.anchors
    }

    /// Notes the next returned record and returns its time: the time it was stored, but never before that of an earlier
    /// record, because another broker's clock may be behind when it becomes the leader.
    pub(super) fn note(&mut self, part: Part, offset: u64, stored: i64) -> i64 {
        let time = self.times.entry(part).or_insert(stored);
        *time = stored.max(*time);
        let anchor = self.anchors.entry(part).or_insert(Anchor { offset, time: stored });
        *anchor = Anchor { offset, time: stored.max(anchor.time) };
        *time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_given_with_the_time_it_was_stored_at_however_young_its_reader_is() {
        let [one, other] = [0, 1].map(|partition| Part { topic: 0, partition });
        let mut given = Given::new([one, other].map(|part| (part, Anchor { offset: 4, time: 1_000 })).into());
        assert_eq!(given.note(one, 5, 10), 10);
        assert_eq!(given.note(other, 5, 8), 8);
        assert_eq!(given.note(one, 6, 7), 10, "the clock was set back");
        assert_eq!(given.note(one, 7, 11), 11);
        // Nothing up to an anchor may be younger than the anchor's time.
        assert_eq!(given.anchors()[&one], Anchor { offset: 7, time: 1_000 });
        assert_eq!(given.note(one, 8, 1_001), 1_001);
        assert_eq!(given.anchors()[&one], Anchor { offset: 8, time: 1_001 });
    }
}
