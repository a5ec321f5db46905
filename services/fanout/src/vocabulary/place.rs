//! The place of a record in the log.

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

    /// What places are ordered by: the broker's time, then partition and offset.
    ///
    /// Every node reads it from the same records and so finds the same order, in whatever order it reads partitions.
    /// Within a partition it is the partition's own order, except for records stored while the broker's clock was set
    /// back.
    #[must_use]
    pub fn rank(self) -> (i64, u32, u64) {
        (self.time, self.partition, self.offset)
    }

    /// Whether this place is after another.
    #[must_use]
    pub fn is_after(self, other: Self) -> bool {
        self.rank() > other.rank()
    }
}
