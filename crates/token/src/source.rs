//! One issuer's keys: fixed, or fetched by a task of their own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fanfare_failure::chance;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::error::TokenError;
use crate::fetch::Fetcher;
use crate::jwk::{KeySet, PassedOver, Sought, VerifyingKey};
use crate::keys::{KeyPolicy, Lookup, Next, Timing};

/// A key, and the generation of its set.
pub(crate) type FoundKey = (Arc<VerifyingKey>, u64);

/// One issuer's keys.
pub(crate) enum KeySource {
    /// Keys from the configuration.
    Fixed(KeySet),
    /// Fetched keys; dropping this ends the task.
    Fetched { shared: Arc<Shared>, wait: Duration, task: JoinHandle<()> },
}

/// What the task and the callers share.
pub(crate) struct Shared {
    policy: Mutex<KeyPolicy>,
    start: Instant,
    demand: Notify,
    /// Counts the fetches that have ended.
    ended: watch::Sender<u64>,
}

impl Drop for KeySource {
    fn drop(&mut self) {
        if let Self::Fetched { task, .. } = self {
            task.abort();
        }
    }
}

impl KeySource {
    /// Starts the task that fetches; needs a runtime.
    pub(crate) fn fetched(fetcher: Fetcher, timing: Timing, wait: Duration) -> Self {
        let shared = Arc::new(Shared {
            policy: Mutex::new(KeyPolicy::new(timing)),
            start: Instant::now(),
            demand: Notify::new(),
            ended: watch::Sender::new(0),
        });
        let task = tokio::spawn(drive(Arc::clone(&shared), fetcher));
        Self::Fetched { shared, wait, task }
    }

    /// The generation of the keys in use, if there are usable ones.
    pub(crate) fn generation(&self) -> Option<u64> {
        match self {
            Self::Fixed(_) => Some(0),
            Self::Fetched { shared, .. } => {
                let policy = shared.policy();
                policy.available(shared.now()).then(|| policy.generation())
            }
        }
    }

    /// The key with this id; waits a little for a fetch that may bring it.
    pub(crate) async fn key(&self, sought: Sought<'_>) -> Result<FoundKey, TokenError> {
        let (shared, wait) = match self {
            Self::Fixed(keys) => {
                return keys.find(sought).map(|key| (Arc::clone(key), 0)).ok_or(TokenError::UnknownKey);
            }
            Self::Fetched { shared, wait, .. } => (shared, *wait),
        };
        let deadline = Instant::now() + wait;
        // Subscribed before the look-up, so that a fetch which ends in between is not missed.
        let mut ended = shared.ended.subscribe();
        loop {
            match shared.lookup(sought) {
                (Lookup::Found(key), generation) => return Ok((key, generation)),
                (Lookup::Unknown, _) => return Err(TokenError::UnknownKey),
                (Lookup::Unavailable, _) => return Err(TokenError::KeysUnavailable),
                (Lookup::Wait, _) => shared.demand.notify_one(),
            }
            match timeout_at(deadline, ended.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(TokenError::KeysUnavailable),
            }
        }
    }
}

impl Shared {
    fn policy(&self) -> MutexGuard<'_, KeyPolicy> {
        // The policy is consistent after each of its calls, so a panic elsewhere does not corrupt it.
        self.policy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn lookup(&self, sought: Sought<'_>) -> (Lookup, u64) {
        let mut policy = self.policy();
        let found = policy.lookup(sought, self.now());
        (found, policy.generation())
    }
}

/// Follows the policy for as long as the source lives.
async fn drive(shared: Arc<Shared>, fetcher: Fetcher) {
    loop {
        let next = shared.policy().next(shared.now());
        match next {
            Next::Fetch => {
                let fetched = fetcher.fetch().await;
                report(&shared, fetcher.issuer(), fetched);
                shared.ended.send_modify(|count| *count += 1);
            }
            Next::At(due) => {
                tokio::select! {
                    () = sleep_until(shared.start + due) => {}
                    () = shared.demand.notified() => {}
                }
            }
            // Only this task fetches, and it always reports, so this never happens.
            Next::Pending => shared.demand.notified().await,
        }
    }
}

fn report(shared: &Shared, issuer: &str, fetched: Result<KeySet, crate::fetch::FetchError>) {
    let mut policy = shared.policy();
    match fetched {
        Ok(keys) => {
            if policy.succeeded(keys, shared.now(), chance()) {
                for PassedOver { kid, reason } in policy.passed_over() {
                    tracing::info!(issuer, kid, reason, "a published key is passed over");
                }
            }
        }
        Err(error) => {
            tracing::warn!(issuer, %error, "cannot fetch the issuer's keys");
            policy.failed(shared.now(), chance());
        }
    }
}
