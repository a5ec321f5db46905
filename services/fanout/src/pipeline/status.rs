//! How the reader of the log is doing, for the readiness probe.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// A node whose reader is further behind than this is not ready (SEMANTICS 5.1), in milliseconds.
const MAX_LAG_MS: i64 = 10_000;

/// What the reader last said about itself.
#[derive(Debug, Default)]
pub struct Status {
    caught_up: AtomicBool,
    connected: AtomicBool,
    lag_ms: AtomicI64,
}

impl Status {
    /// Everything that existed at start has been read.
    pub fn set_caught_up(&self) {
        self.caught_up.store(true, Ordering::Release);
    }

    /// Whether the last read of the broker went well.
    pub fn set_connected(&self, connected: bool) {
        self.connected.store(connected, Ordering::Release);
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
        if self.is_connected() && self.lag_ms.load(Ordering::Acquire) > MAX_LAG_MS {
            return Some("more than 10 s behind the log");
        }
        None
    }
}
