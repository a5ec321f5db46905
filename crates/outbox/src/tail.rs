//! Whether a broker still has what it acknowledged: a power failure may have cost it the end of its log.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use fanfare_broker::{Broker, BrokerError, Position};
use tokio::task::JoinSet;

use crate::publisher::{Found, Place, PublishError, PublishedRow};

/// How many places are checked concurrently.
const AT_ONCE: usize = 16;

/// The last offset of each partition that is known to have been assigned.
type Ends = BTreeMap<u32, u64>;

/// The end of the log, as far as this process was answered.
#[derive(Debug, Default)]
pub(crate) struct Tail(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    ends: Ends,
    incarnation: Option<u64>,
    went_back: bool,
    /// Whether a publication got no answer since the last check.
    unanswered: bool,
}

impl Tail {
    /// What is known before a message is sent.
    pub(crate) fn before(&self) -> Ends {
        self.known(|known| known.ends.clone())
    }

    /// Notes where a message was stored. No place is assigned twice, so a place that is not after everything known when
    /// the message was sent shows that the log went back.
    pub(crate) fn stored(&self, before: &Ends, place: Place) {
        self.known(|known| {
            known.went_back |= before.get(&place.partition).is_some_and(|end| place.offset <= *end);
            let end = known.ends.entry(place.partition).or_insert(place.offset);
            *end = (*end).max(place.offset);
        });
    }

    /// A message got no answer: the server that answers next may be a different one.
    pub(crate) fn unanswered(&self) {
        self.known(|known| known.unanswered = true);
    }

    /// Whether a check is worthwhile.
    pub(crate) fn is_unsure(&self) -> bool {
        self.known(|known| known.unanswered || known.went_back)
    }

    /// The check starts: missing answers from here on count again.
    pub(crate) fn asks(&self) {
        self.known(|known| known.unanswered = false);
    }

    /// Whether the log has lost its end since the last call, given its current end.
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

/// What is stored at each of these rows' places.
pub(crate) async fn look(broker: &Arc<dyn Broker>, rows: &[&PublishedRow]) -> Result<Vec<Found>, PublishError> {
    let head = broker.head().await.map_err(|error| unknown(&error))?;
    let mut found = vec![Found::Another; rows.len()];
    // A log that has lost its end is short at first, and then no request is needed.
    let mut covered = rows.iter().enumerate().filter(|(_, row)| head.covers(row.place.partition, row.place.offset));
    let mut asked = JoinSet::new();
    loop {
        while asked.len() < AT_ONCE {
            let Some((at, row)) = covered.next() else { break };
            let (broker, place, id) = (Arc::clone(broker), row.place, row.event.attributes.dedup_id());
            asked.spawn(async move { (at, one(&*broker, place, &id).await) });
        }
        match asked.join_next().await {
            None => return Ok(found),
            Some(Ok((at, answer))) => found[at] = answer?,
            Some(Err(error)) => return Err(PublishError::Retry(error.to_string())),
        }
    }
}

async fn one(broker: &dyn Broker, place: Place, id: &str) -> Result<Found, PublishError> {
    let record = broker.record_at(place.partition, place.offset).await.map_err(|error| unknown(&error))?;
    Ok(match record {
        None => Found::Nothing,
        Some(record) if record.message.id == id => Found::Itself,
        Some(_) => Found::Another,
    })
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
        assert!(tail.went_back(&Position::from_parts(8, [(0, 9)])), "a recreated log");
    }

    #[test]
    fn an_offset_that_is_given_out_twice_shows_a_lost_end() {
        let tail = Tail::default();
        let head = Position::from_parts(7, [(0, 100)]);
        let (first, second) = (tail.before(), tail.before());
        tail.stored(&first, at(0, 5));
        // Sent before the other was answered: their order proves nothing.
        tail.stored(&second, at(0, 4));
        assert!(!tail.went_back(&head));
        tail.stored(&tail.before(), at(0, 3));
        assert!(tail.is_unsure() && tail.went_back(&head) && !tail.went_back(&head));
        assert!(!tail.is_unsure());
        tail.unanswered();
        assert!(tail.is_unsure());
        tail.asks();
        assert!(!tail.is_unsure());
    }
}
