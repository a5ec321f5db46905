//! Writes dead letters: a record that cannot be used is stored with its reason, and the stream goes on.

use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::{Broker, DeadLetter, PublishError, Record};
use fanfare_failure::Backoff;
use fanfare_telemetry::metrics::FanoutMetrics;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Unusable;
use crate::clock::unix_millis;

/// How long writing a letter is tried before only its place is logged (rule 4.7).
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two tries.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(3) };

/// How many letters wait at most; the reader of the log waits for room when there are so many.
const MOST_WAITING: u32 = 1024;

/// How many bytes they have at most.
const MOST_BYTES: u32 = 16 << 20;

/// How many are written at the same time.
const WRITES: usize = 16;

/// Writes dead letters beside the stream, so that a flood of them does not delay it.
#[derive(Clone)]
pub struct DeadLetterWriter {
    broker: Arc<dyn Broker>,
    metrics: Arc<FanoutMetrics>,
    room: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    writes: Arc<Semaphore>,
}

impl DeadLetterWriter {
    /// Writes to this broker.
    #[must_use]
    pub fn new(broker: Arc<dyn Broker>, metrics: Arc<FanoutMetrics>) -> Self {
        let semaphore = |permits: usize| Arc::new(Semaphore::new(permits));
        Self {
            broker,
            metrics,
            room: semaphore(MOST_WAITING as usize),
            bytes: semaphore(MOST_BYTES as usize),
            writes: semaphore(WRITES),
        }
    }

    /// Takes the letter of a record that cannot be used; waits while too many wait already.
    pub(super) async fn send(&self, record: &Record, reason: &Unusable) {
        let (partition, offset) = (record.partition, record.offset);
        self.metrics.event_dead_lettered(&record.message.topic, reason.label());
        // The reason may quote a field name, never a value: payloads stay out of the log.
        tracing::warn!(partition, offset, topic = record.message.topic, reason = reason.label(), "dead letter");
        let letter = DeadLetter::new(record, text(reason), unix_millis());
        let size = u32::try_from(letter.message.size()).unwrap_or(MOST_BYTES).clamp(1, MOST_BYTES);
        let room = Arc::clone(&self.room).acquire_owned().await;
        let bytes = Arc::clone(&self.bytes).acquire_many_owned(size).await;
        // The semaphores are never closed.
        let (Ok(room), Ok(bytes)) = (room, bytes) else { return };
        self.metrics.dead_letter_queued();
        tokio::spawn(self.clone().write(letter, (room, bytes)));
    }

    async fn write(self, letter: DeadLetter, _room: (OwnedSemaphorePermit, OwnedSemaphorePermit)) {
        let (partition, offset) = (letter.partition, letter.offset);
        let write = async {
            let Ok(_turn) = self.writes.acquire().await else { return Ok(()) };
            tokio::time::timeout(PATIENCE, self.try_until_written(letter)).await.unwrap_or(Err(()))
        };
        if write.await.is_err() {
            self.metrics.dead_letter_lost();
            tracing::error!(partition, offset, "dead letter lost: only partition and offset of its record are known");
        }
        self.metrics.dead_letter_done();
    }

    async fn try_until_written(&self, letter: DeadLetter) -> Result<(), ()> {
        let (partition, offset) = (letter.partition, letter.offset);
        for failures in 1.. {
            match self.broker.dead_letter(letter.clone()).await {
                Ok(()) => return Ok(()),
                Err(error @ (PublishError::Invalid(_) | PublishError::TooLarge { .. })) => {
                    tracing::error!(partition, offset, %error, "the broker refuses this dead letter");
                    return Err(());
                }
                Err(error) => tracing::warn!(partition, offset, %error, "dead letter not written yet"),
            }
            tokio::time::sleep(BACKOFF.after(failures)).await;
        }
        Err(())
    }

    /// Waits until every accepted letter is written or lost, at most this long.
    pub async fn flush(&self, most: Duration) {
        if tokio::time::timeout(most, self.room.acquire_many(MOST_WAITING)).await.is_err() {
            tracing::warn!(
                "some dead letters were not written in time; the next start writes them as it reads the log back"
            );
        }
    }
}

impl std::fmt::Debug for DeadLetterWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeadLetterWriter").field("room", &self.room.available_permits()).finish_non_exhaustive()
    }
}

/// The reason as a letter has it: the kind of fault in front, by which operators choose letters.
fn text(reason: &Unusable) -> String {
    let (kind, text) = (reason.label(), reason.to_string());
    if text.starts_with(&format!("{kind}:")) { text } else { format!("{kind}: {text}") }
}
