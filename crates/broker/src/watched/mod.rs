//! A broker that watches its readers: one that stands still while the broker answers is reopened.
//!
//! A client library may wait for something that never arrives, for instance after a server was killed. Its reader then
//! returns neither records nor errors. Whatever the library is, there is one sign of it: the head of the log is beyond
//! the reader, and stays there.

mod last_write;
mod reader;
mod standstill;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

pub use self::standstill::{Patience, Stuck};

use self::last_write::LastWrite;
use self::reader::{Kind, WatchedReader};
use crate::broker::{Broker, Reader};
use crate::condition::{Condition, Writes};
use crate::error::{BrokerError, PublishError};
use crate::letter::DeadLetter;
use crate::message::{Message, Published, Record};
use crate::node_record::{NodeReader, NodeRecord};
use crate::position::Position;

/// Called for each reader that was stuck.
pub type Told = Arc<dyn Fn(Stuck) + Send + Sync>;

/// A broker whose stuck readers are reopened.
#[derive(Clone)]
pub struct Watched {
    broker: Arc<dyn Broker>,
    patience: Patience,
    told: Told,
    writes: Arc<LastWrite>,
}

impl Watched {
    /// Watches the readers of this broker; calls back for each that was stuck.
    pub fn new(broker: Arc<dyn Broker>, told: impl Fn(Stuck) + Send + Sync + 'static) -> Self {
        Self { broker, patience: Patience::default(), told: Arc::new(told), writes: Arc::default() }
    }

    /// The same with another patience.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }
}

#[async_trait]
impl Broker for Watched {
    async fn publish(&self, message: Message) -> Result<Published, PublishError> {
        let outcome = self.broker.publish(message).await;
        self.writes.note(outcome.as_ref().err(), Instant::now());
        outcome
    }

    async fn head(&self) -> Result<Position, BrokerError> {
        self.broker.head().await
    }

    async fn ends(&self) -> Result<Position, BrokerError> {
        self.broker.ends().await
    }

    fn horizon(&self) -> Duration {
        self.broker.horizon()
    }

    async fn state(&self) -> Result<Box<dyn Reader>, BrokerError> {
        let reader = self.broker.state().await?;
        Ok(Box::new(WatchedReader::new(self.clone(), Kind::State, reader)))
    }

    async fn read(&self, after: &Position) -> Result<Box<dyn Reader>, BrokerError> {
        let reader = self.broker.read(after).await?;
        Ok(Box::new(WatchedReader::new(self.clone(), Kind::Log, reader)))
    }

    async fn window(&self, age: Duration, records: u64) -> Result<Position, BrokerError> {
        self.broker.window(age, records).await
    }

    async fn dead_letter(&self, letter: DeadLetter) -> Result<(), PublishError> {
        let outcome = self.broker.dead_letter(letter).await;
        self.writes.note(outcome.as_ref().err(), Instant::now());
        outcome
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, BrokerError> {
        self.broker.dead_letters(limit).await
    }

    async fn dead_letters_before(
        &self,
        before: Option<(u32, u64)>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, BrokerError> {
        self.broker.dead_letters_before(before, limit).await
    }

    async fn dead_letter_at(&self, partition: u32, offset: u64) -> Result<Option<DeadLetter>, BrokerError> {
        self.broker.dead_letter_at(partition, offset).await
    }

    async fn record_at(&self, partition: u32, offset: u64) -> Result<Option<Record>, BrokerError> {
        self.broker.record_at(partition, offset).await
    }

    async fn tell_nodes(&self, record: NodeRecord) -> Result<(), PublishError> {
        self.broker.tell_nodes(record).await
    }

    async fn read_nodes(&self) -> Result<Box<dyn NodeReader>, BrokerError> {
        self.broker.read_nodes().await
    }

    async fn condition(&self) -> Condition {
        let mut condition = self.broker.condition().await;
        if condition.writes == Writes::Untold {
            condition.writes = self.writes.at(Instant::now());
        }
        condition
    }

    async fn close(&self) {
        self.broker.close().await;
    }
}
