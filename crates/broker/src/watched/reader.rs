//! A reader that is watched while its caller waits for it.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::task::JoinHandle;

use super::Watched;
use super::standstill::{Standstill, Stuck, behind};
use crate::broker::Reader;
use crate::error::BrokerError;
use crate::message::Record;
use crate::position::Position;

/// How long the broker may take to return the end of the log.
const ANSWER: Duration = Duration::from_secs(10);

/// What is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// All state, up to its end: until then there is always more.
    State,
    /// The log.
    Log,
}

pub(super) struct WatchedReader {
    watched: Watched,
    kind: Kind,
    /// None while it must be reopened.
    reader: Option<Box<dyn Reader>>,
    /// The position of the reader that must be reopened.
    position: Position,
    standstill: Standstill,
    question: Option<Question>,
}

/// A pending request to the broker.
struct Question(JoinHandle<Result<Position, BrokerError>>);

impl Drop for Question {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl WatchedReader {
    pub(super) fn new(watched: Watched, kind: Kind, reader: Box<dyn Reader>) -> Self {
        let position = reader.position().clone();
        let standstill = Standstill::new(watched.patience, Instant::now());
        Self { watched, kind, reader: Some(reader), position, standstill, question: None }
    }

    fn ask(&mut self) {
        let broker = std::sync::Arc::clone(&self.watched.broker);
        self.question = Some(Question(tokio::spawn(async move {
            let late = |_| Err(BrokerError::Unavailable("the broker does not answer".into()));
            tokio::time::timeout(ANSWER, broker.head()).await.unwrap_or_else(late)
        })));
    }

    /// Evaluates the broker's answer.
    fn judge(&mut self, answer: Result<Position, BrokerError>) -> Option<Stuck> {
        let now = Instant::now();
        match (answer, self.kind) {
            (Ok(head), Kind::Log) => {
                let behind = behind(&head, Reader::position(self));
                self.standstill.answered(behind, now)
            }
            (Ok(_), Kind::State) => self.standstill.answered(1, now),
            (Err(_), _) => {
                self.standstill.unanswered(now);
                None
            }
        }
    }

    fn give_up(&mut self, stuck: Stuck) {
        let seconds = stuck.silent.as_secs();
        tracing::warn!(
            kind = ?self.kind, seconds, behind = stuck.behind,
            "a reader of the log is stuck although the broker answers; it is reopened at its position"
        );
        (self.watched.told)(stuck);
        if let Some(reader) = self.reader.take() {
            self.position = reader.position().clone();
        }
    }

    async fn open(&mut self) -> Result<(), BrokerError> {
        let broker = &self.watched.broker;
        let reader = match self.kind {
            Kind::Log => broker.read(&self.position).await?,
            Kind::State => {
                let reader = broker.state().await?;
                if reader.position().incarnation() != self.position.incarnation() {
                    let reason = "the stream of state was recreated while it was read".to_owned();
                    return Err(BrokerError::OtherIncarnation { reason });
                }
                reader
            }
        };
        self.reader = Some(reader);
        self.standstill.reopened(Instant::now());
        Ok(())
    }
}

#[async_trait]
impl Reader for WatchedReader {
    async fn next(&mut self) -> Result<Vec<Record>, BrokerError> {
        self.standstill.waited_for(Instant::now());
        loop {
            let Some(reader) = &mut self.reader else {
                self.open().await?;
                continue;
            };
            let due = tokio::time::Instant::from_std(self.standstill.next_question());
            let answer = tokio::select! {
                biased;
                batch = reader.next() => {
                    match &batch {
                        Err(BrokerError::Unavailable(_)) => self.standstill.unanswered(Instant::now()),
                        _ => self.standstill.moved(Instant::now()),
                    }
                    return batch;
                }
                answer = answer(&mut self.question) => answer,
                () = tokio::time::sleep_until(due), if self.question.is_none() => {
                    self.ask();
                    continue;
                }
            };
            self.question = None;
            if let Some(stuck) = self.judge(answer) {
                self.give_up(stuck);
            }
        }
    }

    fn position(&self) -> &Position {
        self.reader.as_ref().map_or(&self.position, |reader| reader.position())
    }
}

async fn answer(question: &mut Option<Question>) -> Result<Position, BrokerError> {
    match question {
        Some(Question(answer)) => {
            answer.await.unwrap_or_else(|error| Err(BrokerError::Unavailable(format!("a question failed: {error}"))))
        }
        None => std::future::pending().await,
    }
}
