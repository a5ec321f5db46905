//! NATS JetStream as the broker.
//!
//! Partition 0 is the stream of events, partition 1 the stream of state, which keeps the newest record of each subject.
//! Dead letters and nodes' records have streams of their own. An offset is a sequence of its stream. The record limit
//! of a replay window applies to each of the two streams.
//!
//! The servers may be unreachable when a [`Nats`] is opened and at any later time. It connects in the background, with
//! growing, jittered pauses, and returns `Unavailable` meanwhile.

mod checked;
mod durability;
mod letters;
mod link;
mod listener;
mod log;
mod login;
pub mod monitor;
mod nodes;
mod options;
mod pause;
mod place;
mod publish;
mod pull;
mod reader;
mod request;
mod source;
mod stored;
mod streams;
mod subject;
#[cfg(test)]
mod tests;
mod time;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::broker::{Broker, Reader};
use crate::condition::Condition;
use crate::error::{BrokerError, PublishError};
use crate::letter::DeadLetter;
use crate::message::{Message, Published, Record, Stream};
use crate::node_record::{NodeReader, NodeRecord};
use crate::position::Position;
use link::Link;
pub use options::{Login, OpenError, Options, Tls};

/// The partition of the stream of events.
const EVENTS: u32 = 0;

/// The partition of the stream of state.
const STATE: u32 = 1;

fn partition(stream: Stream) -> u32 {
    match stream {
        Stream::Events => EVENTS,
        Stream::State => STATE,
    }
}

/// A connection to NATS servers that keep the log.
pub struct Nats {
    shared: Arc<Shared>,
}

/// What a broker and its readers share.
struct Shared {
    options: Options,
    link: Link,
    checked: checked::Checked,
}

impl Nats {
    /// Starts to connect. Fails only if the options themselves are wrong; must be called within a tokio runtime.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        options.check()?;
        let link = Link::open(&options)?;
        let checked = checked::Checked::default();
        Ok(Self { shared: Arc::new(Shared { options, link, checked }) })
    }

    /// Logs in as somebody else from now on, or with newer certificates. That is tried first, with a connection of its own;
    /// what was asked over the one before is still answered, and its readers go on over the new one.
    ///
    /// # Errors
    /// Why the login is of no use; the one before stays.
    pub async fn log_in(&self, login: Login, tls: Option<Tls>) -> Result<(), String> {
        let Shared { options, link, .. } = &*self.shared;
        let other = Options { login, tls, ..options.clone() };
        let question = format!("$JS.API.STREAM.INFO.{}-events", options.prefix);
        let tried = link.try_other(&other, question).await?;
        link.use_other(tried, options.request_timeout);
        Ok(())
    }
}

#[async_trait]
impl Broker for Nats {
    async fn publish(&self, message: Message) -> Result<Published, PublishError> {
        self.shared.publish(message).await
    }

    async fn head(&self) -> Result<Position, BrokerError> {
        self.shared.head().await
    }

    async fn ends(&self) -> Result<Position, BrokerError> {
        self.shared.ends().await
    }

    fn horizon(&self) -> Duration {
        durability::HORIZON
    }

    async fn state(&self) -> Result<Box<dyn Reader>, BrokerError> {
        Ok(Box::new(reader::LogReader::state(&self.shared).await?))
    }

    async fn read(&self, after: &Position) -> Result<Box<dyn Reader>, BrokerError> {
        Ok(Box::new(reader::LogReader::open(&self.shared, after).await?))
    }

    async fn window(&self, age: Duration, records: u64) -> Result<Position, BrokerError> {
        self.shared.window(age, records).await
    }

    async fn dead_letter(&self, letter: DeadLetter) -> Result<(), PublishError> {
        self.shared.dead_letter(letter).await
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, BrokerError> {
        self.shared.newest_letters(limit).await
    }

    async fn dead_letters_before(
        &self,
        before: Option<(u32, u64)>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, BrokerError> {
        self.shared.letters_before(before, limit).await
    }

    async fn dead_letter_at(&self, partition: u32, offset: u64) -> Result<Option<DeadLetter>, BrokerError> {
        self.shared.letter_at(partition, offset).await
    }

    async fn record_at(&self, partition: u32, offset: u64) -> Result<Option<Record>, BrokerError> {
        self.shared.record_at(partition, offset).await
    }

    async fn tell_nodes(&self, record: NodeRecord) -> Result<(), PublishError> {
        self.shared.tell_nodes(record).await
    }

    async fn read_nodes(&self) -> Result<Box<dyn NodeReader>, BrokerError> {
        Ok(Box::new(nodes::Told::open(&self.shared).await?))
    }

    async fn condition(&self) -> Condition {
        Condition { risks: self.shared.checked.risks(), ..Condition::default() }
    }

    async fn close(&self) {
        self.shared.link.close().await;
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.shared.link.abandon();
    }
}
