//! The broker's time of the last record read, for each partition.

use fanfare_broker::Record;

/// The broker's time of the last record read of each partition; what a cursor that is too long leaves out first.
#[derive(Debug, Clone, Default)]
pub struct ReadTimes(
    // Sorted by partition.
    Vec<(u32, i64)>,
);

impl ReadTimes {
    /// Notes a record that was read.
    pub fn note(&mut self, record: &Record) {
        match self.0.binary_search_by_key(&record.partition, |entry| entry.0) {
            Ok(at) => self.0[at].1 = self.0[at].1.max(record.time),
            Err(at) => self.0.insert(at, (record.partition, record.time)),
        }
    }

    /// The time of a partition; one of which nothing was read is older than all.
    #[must_use]
    pub fn of(&self, partition: u32) -> i64 {
        self.0.binary_search_by_key(&partition, |entry| entry.0).map_or(i64::MIN, |at| self.0[at].1)
    }
}
