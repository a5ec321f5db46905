//! What was found of the streams.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::streams::Kind;
use crate::condition::Risk;

/// What was found to be as it must be, and need not be looked at before each publish.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// The streams that messages go to.
    pub(super) publishing: AtomicBool,
    /// The stream of dead letters.
    pub(super) letters: AtomicBool,
    /// The nodes' own stream.
    pub(super) nodes: AtomicBool,
    /// Messages to the stream of state may say how long they are kept.
    pub(super) expiry: AtomicBool,
    /// The same of the nodes' own stream.
    pub(super) nodes_expire: AtomicBool,
    /// For each stream that was seen: since when it is gone.
    seen: Mutex<HashMap<Kind, Option<Instant>>>,
    /// What makes each stream lose what it has acknowledged.
    risks: Mutex<HashMap<Kind, Vec<Risk>>>,
}

/// How long a stream must be gone that was there before, until it is made again. Who removes it may be about to make
/// it; and a server of version 2.9 breaks a stream that is made while the one before is still being removed.
const GRACE: Duration = Duration::from_secs(2);

impl Checked {
    pub(super) fn found(&self, kind: Kind, risks: Vec<Risk>) {
        self.risks.lock().unwrap_or_else(PoisonError::into_inner).insert(kind, risks);
    }

    /// What makes the streams of the log lose what they have acknowledged.
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

    /// Whether the stream was there a moment ago.
    pub(super) fn is_just_gone(&self, kind: Kind) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get_mut(&kind).is_some_and(|gone| gone.get_or_insert_with(Instant::now).elapsed() < GRACE)
    }
}
