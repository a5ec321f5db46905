//! When an issuer's keys are fetched and how long they are used: a state machine without a clock.
//!
//! Time is the duration since some start; the driver passes it in.

use std::sync::Arc;
use std::time::Duration;

use fanfare_failure::Backoff;

use crate::jwk::{KeySet, PassedOver, Sought, VerifyingKey};

/// The pauses after failed fetches.
const BACKOFF: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(30) };

/// The durations of the policy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    /// How often keys are fetched while fetching works.
    pub(crate) refresh: Duration,
    /// How long the last good keys are used after fetching started to fail.
    pub(crate) keep: Duration,
    /// Unknown key ids cause at most one fetch within this time.
    pub(crate) unknown_key_window: Duration,
}

/// The result of looking up a key id.
pub(crate) enum Lookup {
    /// This is the key.
    Found(Arc<VerifyingKey>),
    /// A fetch that may bring the key is due or running: look again when it has ended.
    Wait,
    /// The issuer does not publish such a key.
    Unknown,
    /// The keys are not known at the moment, so the id may be valid.
    Unavailable,
}

/// The driver's next step.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Fetch the keys and report the result.
    Fetch,
    /// Ask again at this time, or when a look-up answers [`Lookup::Wait`].
    At(Duration),
    /// Wait for the running fetch.
    Pending,
}

/// The keys of one issuer and when to fetch them.
pub(crate) struct KeyPolicy {
    timing: Timing,
    keys: Option<KeySet>,
    generation: u64,
    fetching: bool,
    due: Duration,
    demanded: bool,
    demanded_at: Option<Duration>,
    failing_since: Option<Duration>,
    failures: u32,
}

impl KeyPolicy {
    /// A policy without keys that wants to fetch them at once.
    pub(crate) fn new(timing: Timing) -> Self {
        Self {
            timing,
            keys: None,
            generation: 0,
            fetching: false,
            due: Duration::ZERO,
            demanded: false,
            demanded_at: None,
            failing_since: None,
            failures: 0,
        }
    }

    /// Counts the changes of the key set: what was verified under an older number may depend on a retired key.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether there are usable keys.
    pub(crate) fn available(&self, now: Duration) -> bool {
        let expired = self.failing_since.is_some_and(|since| now >= since + self.timing.keep);
        self.keys.is_some() && !expired
    }

    /// Looks up a key; an unknown id may ask for a fetch.
    pub(crate) fn lookup(&mut self, sought: Sought<'_>, now: Duration) -> Lookup {
        let available = self.available(now);
        if available && let Some(key) = self.keys.as_ref().and_then(|keys| keys.find(sought)) {
            return Lookup::Found(Arc::clone(key));
        }
        if self.fetching || self.demanded || (self.keys.is_none() && now >= self.due) {
            return Lookup::Wait;
        }
        let throttled = self.demanded_at.is_some_and(|at| now < at + self.timing.unknown_key_window);
        // Without usable keys the retries are running already; requests must not add to them.
        if available && !throttled {
            self.demanded = true;
            self.demanded_at = Some(now);
            return Lookup::Wait;
        }
        // While fetching fails, an unknown id may belong to a new key.
        if available && self.failing_since.is_none() { Lookup::Unknown } else { Lookup::Unavailable }
    }

    /// The next step; returning [`Next::Fetch`] starts the only concurrent fetch.
    pub(crate) fn next(&mut self, now: Duration) -> Next {
        if self.fetching {
            return Next::Pending;
        }
        if !self.demanded && now < self.due {
            return Next::At(self.due);
        }
        self.fetching = true;
        self.demanded = false;
        Next::Fetch
    }

    /// The fetch returned keys; whether they are others than before. `chance` in 0..1 spreads the next one.
    pub(crate) fn succeeded(&mut self, keys: KeySet, now: Duration, chance: f64) -> bool {
        self.fetching = false;
        self.failing_since = None;
        self.failures = 0;
        self.due = now + self.timing.refresh.mul_f64(0.9 + 0.2 * chance);
        let has_changed = !self.keys.as_ref().is_some_and(|known| known.same_as(&keys));
        if has_changed {
            self.generation += 1;
            self.keys = Some(keys);
        }
        has_changed
    }

    /// The published keys that cannot be used.
    pub(crate) fn passed_over(&self) -> &[PassedOver] {
        self.keys.as_ref().map(KeySet::passed_over).unwrap_or_default()
    }

    /// The fetch failed. `chance` in 0..1 spreads the next one.
    pub(crate) fn failed(&mut self, now: Duration, chance: f64) {
        self.fetching = false;
        self.failing_since.get_or_insert(now);
        self.failures = self.failures.saturating_add(1);
        self.due = now + BACKOFF.after_by(self.failures, chance);
    }
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
