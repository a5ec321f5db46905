//! The log of a test: in memory, in virtual time, with as many partitions as are written to.

use std::time::Duration;

use fanfare_broker::memory::{Memory, Shape};
use fanfare_broker::{DeadLetter, Position};

/// An empty log, whose dead letters take as long as with a broker that is far away.
pub(super) fn memory() -> Memory {
    let log = Memory::in_virtual_time(Shape::Embedded);
    log.slow(Duration::ZERO, Duration::from_millis(1));
    log
}

/// Leaves a hole at the end of a partition.
pub(super) fn leave_hole(log: &Memory, partition: u32) {
    log.change(|log| log.hole(partition, 1));
}

/// Drops the records of a partition up to an offset; state stays.
pub(super) fn trim(log: &Memory, partition: u32, up_to: u64) {
    log.change(|log| log.purge(&Position::from_parts(log.incarnation(), [(partition, up_to)])));
}

/// All dead letters.
pub(super) fn letters(log: &Memory) -> Vec<DeadLetter> {
    log.look(|log| log.letters().cloned().collect())
}
