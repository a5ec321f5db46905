//! Remembers which streams passed their check.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::streams::Kind;
use crate::condition::Risk;

/// What was checked and need not be checked again before each publish.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// The streams of the log.
    pub(super) publishing: AtomicBool,
    /// The stream of dead letters.
    pub(super) letters: AtomicBool,
    /// The nodes' own stream.
    pub(super) nodes: AtomicBool,
    /// Messages to the stream of state may expire.
    pub(super) expiry: AtomicBool,
    /// Messages to the nodes' stream may expire.
    pub(super) nodes_expire: AtomicBool,
    /// For each stream that was found before: since when it is gone.
    seen: Mutex<HashMap<Kind, Option<Instant>>>,
    /// What makes each stream lose acknowledged messages.
    risks: Mutex<HashMap<Kind, Vec<Risk>>>,
}

/// How long a stream that was found before must be gone before it is created again. Whoever removed it may be about to
/// create it; and servers of version 2.9 break a stream that is created while its predecessor is still being removed.
const GRACE: Duration = Duration::from_secs(2);

impl Checked {
    pub(super) fn found(&self, kind: Kind, risks: Vec<Risk>) {
        self.risks.lock().unwrap_or_else(PoisonError::into_inner).insert(kind, risks);
    }

    /// What makes the streams of the log lose acknowledged messages.
    pub(super) fn risks(&self) -> Vec<Risk> {
        let risks = self.risks.lock().unwrap_or_else(PoisonError::into_inner);
        [Kind::Events, Kind::State].iter().filter_map(|kind| risks.get(kind)).flatten().cloned().collect()
    }

    pub(super) fn seen(&self, kind: Kind) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(kind, None);
    }

    pub(super) fn was_seen(&self, kind: Kind) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&kind)
    }

    /// Whether the stream existed a moment ago.
    pub(super) fn is_just_gone(&self, kind: Kind) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get_mut(&kind).is_some_and(|gone| gone.get_or_insert_with(Instant::now).elapsed() < GRACE)
    }
}
