//! The two kinds of readers, and reads of the file that survive a cancelled caller.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};

use super::Shared;
use super::store::Found;
use crate::broker::Reader;
use crate::error::BrokerError;
use crate::message::Record;
use crate::position::Position;

/// One read of the file at a time, off the async threads. If the caller stops waiting, the read continues, and the next
/// call takes its result. So a caller in a `select!` makes progress.
pub(super) struct DiskRead<T>(Option<JoinHandle<Result<T, BrokerError>>>);

impl<T: Send + 'static> DiskRead<T> {
    pub(super) fn new() -> Self {
        Self(None)
    }

    /// Whether a read was started whose result nobody has taken yet.
    fn is_running(&self) -> bool {
        self.0.is_some()
    }

    /// The result of the running read, else of the given one.
    pub(super) async fn get(
        &mut self,
        shared: &Arc<Shared>,
        read: impl FnOnce(&Shared) -> Result<T, BrokerError> + Send + 'static,
    ) -> Result<T, BrokerError> {
        let handle = self.0.get_or_insert_with(|| {
            let shared = Arc::clone(shared);
            tokio::spawn(async move {
                let permit = Arc::clone(&shared.reads).acquire_owned().await;
                let permit = permit.map_err(|_| BrokerError::Closed)?;
                let read = spawn_blocking(move || {
                    let _permit = permit;
                    read(&shared)
                });
                read.await.unwrap_or_else(|e| Err(failed(&e)))
            })
        });
        let result = handle.await;
        self.0 = None;
        result.unwrap_or_else(|e| Err(failed(&e)))
    }
}

fn failed(error: &tokio::task::JoinError) -> BrokerError {
    if error.is_cancelled() {
        return BrokerError::Closed;
    }
    BrokerError::Damaged("the database panicked while it was read".into())
}

/// Reads the log in order, then waits for more.
pub(super) struct LogReader {
    shared: Arc<Shared>,
    head: watch::Receiver<u64>,
    /// The offset of the next record.
    next: u64,
    position: Position,
    disk: DiskRead<Found>,
}

impl LogReader {
    pub(super) fn new(shared: Arc<Shared>, head: watch::Receiver<u64>, next: u64) -> Self {
        let position = shared.position(next - 1);
        Self { shared, head, next, position, disk: DiskRead::new() }
    }

    fn give(&mut self, records: Vec<Record>) -> Vec<Record> {
        if let Some(last) = records.last() {
            self.next = last.offset + 1;
            self.position.advance(last);
        }
        records
    }
}

#[async_trait]
impl Reader for LogReader {
    async fn next(&mut self) -> Result<Vec<Record>, BrokerError> {
        loop {
            let (first, last) = (self.next, *self.head.borrow_and_update());
            if first > last {
                let changed = self.head.changed().await;
                changed.map_err(|_| BrokerError::Closed)?;
                continue;
            }
            let limit = self.shared.batch;
            if !self.disk.is_running()
                && let Some(records) = self.shared.tail.read(first, last, limit)
            {
                return Ok(self.give(records));
            }
            let read = move |shared: &Shared| shared.store.log(first, last, limit);
            return match self.disk.get(&self.shared, read).await? {
                Found::Records(records) => Ok(self.give(records)),
                Found::Trimmed(oldest) => {
                    Err(BrokerError::Trimmed { oldest: self.shared.position(oldest.map_or(last, |offset| offset - 1)) })
                }
            };
        }
    }

    fn position(&self) -> &Position {
        &self.position
    }
}

/// Reads the newest record of each state key, in stream order.
pub(super) struct StateReader {
    shared: Arc<Shared>,
    head: watch::Receiver<u64>,
    next: u64,
    position: Position,
    disk: DiskRead<Vec<Record>>,
}

impl StateReader {
    pub(super) fn new(shared: Arc<Shared>, head: watch::Receiver<u64>) -> Self {
        let position = shared.position(0);
        Self { shared, head, next: 1, position, disk: DiskRead::new() }
    }
}

#[async_trait]
impl Reader for StateReader {
    async fn next(&mut self) -> Result<Vec<Record>, BrokerError> {
        // Up to the current head, not that of the call: a key that changed in between has left its old place and is
        // found at its new one. Not beyond the head: a position after such a record would be refused.
        let (first, last) = (self.next, *self.head.borrow());
        if first > last && !self.disk.is_running() {
            return Ok(Vec::new());
        }
        let limit = self.shared.batch;
        let read = move |shared: &Shared| shared.store.state(first, last, limit);
        let records = self.disk.get(&self.shared, read).await?;
        if let Some(last) = records.last() {
            self.next = last.offset + 1;
            self.position.advance(last);
        }
        Ok(records)
    }

    fn position(&self) -> &Position {
        &self.position
    }
}
