//! Dead letters for the operator: lists, shows and replays them.

mod answer;
mod id;
mod replay;
#[cfg(test)]
mod tests;

pub use answer::{Fate, Listed, MOST_LISTED, MOST_REPLAYED, Now, Outcome, ReplayRequest, Replays, Shown, Summary};
pub use id::{LetterId, LetterIdError};
#[cfg(test)]
pub(crate) use replay::replay_message;
pub use replay::replay_of;

use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fanfare_broker::{Broker, BrokerError, DeadLetter, Record, Stream};
use fanfare_event::Event;
use thiserror::Error;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::decode::decode_within;
use super::{EventBytes, Schemas, Unusable};
use crate::route::{RouteTable, Routes};

/// How long a request waits for the one before it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the operator gets no answer.
#[derive(Debug, Clone, Error)]
pub enum LettersError {
    /// Another request is being answered.
    #[error("another request about dead letters is being answered; try again in a moment")]
    Busy,
    /// The broker gives no answer.
    #[error("the dead letters cannot be read: {0}")]
    Broker(#[from] BrokerError),
}

/// The dead letters of a broker. One request at a time: each may hold a thousand bodies.
#[derive(Clone)]
pub struct DeadLetterAdmin {
    broker: Arc<dyn Broker>,
    schemas: Schemas,
    routes: Routes,
    event_bytes: EventBytes,
    turn: Arc<Semaphore>,
}

impl DeadLetterAdmin {
    /// The letters of a broker, judged by these routes and their schemas, and by the largest body that nodes deliver.
    #[must_use]
    pub fn new(broker: Arc<dyn Broker>, schemas: Schemas, routes: Routes, event_bytes: EventBytes) -> Self {
        Self { broker, schemas, routes, event_bytes, turn: Arc::new(Semaphore::new(1)) }
    }

    /// The newest letters, at most `limit`, the newest first.
    ///
    /// # Errors
    /// [`LettersError`] if the broker gives no answer.
    pub async fn newest(&self, limit: usize) -> Result<Listed, LettersError> {
        let _turn = self.turn().await?;
        let mut letters = self.broker.dead_letters(limit.min(MOST_LISTED)).await?;
        letters.sort_by_key(|letter| Reverse((letter.time, letter.place())));
        Ok(listed(&letters))
    }

    /// A page of letters by their ids, the last id first: those before `before`, or from the end.
    ///
    /// # Errors
    /// [`LettersError`] if the broker gives no answer.
    pub async fn page(&self, before: Option<LetterId>, limit: usize) -> Result<Listed, LettersError> {
        let _turn = self.turn().await?;
        let before = before.map(LetterId::place);
        Ok(listed(&self.broker.dead_letters_before(before, limit.min(MOST_LISTED)).await?))
    }

    /// One letter as a whole, or nothing if there is none.
    ///
    /// # Errors
    /// [`LettersError`] if the broker gives no answer.
    pub async fn show(&self, id: LetterId) -> Result<Option<Shown>, LettersError> {
        let _turn = self.turn().await?;
        let Some(letter) = self.broker.dead_letter_at(id.partition, id.offset).await? else { return Ok(None) };
        let whole = self.whole(&letter).await?;
        let complete = whole.is_some();
        let message = whole.map_or_else(|| letter.message.clone(), |record| record.message);
        let now = if complete {
            let record =
                Record { partition: id.partition, offset: id.offset, time: letter.time, message: message.clone() };
            self.now(&letter, &record).await
        } else {
            Now { fault: Some("the body was cut and the record is no longer kept".to_owned()), data: None }
        };
        Ok(Some(Shown {
            summary: summary(&letter),
            stream: stream(message.stream).to_owned(),
            key: message.key,
            message_id: message.id,
            headers: message.headers,
            body: STANDARD.encode(&message.body),
            complete,
            now,
        }))
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, LettersError> {
        match tokio::time::timeout(PATIENCE, self.turn.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(LettersError::Busy),
        }
    }

    /// The record with its whole body: from the letter, or from the log where the letter was cut.
    async fn whole(&self, letter: &DeadLetter) -> Result<Option<Record>, BrokerError> {
        let (partition, offset) = letter.place();
        if !letter.is_cut() {
            return Ok(Some(Record { partition, offset, time: letter.time, message: letter.message.clone() }));
        }
        let found = self.broker.record_at(partition, offset).await?;
        // A recreated stream may have another record there.
        Ok(found.filter(|record| {
            let (ours, its) = (&letter.message, &record.message);
            ours.id == its.id && its.body.len() as u64 == letter.body_size && its.body.starts_with(&ours.body)
        }))
    }

    async fn now(&self, letter: &DeadLetter, record: &Record) -> Now {
        let data = self.event(record, &self.routes.now()).await.ok().flatten();
        let data = data.and_then(|event| serde_json::to_value(&event.record).ok());
        Now { fault: self.fault(letter, record).await.map(|fault| fault.to_string()), data }
    }

    async fn event(&self, record: &Record, routes: &RouteTable) -> Result<Option<Event>, Unusable> {
        let written = self.schemas.within(record, PATIENCE).await;
        let written = written.ok_or_else(|| Unusable::Schema("the schema registry gives no answer".to_owned()))?;
        decode_within(routes.schemas(), record, &written, self.event_bytes.get())
    }

    /// Why no node could use the record now, or nothing if it could.
    async fn fault(&self, letter: &DeadLetter, record: &Record) -> Option<Unusable> {
        if kind(&letter.reason) == Unusable::Conflict.label() {
            return Some(Unusable::Conflict);
        }
        let routes = self.routes.now();
        let event = match self.event(record, &routes).await {
            Ok(event) => event?,
            Err(fault) => return Some(fault),
        };
        routes.resolve(&event).err().map(Unusable::from)
    }
}

impl fmt::Debug for DeadLetterAdmin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetterAdmin").finish_non_exhaustive()
    }
}

fn listed(letters: &[DeadLetter]) -> Listed {
    Listed { letters: letters.iter().map(summary).collect() }
}

fn summary(letter: &DeadLetter) -> Summary {
    Summary {
        id: LetterId::of(letter.place()),
        time: letter.time,
        topic: letter.message.topic.clone(),
        org: letter.message.org.clone(),
        size: letter.body_size,
        kind: kind(&letter.reason).to_owned(),
        reason: letter.reason.clone(),
    }
}

/// The kind of fault that a reason begins with.
fn kind(reason: &str) -> &'static str {
    let named = |kind: &&&str| reason.strip_prefix(**kind).is_some_and(|rest| rest.starts_with(':'));
    Unusable::LABELS.iter().find(named).copied().unwrap_or("other")
}

fn stream(stream: Stream) -> &'static str {
    match stream {
        Stream::Events => "events",
        Stream::State => "state",
    }
}
