//! Readers of the log in memory.

use async_trait::async_trait;
use tokio::sync::watch;

use super::Memory;
use crate::broker::Reader;
use crate::error::BrokerError;
use crate::message::Record;
use crate::position::Position;

/// The largest number of records in a batch: few, so that tests see several batches.
const BATCH: usize = 3;

/// Follows the log.
pub(super) struct LogReader {
    log: Memory,
    changes: watch::Receiver<u64>,
    position: Position,
}

impl LogReader {
    pub(super) fn new(log: Memory, position: Position) -> Self {
        let changes = log.changes();
        Self { log, changes, position }
    }

    fn read(&self) -> Result<Option<(Vec<Record>, Position)>, BrokerError> {
        self.log.ask(|log| {
            log.check(&self.position)?;
            // The last partition first: no reader may rely on an order between partitions.
            let unread = log.unread(&self.position).pop();
            Ok(unread.map(|partition| log.read(&self.position, partition, BATCH)))
        })
    }
}

#[async_trait]
impl Reader for LogReader {
    async fn next(&mut self) -> Result<Vec<Record>, BrokerError> {
        loop {
            self.changes.borrow_and_update();
            if let Some((records, position)) = self.read()? {
                self.position = position;
                return Ok(records);
            }
            self.changes.changed().await.map_err(|_| BrokerError::Closed)?;
        }
    }

    fn position(&self) -> &Position {
        &self.position
    }
}

/// Reads the newest state once.
pub(super) struct StateReader {
    log: Memory,
    position: Position,
}

impl StateReader {
    pub(super) fn new(log: Memory, incarnation: u64) -> Self {
        Self { log, position: Position::start(incarnation) }
    }
}

#[async_trait]
impl Reader for StateReader {
    async fn next(&mut self) -> Result<Vec<Record>, BrokerError> {
        let records = self.log.ask(|log| {
            if log.incarnation() == self.position.incarnation() {
                return Ok(log.state(&self.position, BATCH));
            }
            Err(BrokerError::OtherIncarnation { reason: "the log was recreated".into() })
        })?;
        for record in &records {
            self.position.advance(record);
        }
        Ok(records)
    }

    fn position(&self) -> &Position {
        &self.position
    }
}
