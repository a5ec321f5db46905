//! A place in the stream: how far a reader has come.

use std::cmp::Ordering;

use smallvec::SmallVec;

use crate::message::Record;

/// How far a reader has come: the last offset read of each partition.
///
/// A partition that is missing has not been read at all, unless the position [is partial](Self::is_partial). Positions
/// of another incarnation mean nothing in this one.
#[derive(Debug, Clone)]
pub struct Position {
    incarnation: u64,
    // Sorted by partition, one entry each.
    offsets: SmallVec<[(u32, u64); 2]>,
    newest: i64,
    partial: bool,
}

/// Two positions are equal if they cover the same records, whatever is known of their time.
impl PartialEq for Position {
    fn eq(&self, other: &Self) -> bool {
        self.incarnation == other.incarnation && self.offsets == other.offsets
    }
}

impl Eq for Position {}

impl Position {
    /// The position before the first record of a stream.
    pub fn start(incarnation: u64) -> Self {
        Self { incarnation, offsets: SmallVec::new(), newest: 0, partial: false }
    }

    /// Builds a position from its parts, in any order.
    ///
    /// If a partition is named twice, the lower offset counts: reading twice is harmless, a gap is not.
    pub fn from_parts(incarnation: u64, parts: impl IntoIterator<Item = (u32, u64)>) -> Self {
        let mut offsets: SmallVec<[(u32, u64); 2]> = parts.into_iter().collect();
        offsets.sort_unstable();
        offsets.dedup_by_key(|entry| entry.0);
        Self { incarnation, offsets, newest: 0, partial: false }
    }

    /// The same position, with the broker's time of the newest record that it covers.
    #[must_use]
    pub fn with_newest(mut self, time: i64) -> Self {
        self.newest = self.newest.max(time);
        self
    }

    /// The broker's time of the newest covered record, in milliseconds since the epoch; 0 if unknown.
    ///
    /// For a broker whose streams have no identity, this time reveals that a stream was recreated: no record at or
    /// below the position may be younger.
    pub fn newest(&self) -> i64 {
        self.newest
    }

    /// The same position, of which some partitions were left out: of a missing one nothing is known.
    #[must_use]
    pub fn partial(mut self) -> Self {
        self.partial = true;
        self
    }

    /// Whether partitions were left out, so that a missing one may have been read all the same.
    pub fn is_partial(&self) -> bool {
        self.partial
    }

    /// The incarnation of the position's stream.
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// The last offset read of each partition, sorted by partition.
    pub fn offsets(&self) -> &[(u32, u64)] {
        &self.offsets
    }

    /// The last offset read of one partition.
    pub fn offset(&self, partition: u32) -> Option<u64> {
        self.find(partition).ok().map(|at| self.offsets[at].1)
    }

    /// Whether the record at this place has been read.
    pub fn covers(&self, partition: u32, offset: u64) -> bool {
        self.offset(partition).is_some_and(|read| read >= offset)
    }

    /// Moves past a record. False if the position covered the record before; it then stays.
    pub fn advance(&mut self, record: &Record) -> bool {
        self.newest = self.newest.max(record.time);
        self.advance_to(record.partition, record.offset)
    }

    /// Moves past everything that `other` covers; both must be from one incarnation.
    pub fn merge(&mut self, other: &Self) {
        debug_assert_eq!(self.incarnation, other.incarnation);
        self.newest = self.newest.max(other.newest);
        for &(partition, offset) in &other.offsets {
            self.advance_to(partition, offset);
        }
    }

    /// What both cover; both must be of one incarnation.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Self {
        debug_assert_eq!(self.incarnation, other.incarnation);
        let both = |&(partition, offset): &(u32, u64)| Some((partition, offset.min(other.offset(partition)?)));
        Self {
            incarnation: self.incarnation,
            offsets: self.offsets.iter().filter_map(both).collect(),
            newest: self.newest.min(other.newest),
            partial: self.partial || other.partial,
        }
    }

    /// Moves past the given place. False if the position covered it before; it then stays.
    pub fn advance_to(&mut self, partition: u32, offset: u64) -> bool {
        match self.find(partition) {
            Ok(at) if self.offsets[at].1 >= offset => false,
            Ok(at) => {
                self.offsets[at].1 = offset;
                true
            }
            Err(at) => {
                self.offsets.insert(at, (partition, offset));
                true
            }
        }
    }

    fn find(&self, partition: u32) -> Result<usize, usize> {
        self.offsets.binary_search_by_key(&partition, |entry| entry.0)
    }

    /// Whether every record that `other` covers is covered by this position.
    fn covers_all(&self, other: &Self) -> bool {
        let mut parts = other.offsets.iter();
        parts.all(|&(partition, offset)| self.covers(partition, offset))
    }
}

/// Less means: covers less. Two positions have no order if they are from two incarnations, or if each covers something
/// that the other does not.
impl PartialOrd for Position {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        if self.incarnation != other.incarnation {
            return None;
        }
        match (self.covers_all(other), other.covers_all(self)) {
            (true, true) => Some(Ordering::Equal),
            (true, false) => Some(Ordering::Greater),
            (false, true) => Some(Ordering::Less),
            (false, false) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_sorted_and_the_lower_of_two_offsets_counts() {
        let p = Position::from_parts(7, [(3, 9), (1, 4), (3, 5)]);
        assert_eq!(p.offsets(), [(1, 4), (3, 5)]);
        assert_eq!(p.incarnation(), 7);
    }

    #[test]
    fn advance_never_goes_back() {
        let mut p = Position::start(1);
        assert!(!p.covers(0, 0));
        assert!(p.advance_to(2, 0));
        assert!(p.covers(2, 0));
        assert!(!p.advance_to(2, 0));
        assert!(p.advance_to(0, 8));
        assert!(!p.advance_to(0, 7));
        assert_eq!(p.offsets(), [(0, 8), (2, 0)]);
    }

    #[test]
    fn two_positions_meet_where_both_have_been() {
        let one = Position::from_parts(1, [(0, 5), (1, 2), (3, 1)]).with_newest(90);
        let other = Position::from_parts(1, [(0, 3), (1, 7), (2, 8)]).with_newest(70);
        let met = one.meet(&other);
        assert_eq!((met.offsets(), met.newest()), (&[(0, 3), (1, 2)][..], 70));
        assert_eq!(met, other.meet(&one));
        assert!(one.meet(&other.partial()).is_partial());
    }

    #[test]
    fn order_is_by_what_is_covered() {
        let p = |parts: &[(u32, u64)]| Position::from_parts(1, parts.iter().copied());
        assert!(p(&[(0, 1)]) < p(&[(0, 2)]));
        assert!(p(&[]) < p(&[(0, 0)]));
        assert!(p(&[(0, 2), (1, 1)]) > p(&[(0, 2)]));
        assert_eq!(p(&[(0, 2)]).partial_cmp(&p(&[(1, 2)])), None);
        let foreign = Position::from_parts(2, [(0, 1)]);
        assert_eq!(p(&[(0, 1)]).partial_cmp(&foreign), None);
    }
}
