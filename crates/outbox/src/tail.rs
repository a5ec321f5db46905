//! Whether a broker still has what it has answered for: it may have lost the end of its log with its power.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use fanfare_broker::{Broker, BrokerError, Position};
use fanfare_event::Encoded;

use crate::publisher::{Place, PublishError, PublishedRow};

/// The last offset of each partition that is known to have been given out.
type Ends = BTreeMap<u32, u64>;

/// How far the log had come by what this process was answered.
#[derive(Debug, Default)]
pub(crate) struct Tail(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    ends: Ends,
    incarnation: Option<u64>,
    went_back: bool,
}

impl Tail {
    /// What is known before a message is sent.
    pub(crate) fn before(&self) -> Ends {
        self.known(|known| known.ends.clone())
    }

    /// Notes where a message was stored. No place is given out twice, so one that is not behind all that was known when
    /// the message was sent tells that the log went back.
    pub(crate) fn stored(&self, before: &Ends, place: Place) {
        self.known(|known| {
            known.went_back |= before.get(&place.partition).is_some_and(|end| place.offset <= *end);
            let end = known.ends.entry(place.partition).or_insert(place.offset);
            *end = (*end).max(place.offset);
        });
    }

    /// Whether the log has lost its end since this was asked last, given where it ends now.
    pub(crate) fn went_back(&self, head: &Position) -> bool {
        self.known(|known| {
            let is_another = known.incarnation.replace(head.incarnation()).is_some_and(|was| was != head.incarnation());
            let is_short = known.ends.iter().any(|(partition, end)| !head.covers(*partition, *end));
            if is_another || is_short || known.went_back {
                known.ends = head.offsets().iter().copied().collect();
            }
            std::mem::take(&mut known.went_back) || is_another || is_short
        })
    }

    fn known<T>(&self, use_it: impl FnOnce(&mut Known) -> T) -> T {
        use_it(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What state is kept by.
type StateKey<'k> = (Option<&'k str>, &'k str, &'k str);

/// Which of these are not where they were stored, of rows in the order of publication, the last first.
///
/// What a log loses is its end. Of what was published before the last time at which all was well one looks in each
/// partition to the first that is there; what was published since may have been stored before the loss or after it.
///
/// Of state a broker keeps the newest of a key alone: what is gone from below a newer one that is there was not lost,
/// and must not be stored behind it.
pub(crate) async fn lost(broker: &dyn Broker, kept: &[PublishedRow]) -> Result<Vec<i64>, PublishError> {
    let head = broker.head().await.map_err(|error| unknown(&error))?;
    let (mut intact, mut later) = (Vec::new(), HashMap::new());
    let mut lost = Vec::new();
    for kept in kept {
        let Place { partition, offset } = kept.place;
        if intact.contains(&partition) {
            continue;
        }
        let found = if head.covers(partition, offset) { look(broker, kept).await? } else { Found::Another };
        let newer = state_key(&kept.event).and_then(|key| later.get(&key).copied());
        let is_lost = match (found, newer) {
            (Found::Itself, _) => {
                if !kept.is_recent {
                    intact.push(partition);
                }
                false
            }
            // Something newer of its key took its place, unless that is lost itself.
            (Found::Another | Found::Nothing, Some(newer_is_lost)) => newer_is_lost,
            (Found::Another, None) => true,
            // Whoever else writes this key has replaced it, or it has left the retention.
            (Found::Nothing, None) => false,
        };
        if let Some(key) = state_key(&kept.event) {
            later.entry(key).or_insert(is_lost);
        }
        if is_lost {
            lost.push(kept.seq);
        }
    }
    Ok(lost)
}

enum Found {
    Itself,
    /// Something else is there, or the log ends before.
    Another,
    Nothing,
}

async fn look(broker: &dyn Broker, kept: &PublishedRow) -> Result<Found, PublishError> {
    let record = broker.record_at(kept.place.partition, kept.place.offset).await.map_err(|error| unknown(&error))?;
    Ok(match record {
        None => Found::Nothing,
        Some(record) if record.message.id == kept.event.attributes.dedup_id() => Found::Itself,
        Some(_) => Found::Another,
    })
}

fn state_key(event: &Encoded) -> Option<StateKey<'_>> {
    let org = event.attributes.org.as_ref().map(fanfare_event::Id::as_str);
    event.key.as_deref().map(|key| (org, event.attributes.event_type.as_str(), key))
}

pub(crate) fn unknown(error: &BrokerError) -> PublishError {
    match error {
        BrokerError::Refused(_) => PublishError::Rejected(error.to_string()),
        other => PublishError::Unreachable(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(partition: u32, offset: u64) -> Place {
        Place { partition, offset }
    }

    #[test]
    fn a_log_that_ends_before_what_it_answered_went_back() {
        let tail = Tail::default();
        let head = |offset| Position::from_parts(7, [(0, offset)]);
        assert!(!tail.went_back(&head(4)));
        tail.stored(&tail.before(), at(0, 5));
        assert!(!tail.went_back(&head(5)));
        assert!(tail.went_back(&head(4)));
        assert!(!tail.went_back(&head(4)), "told once");
        assert!(tail.went_back(&Position::from_parts(8, [(0, 9)])), "a log made anew");
    }

    #[test]
    fn a_place_that_was_given_out_before_tells_it_too() {
        let tail = Tail::default();
        let head = Position::from_parts(7, [(0, 100)]);
        let (first, second) = (tail.before(), tail.before());
        tail.stored(&first, at(0, 5));
        // Sent before the other was answered: their order says nothing.
        tail.stored(&second, at(0, 4));
        assert!(!tail.went_back(&head));
        tail.stored(&tail.before(), at(0, 3));
        assert!(tail.went_back(&head) && !tail.went_back(&head));
    }
}
