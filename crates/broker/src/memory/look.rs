//! Reads of the log.

use std::collections::BTreeMap;

use super::partition::Partition;
use super::{Log, Shape};
use crate::error::BrokerError;
use crate::message::Record;
use crate::position::Position;

impl Log {
    /// The position of the last place.
    #[must_use]
    pub fn head(&self) -> Position {
        self.position(self.partitions.iter().filter_map(|(number, partition)| Some((*number, partition.last?))))
    }

    /// A position of the log; a partition with nothing covered has no entry.
    fn position(&self, offsets: impl IntoIterator<Item = (u32, u64)>) -> Position {
        let parts: Vec<_> = offsets.into_iter().filter(|(_, offset)| *offset >= self.shape.first_offset()).collect();
        let newest =
            parts.iter().filter_map(|(number, offset)| Some(self.partitions.get(number)?.not_younger(*offset)));
        let newest = newest.max().unwrap_or(0);
        Position::from_parts(self.incarnation, parts).with_newest(newest)
    }

    /// The position just before the window: records stored since `since`, at most this many.
    ///
    /// Each broker counts in its own way: embedded and NATS by places of each partition, Kafka by the records of all
    /// partitions of events, the newest by time.
    #[must_use]
    pub fn window(&self, since: i64, records: u64) -> Position {
        let since = if self.shape == Shape::Kafka { self.since_of_newest(since, records) } else { since };
        let before = self.partitions.iter().filter_map(|(number, partition)| {
            let last = partition.last?;
            let by_count = match self.shape {
                Shape::Embedded | Shape::Nats => last.saturating_sub(records),
                Shape::Kafka if records == 0 => last,
                Shape::Kafka => 0,
            };
            let young = partition.records.iter().find(|record| record.time >= since);
            let by_age = match young {
                Some(oldest) => oldest.offset.checked_sub(1),
                None => Some(last),
            };
            let kept = partition.trimmed.map(|(offset, _)| offset);
            let by_count = Some(by_count).filter(|_| self.shape != Shape::Kafka || records == 0);
            Some((*number, by_age.max(by_count).max(kept)?.min(last)))
        });
        self.position(before)
    }

    /// The time since which at most this many events were stored, not before `since`.
    fn since_of_newest(&self, since: i64, records: u64) -> i64 {
        let events = self.partitions.values().filter(|partition| !partition.is_state);
        let mut times: Vec<i64> = events.flat_map(|partition| &partition.records).map(|record| record.time).collect();
        times.sort_unstable_by(|one, other| other.cmp(one));
        let first_too_many = usize::try_from(records).ok().and_then(|records| times.get(records));
        first_too_many.map_or(since, |time| since.max(time + 1))
    }

    /// Whether a reader may start after a position.
    ///
    /// # Errors
    /// [`BrokerError::OtherIncarnation`] if it is not from this log, [`BrokerError::Trimmed`] if records after it were
    /// removed.
    pub fn check(&self, after: &Position) -> Result<(), BrokerError> {
        let other = |reason: &str| Err(BrokerError::OtherIncarnation { reason: reason.to_owned() });
        if after.incarnation() != self.incarnation {
            return other("the log was recreated");
        }
        for &(number, offset) in after.offsets() {
            let Some(partition) = self.partitions.get(&number) else { return other("there is no such partition") };
            if partition.last.is_none_or(|last| last < offset) {
                return other("the log ends before it");
            }
            let at = partition.records.partition_point(|record| record.offset <= offset).checked_sub(1);
            let newest = at.and_then(|at| partition.records.get(at));
            if after.newest() > 0 && newest.is_some_and(|record| record.time > after.newest()) {
                return other("it holds younger records before it");
            }
        }
        let lost = self.partitions.iter().filter_map(|(number, partition)| Some((*number, partition.trimmed?)));
        let mut oldest = after.clone();
        for (number, (offset, time)) in lost.filter(|(number, (offset, _))| !after.covers(*number, *offset)) {
            oldest.advance_to(number, offset);
            oldest = oldest.with_newest(time);
        }
        if oldest == *after { Ok(()) } else { Err(BrokerError::Trimmed { oldest }) }
    }

    /// The partitions that have something after a position, if only a hole.
    #[must_use]
    pub fn unread(&self, after: &Position) -> Vec<u32> {
        let is_unread =
            |(number, partition): &(&u32, &Partition)| partition.last.is_some_and(|last| !after.covers(**number, last));
        self.partitions.iter().filter(is_unread).map(|(number, _)| *number).collect()
    }

    /// At most this many records of one partition after a position, and how far a reader has come with them.
    #[must_use]
    pub fn read(&self, after: &Position, partition: u32, most: usize) -> (Vec<Record>, Position) {
        let mut position = after.clone();
        let Some(from) = self.partitions.get(&partition) else { return (Vec::new(), position) };
        let records: Vec<Record> = from.behind(after.offset(partition)).take(most).cloned().collect();
        for record in &records {
            position.advance(record);
        }
        // If there is room left, only holes follow.
        if let Some(last) = from.last.filter(|_| records.len() < most) {
            position.advance_to(partition, last);
        }
        (records, position)
    }

    /// At most this many records of the newest state after a position, by partition and offset.
    #[must_use]
    pub fn state(&self, after: &Position, most: usize) -> Vec<Record> {
        let unread = |record: &&Record| !after.covers(record.partition, record.offset);
        if self.shape == Shape::Embedded {
            let table = self.table.values().filter(|record| !record.message.is_tombstone());
            let by_place: BTreeMap<_, _> =
                table.filter(unread).map(|record| ((record.partition, record.offset), record)).collect();
            return by_place.into_values().take(most).cloned().collect();
        }
        let state = self.partitions.values().filter(|partition| partition.is_state);
        state.flat_map(|partition| &partition.records).filter(unread).take(most).cloned().collect()
    }

    /// The record at a place, if it is still stored.
    #[must_use]
    pub fn record_at(&self, partition: u32, offset: u64) -> Option<&Record> {
        let records = &self.partitions.get(&partition)?.records;
        records.binary_search_by_key(&offset, |record| record.offset).ok().and_then(|at| records.get(at))
    }
}
