//! The log's condition, as the writer reports it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::condition::{Condition, Writes};

/// The condition that the writer reported last.
#[derive(Debug)]
pub(super) struct LogCondition {
    writes: Mutex<Writes>,
    age: AtomicI64,
}

impl LogCondition {
    pub(super) fn new(age: i64) -> Self {
        Self { writes: Mutex::default(), age: AtomicI64::new(age) }
    }

    /// Notes whether the last write succeeded. True if that has changed.
    pub(super) fn set_writes(&self, writes: Writes) -> bool {
        let mut known = self.writes();
        let changed = matches!(*known, Writes::Fail(_)) != matches!(writes, Writes::Fail(_));
        *known = writes;
        changed
    }

    pub(super) fn writes_fail(&self) -> bool {
        matches!(*self.writes(), Writes::Fail(_))
    }

    pub(super) fn set_age(&self, age: i64) {
        self.age.store(age, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Condition {
        let age = self.age.load(Ordering::Relaxed);
        Condition {
            writes: self.writes().clone(),
            risks: Vec::new(),
            disk: Some("what is acknowledged is on the disk already".to_owned()),
            // A log without records has nothing to remove yet.
            age_clock: Some(age).filter(|age| *age > 0),
        }
    }

    fn writes(&self) -> MutexGuard<'_, Writes> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
