//! One partition of the log, and the partitions of each shape.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher as _};

use super::{Shape, key_of};
use crate::message::{Message, Record, Stream};

/// The number of partitions of events in Kafka's shape.
const EVENTS: u32 = 3;

/// The number of partitions of state in Kafka's shape, and the number of the first.
const STATE: u32 = 2;
const FIRST_OF_STATE: u32 = 10;

/// One partition.
#[derive(Debug, Clone, Default)]
pub(super) struct Partition {
    /// Whether it contains only state, which the retention does not remove.
    pub(super) is_state: bool,
    /// How far its clock is ahead, in milliseconds.
    pub(super) skew: i64,
    /// The last used offset, by a record or by a hole.
    pub(super) last: Option<u64>,
    /// When its last record was stored.
    pub(super) time: i64,
    pub(super) records: VecDeque<Record>,
    /// The highest offset that was removed without a replacement, and when that record was stored.
    pub(super) trimmed: Option<(u64, i64)>,
}

impl Partition {
    pub(super) fn trim_front(&mut self) {
        if let Some(oldest) = self.records.pop_front() {
            self.trimmed = Some((oldest.offset, oldest.time));
        }
    }

    /// The records after an offset; all of them if there is no offset.
    pub(super) fn behind(&self, read: Option<u64>) -> impl Iterator<Item = &Record> {
        let first = self.records.partition_point(|record| read.is_some_and(|read| record.offset <= read));
        self.records.range(first..)
    }

    /// A time such that no record up to an offset is younger.
    pub(super) fn not_younger(&self, offset: u64) -> i64 {
        let behind = self.records.partition_point(|record| record.offset <= offset);
        let newest = behind.checked_sub(1).and_then(|at| self.records.get(at)).or_else(|| self.records.get(behind));
        newest.map_or(self.time, |record| record.time)
    }
}

impl Shape {
    /// The partitions of a new log, each with whether it contains only state.
    pub(super) fn partitions(self) -> Vec<(u32, bool)> {
        match self {
            Self::Embedded => vec![(0, false)],
            Self::Nats => vec![(0, false), (1, true)],
            Self::Kafka => {
                let state = FIRST_OF_STATE..FIRST_OF_STATE + STATE;
                (0..EVENTS).map(|number| (number, false)).chain(state.map(|number| (number, true))).collect()
            }
        }
    }

    /// The partition that keeps the order of a message.
    pub(super) fn partition_of(self, message: &Message) -> u32 {
        match (self, message.stream) {
            (Self::Embedded, _) | (Self::Nats, Stream::Events) => 0,
            (Self::Nats, Stream::State) => 1,
            (Self::Kafka, Stream::Events) => pick(&message.org, EVENTS),
            (Self::Kafka, Stream::State) => FIRST_OF_STATE + pick(&key_of(message), STATE),
        }
    }

    /// The first offset of a partition.
    pub(super) fn first_offset(self) -> u64 {
        match self {
            Self::Embedded | Self::Nats => 1,
            Self::Kafka => 0,
        }
    }
}

/// One of this many partitions, the same in every process.
fn pick(key: &impl Hash, count: u32) -> u32 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    (hasher.finish() % u64::from(count)) as u32
}
