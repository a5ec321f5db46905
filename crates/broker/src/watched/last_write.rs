//! Whether a log can be written, derived from the last write: for brokers that do not know by themselves.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::condition::Writes;
use crate::error::PublishError;

/// How long a failed write counts. A client with something to write tries again sooner.
const TELLS: Duration = Duration::from_secs(60);

/// The outcome of the last write that is conclusive for the whole log.
#[derive(Debug, Default)]
pub(super) struct LastWrite(Mutex<Last>);

#[derive(Debug, Default)]
enum Last {
    #[default]
    None,
    Stored,
    Failed(Instant, String),
}

impl LastWrite {
    /// Notes a write, and its failure if it is one.
    pub(super) fn note(&self, failure: Option<&PublishError>, now: Instant) {
        let last = match failure {
            None => Last::Stored,
            Some(PublishError::NotStored(reason) | PublishError::Unknown(reason)) => Last::Failed(now, reason.clone()),
            // A missing right, or the message itself: others may be stored.
            Some(PublishError::Refused(_) | PublishError::Invalid(_) | PublishError::TooLarge { .. }) => return,
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = last;
    }

    pub(super) fn at(&self, now: Instant) -> Writes {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Last::Stored => Writes::Work,
            Last::Failed(when, reason) if now.saturating_duration_since(*when) < TELLS => Writes::Fail(reason.clone()),
            Last::None | Last::Failed(..) => Writes::Untold,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_conclusive_write_counts_for_a_while() {
        let (last, now) = (LastWrite::default(), Instant::now());
        assert_eq!(last.at(now), Writes::Untold);
        last.note(Some(&PublishError::NotStored("no space".into())), now);
        last.note(Some(&PublishError::Refused("no right".into())), now);
        assert_eq!(last.at(now), Writes::Fail("no space".into()));
        assert_eq!(last.at(now + TELLS), Writes::Untold);
        last.note(None, now);
        assert_eq!(last.at(now + TELLS), Writes::Work);
    }
}
