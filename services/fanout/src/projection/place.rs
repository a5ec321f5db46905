//! Where in the log something was said.

use fanfare_broker::{Position, Record};

/// One record's place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// The partition that holds the record.
    pub partition: u32,
    /// Its place in the partition.
    pub offset: u64,
    /// When the broker stored it, in milliseconds since the epoch: the only order between partitions.
    pub time: i64,
}

impl Place {
    /// The place of a record.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        Self { partition: record.partition, offset: record.offset, time: record.time }
    }

    /// Whether a reader that came as far as `position` has read this place.
    #[must_use]
    pub fn is_within(self, position: &Position) -> bool {
        position.covers(self.partition, self.offset)
    }

    /// Whether this place lies behind another: by the order of their partition, else by the broker's time, which
    /// every node reads from the same records and so finds the same.
    #[must_use]
    pub fn is_after(self, other: Self) -> bool {
        if self.partition == other.partition { self.offset > other.offset } else { self.time > other.time }
    }

    /// Whether something said here with this revision gives way to what is known from elsewhere.
    ///
    /// Revisions decide where both have one (SEMANTICS 4.3): partitions are read in any interleaving.
    /// Without them the log's order does, as far as there is one. The same place gives way too, so that
    /// a record read twice changes nothing.
    #[must_use]
    pub fn is_older(self, revision: Option<i64>, known: Self, known_revision: Option<i64>) -> bool {
        match (revision, known_revision) {
            (Some(this), Some(that)) if this != that => this < that,
            _ => self.partition == known.partition && self.offset <= known.offset,
        }
    }
}
