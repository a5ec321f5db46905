//! How the reader of the log is doing, for the readiness probe.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fanfare_broker::Position;

use crate::clock::unix_millis;

/// A node whose reader is further behind than this is not ready (SEMANTICS 5.1), in milliseconds.
const MAX_LAG_MS: i64 = 10_000;

/// A node is degraded if the schema registry gives no answer for longer than this, in milliseconds.
const SCHEMAS_AWAY_MS: i64 = 10_000;

/// What the reader last said about itself.
#[derive(Debug)]
pub struct Status {
    caught_up: AtomicBool,
    connected: AtomicBool,
    /// When the broker was last read without a fault, in milliseconds since the epoch.
    connected_at: AtomicI64,
    /// How long a node that cannot read the log takes new connections (SEMANTICS 5.1).
    max_stale_ms: i64,
    lag_ms: AtomicI64,
    /// Since when the schema registry gives no answer, in milliseconds since the epoch; 0 while it does.
    schemas_away_since: AtomicI64,
    /// How far the log went that was read back at start.
    learnt: Mutex<Option<Position>>,
}

impl Status {
    /// Nothing is read yet; without the broker the node stays ready for `max_stale`.
    #[must_use]
    pub fn new(max_stale: Duration) -> Self {
        Self {
            caught_up: AtomicBool::new(false),
            connected: AtomicBool::new(false),
            connected_at: AtomicI64::new(0),
            max_stale_ms: i64::try_from(max_stale.as_millis()).unwrap_or(i64::MAX),
            lag_ms: AtomicI64::new(0),
            schemas_away_since: AtomicI64::new(0),
            learnt: Mutex::new(None),
        }
    }

    /// Everything that existed at start has been read.
    pub fn set_caught_up(&self) {
        self.caught_up.store(true, Ordering::Release);
    }

    /// Whether the schema registry gave an answer last time.
    pub fn set_schemas_away(&self, away: bool) {
        if !away {
            self.schemas_away_since.store(0, Ordering::Release);
        } else if self.schemas_away_since.load(Ordering::Acquire) == 0 {
            self.schemas_away_since.store(unix_millis(), Ordering::Release);
        }
    }

    /// Whether the schema registry has given no answer for so long that the stream has come to a halt.
    #[must_use]
    pub fn waits_for_schemas(&self) -> bool {
        let since = self.schemas_away_since.load(Ordering::Acquire);
        since != 0 && unix_millis().saturating_sub(since) > SCHEMAS_AWAY_MS
    }

    /// What was read back at start ends here; nobody was told of it.
    pub fn set_learnt(&self, until: Position) {
        *self.learnt.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    /// Whether a record was read back at start, and so told to nobody.
    #[must_use]
    pub fn was_learnt(&self, partition: u32, offset: u64) -> bool {
        let learnt = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        learnt.as_ref().is_some_and(|until| until.covers(partition, offset))
    }

    /// Whether the last read of the broker went well.
    pub fn set_connected(&self, connected: bool) {
        // Only the end of a connected time matters: until then the time that counts is now.
        if self.connected.swap(connected, Ordering::AcqRel) && !connected {
            self.connected_at.store(unix_millis(), Ordering::Release);
        }
    }

    /// How long ago the newest record read had been stored, while more are waiting.
    pub fn set_lag(&self, milliseconds: i64) {
        self.lag_ms.store(milliseconds, Ordering::Release);
    }

    /// Whether the broker could be read last time.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }

    /// Why the node is not ready, or nothing if it is.
    #[must_use]
    pub fn not_ready(&self) -> Option<&'static str> {
        if !self.caught_up.load(Ordering::Acquire) {
            return Some("reading back the log");
        }
        let away = unix_millis().saturating_sub(self.connected_at.load(Ordering::Acquire));
        if !self.is_connected() && away > self.max_stale_ms {
            return Some("the log cannot be read, for too long");
        }
        if self.is_connected() && self.lag_ms.load(Ordering::Acquire) > MAX_LAG_MS {
            return Some("more than 10 s behind the log");
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_ready_once_it_has_caught_up_and_while_it_keeps_up() {
        let status = Status::new(Duration::from_secs(300));
        assert_eq!(status.not_ready(), Some("reading back the log"));
        status.set_caught_up();
        status.set_connected(true);
        assert_eq!(status.not_ready(), None);
        status.set_lag(10_001);
        assert_eq!(status.not_ready(), Some("more than 10 s behind the log"));
    }

    #[test]
    fn without_the_broker_a_node_stays_ready_for_a_while() {
        for (max_stale, ready) in [(300, true), (0, false)] {
            let status = Status::new(Duration::from_secs(max_stale));
            status.set_caught_up();
            status.set_connected(true);
            status.set_connected(false);
            status.connected_at.fetch_sub(5, Ordering::AcqRel);
            assert_eq!(status.not_ready().is_none(), ready);
        }
    }

    #[test]
    fn a_schema_registry_that_stays_away_is_told() {
        let status = Status::new(Duration::from_secs(300));
        assert!(!status.waits_for_schemas());
        status.set_schemas_away(true);
        assert!(!status.waits_for_schemas(), "not yet");
        status.schemas_away_since.fetch_sub(SCHEMAS_AWAY_MS + 1, Ordering::AcqRel);
        status.set_schemas_away(true);
        assert!(status.waits_for_schemas(), "the first failure counts, not the last");
        status.set_schemas_away(false);
        assert!(!status.waits_for_schemas());
    }
}
