//! Replays dead letters.

use std::collections::HashMap;

use fanfare_broker::{BrokerError, DeadLetter, Message, PublishError, Record, Stream};

use super::{DeadLetterAdmin, Fate, LetterId, LettersError, MOST_REPLAYED, Outcome, ReplayRequest, Replays};

/// The header that names the record that a message repeats.
const REPLAY_OF: &str = "fanfare-replay-of";

/// The place of the record that a message repeats, if it is the replay of a dead letter.
///
/// A node that started since may know the event from reading the log back, without having delivered it; for such a node
/// the replay is not a duplicate.
#[must_use]
pub fn replay_of(message: &Message) -> Option<LetterId> {
    let named = message.headers.iter().find(|(name, _)| name == REPLAY_OF);
    named.and_then(|(_, id)| id.parse().ok())
}

/// The message that repeats a record.
pub(crate) fn replay_message(record: Record, id: String) -> Message {
    let Record { partition, offset, mut message, .. } = record;
    message.headers.retain(|(name, _)| name != REPLAY_OF);
    message.headers.push((REPLAY_OF.to_owned(), LetterId { partition, offset }.to_string()));
    Message { id, ..message }
}

/// The key of its state.
type StateKey = (Option<String>, String, Option<String>);

impl DeadLetterAdmin {
    /// Publishes letters again, each with another message id and the `ce-id` it had (rule 4.1).
    ///
    /// What no node could use now is refused unless it is forced: it would only become a letter again. At most
    /// [`MOST_REPLAYED`] are looked at.
    ///
    /// # Errors
    /// [`LettersError`] if the broker gives no answer before anything is published.
    pub async fn replay(&self, request: &ReplayRequest) -> Result<Replays, LettersError> {
        let _turn = self.turn().await?;
        let mut letters = Vec::new();
        for &id in request.ids.iter().take(MOST_REPLAYED) {
            letters.push((id, self.broker.dead_letter_at(id.partition, id.offset).await?));
        }
        let newest = self.newest_state(letters.iter().filter_map(|(_, letter)| letter.as_ref())).await?;
        let mut outcomes = Vec::with_capacity(letters.len());
        for (id, letter) in letters {
            let fate = match letter {
                None => Fate::Unknown,
                Some(letter) if !request.force && superseded(&letter, &newest) => Fate::Superseded,
                Some(letter) => match self.again(&letter, request).await {
                    Ok(fate) => fate,
                    Err(error) => Fate::Failed { reason: error.to_string() },
                },
            };
            let failed = matches!(fate, Fate::Failed { .. });
            outcomes.push(Outcome { id, fate });
            if failed {
                break;
            }
        }
        Ok(Replays { letters: outcomes })
    }

    async fn again(&self, letter: &DeadLetter, request: &ReplayRequest) -> Result<Fate, BrokerError> {
        let Some(record) = self.whole(letter).await? else {
            return Ok(Fate::Cut { kept: letter.message.body.len() as u64, size: letter.body_size });
        };
        if let Some(fault) = self.fault(letter, &record).await
            && !request.force
        {
            return Ok(Fate::Unusable { reason: fault.to_string() });
        }
        if request.dry_run {
            return Ok(Fate::WouldStore);
        }
        Ok(self.publish(record).await)
    }

    async fn publish(&self, record: Record) -> Fate {
        let (partition, offset) = (record.partition, record.offset);
        // Another one each time: the broker would take the first as the same message.
        let id = format!("replay:{partition}-{offset}:{}", uuid::Uuid::now_v7());
        match self.broker.publish(replay_message(record, id)).await {
            Ok(stored) => {
                let at = LetterId::of((stored.partition, stored.offset));
                tracing::info!(partition, offset, %at, "dead letter published again");
                Fate::Stored { at }
            }
            Err(PublishError::Unknown(reason)) => {
                Fate::Failed { reason: format!("it may be stored or not: {reason}; doing it again is safe") }
            }
            Err(error) => Fate::Failed { reason: error.to_string() },
        }
    }

    /// The places of the newest records of the keys that letters of state are about.
    ///
    /// State has one writer, its producer: an older value that is published again must not take the place of a newer.
    async fn newest_state(
        &self,
        letters: impl Iterator<Item = &DeadLetter>,
    ) -> Result<HashMap<StateKey, Option<(u32, u64)>>, BrokerError> {
        let state = letters.filter(|letter| letter.message.stream == Stream::State);
        let mut newest: HashMap<StateKey, Option<(u32, u64)>> =
            state.map(|letter| (key(&letter.message), None)).collect();
        if newest.is_empty() {
            return Ok(newest);
        }
        let mut reader = self.broker.state().await?;
        loop {
            let batch = reader.next().await?;
            if batch.is_empty() {
                return Ok(newest);
            }
            for record in &batch {
                if let Some(place) = newest.get_mut(&key(&record.message)) {
                    *place = Some((record.partition, record.offset));
                }
            }
        }
    }
}

fn key(message: &Message) -> StateKey {
    (message.org.clone(), message.topic.clone(), message.key.clone())
}

/// Whether something was stored under the letter's key after it; a key that is gone was removed after it.
fn superseded(letter: &DeadLetter, newest: &HashMap<StateKey, Option<(u32, u64)>>) -> bool {
    newest.get(&key(&letter.message)).is_some_and(|place| *place != Some(letter.place()))
}
