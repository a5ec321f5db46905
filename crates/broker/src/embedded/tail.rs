//! The newest records in memory, so that a live reader does not touch the disk.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};

use super::store::BatchLimit;
use crate::message::Record;

/// What a record costs beyond its bytes: the containers of its parts.
const RECORD_COST: usize = 256;

/// A ring of the newest records, bounded in bytes. Its records have no gap.
pub(super) struct Tail {
    limit: usize,
    ring: RwLock<Ring>,
}

#[derive(Default)]
struct Ring {
    records: VecDeque<Arc<Record>>,
    bytes: usize,
}

impl Tail {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, ring: RwLock::default() }
    }

    /// Adds records that follow the ones already there.
    pub(super) fn push(&self, records: Vec<Record>) {
        let records = records.into_iter().map(Arc::new).collect::<Vec<_>>();
        let mut dropped = Vec::new();
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        for record in records {
            ring.bytes += cost(&record);
            ring.records.push_back(record);
        }
        while ring.bytes > self.limit {
            let Some(oldest) = ring.records.pop_front() else {
                break;
            };
            ring.bytes -= cost(&oldest);
            dropped.push(oldest);
        }
        // Memory is freed after the lock, so that readers do not wait for it.
        drop(ring);
    }

    /// Drops everything; the file is authoritative.
    pub(super) fn clear(&self) {
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        *ring = Ring::default();
    }

    /// When a record was stored, if it is in memory.
    pub(super) fn time(&self, offset: u64) -> Option<i64> {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        let at = usize::try_from(offset.checked_sub(ring.records.front()?.offset)?).ok()?;
        ring.records.get(at).map(|record| record.time)
    }

    /// The records from `first` to `last`, as many as the limit allows. None if `first` is not in
    /// memory.
    pub(super) fn read(&self, first: u64, last: u64, limit: BatchLimit) -> Option<Vec<Record>> {
        let mut bytes = 0;
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        let front = ring.records.front()?.offset;
        let skip = usize::try_from(first.checked_sub(front)?).ok()?;
        let shared: Vec<Arc<Record>> = ring
            .records
            .iter()
            .skip(skip)
            .take(limit.records)
            .take_while(|record| {
                let is_first = bytes == 0;
                bytes += cost(record);
                record.offset <= last && (is_first || bytes <= limit.bytes)
            })
            .map(Arc::clone)
            .collect();
        drop(ring);
        // The expensive copies of the strings are made without the lock.
        let records: Vec<Record> = shared.iter().map(|r| Record::clone(r)).collect();
        (!records.is_empty()).then_some(records)
    }
}

fn cost(record: &Record) -> usize {
    record.message.size() + RECORD_COST
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Message, Stream};

    fn record(offset: u64) -> Record {
        Record {
            partition: 0,
            offset,
            time: 0,
            message: Message {
                stream: Stream::Events,
                org: None,
                topic: "t".into(),
                key: None,
                id: "i".into(),
                headers: vec![],
                body: vec![0; 98].into(),
            },
        }
    }

    fn offsets(tail: &Tail, first: u64, last: u64, records: usize, bytes: usize) -> Vec<u64> {
        let limit = BatchLimit { records, bytes };
        let batch = tail.read(first, last, limit).unwrap_or_default();
        batch.iter().map(|r| r.offset).collect()
    }

    #[test]
    fn the_oldest_leave_when_the_bytes_are_used_up() {
        let tail = Tail::new(3 * (100 + RECORD_COST));
        tail.push((5..10).map(record).collect());
        assert_eq!(offsets(&tail, 7, 9, 10, 10_000), [7, 8, 9]);
        assert!(offsets(&tail, 6, 9, 10, 10_000).is_empty());
        tail.push(vec![record(10)]);
        assert!(offsets(&tail, 7, 10, 10, 10_000).is_empty());
        assert_eq!(offsets(&tail, 8, 9, 10, 10_000), [8, 9]);
        tail.clear();
        assert!(offsets(&tail, 8, 10, 10, 10_000).is_empty());
    }

    #[test]
    fn a_batch_is_bounded_and_never_empty() {
        let tail = Tail::new(1 << 20);
        tail.push((1..10).map(record).collect());
        assert_eq!(offsets(&tail, 2, 9, 2, 10_000), [2, 3]);
        assert_eq!(offsets(&tail, 2, 9, 9, 2 * (100 + RECORD_COST)), [2, 3]);
        assert_eq!(offsets(&tail, 2, 9, 9, 1), [2]);
        assert!(offsets(&tail, 10, 10, 9, 1).is_empty());
    }

    #[test]
    fn a_ring_without_room_holds_nothing() {
        let tail = Tail::new(10);
        tail.push(vec![record(1)]);
        assert!(offsets(&tail, 1, 1, 1, 1).is_empty());
    }
}
