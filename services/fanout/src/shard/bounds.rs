//! How much one connection may hold and be sent: the same for all shards, and other values while they run.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::limit::ConnectionBounds;

/// The bounds that all shards go by. Each value counts for itself from the moment at which it is set.
#[derive(Debug)]
pub struct SharedBounds {
    queue_bytes: AtomicUsize,
    resume_notifications: AtomicUsize,
    resume_bytes: AtomicUsize,
    joined_groups: AtomicUsize,
}

impl SharedBounds {
    /// Begins with these.
    #[must_use]
    pub fn new(bounds: ConnectionBounds) -> Self {
        Self {
            queue_bytes: bounds.queue_bytes.into(),
            resume_notifications: bounds.resume_notifications.into(),
            resume_bytes: bounds.resume_bytes.into(),
            joined_groups: bounds.joined_groups.into(),
        }
    }

    /// Goes by these from now on. What waits already, or was joined, stays, also beyond them.
    pub fn set(&self, bounds: ConnectionBounds) {
        self.queue_bytes.store(bounds.queue_bytes, Ordering::Relaxed);
        self.resume_notifications.store(bounds.resume_notifications, Ordering::Relaxed);
        self.resume_bytes.store(bounds.resume_bytes, Ordering::Relaxed);
        self.joined_groups.store(bounds.joined_groups, Ordering::Relaxed);
    }

    pub(super) fn queue_bytes(&self) -> usize {
        self.queue_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn resume_notifications(&self) -> usize {
        self.resume_notifications.load(Ordering::Relaxed)
    }

    pub(super) fn resume_bytes(&self) -> usize {
        self.resume_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn joined_groups(&self) -> usize {
        self.joined_groups.load(Ordering::Relaxed)
    }
}
