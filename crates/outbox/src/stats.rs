//! The relay's counters, for the caller to export.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The relay's counters; all since the process started, except those marked as current.
#[derive(Debug, Default)]
pub struct RelayStats {
    published: AtomicU64,
    parked: AtomicU64,
    retries: AtomicU64,
    lost: AtomicU64,
    database_errors: AtomicU64,
    pending: AtomicU64,
    oldest_pending_ms: AtomicU64,
    leading: AtomicBool,
}

impl RelayStats {
    /// Events published.
    pub fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }

    /// Events parked because the other side rejected them.
    pub fn parked(&self) -> u64 {
        self.parked.load(Ordering::Relaxed)
    }

    /// Attempts that failed and will be retried.
    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// Events that the broker had lost and that were published again.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Failed statements of the database.
    pub fn database_errors(&self) -> u64 {
        self.database_errors.load(Ordering::Relaxed)
    }

    /// Events that wait to be published, as of the last count; current.
    pub fn pending(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }

    /// How long the oldest waiting event had been waiting at the last count, in milliseconds; current.
    pub fn oldest_pending_ms(&self) -> u64 {
        self.oldest_pending_ms.load(Ordering::Relaxed)
    }

    /// Whether this relay holds the lease; current.
    pub fn leading(&self) -> bool {
        self.leading.load(Ordering::Relaxed)
    }

    pub(crate) fn add_published(&self) {
        self.published.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn add_parked(&self) {
        self.parked.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn add_retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn add_lost(&self, count: u64) {
        self.lost.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn add_database_error(&self) {
        self.database_errors.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn set_backlog(&self, unsent: u64, oldest_ms: u64) {
        self.pending.store(unsent, Ordering::Relaxed);
        self.oldest_pending_ms.store(oldest_ms, Ordering::Relaxed);
    }

    pub(crate) fn set_leading(&self, leading: bool) {
        self.leading.store(leading, Ordering::Relaxed);
    }
}
