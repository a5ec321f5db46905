//! How large an event may be, which changes while the node runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The largest body of an event in bytes, as all parts of a node know it.
#[derive(Debug, Clone)]
pub struct EventBytes(Arc<AtomicUsize>);

impl EventBytes {
    /// The bound of now.
    #[must_use]
    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Another bound, for every event from now on.
    pub fn set(&self, bytes: usize) {
        self.0.store(bytes, Ordering::Relaxed);
    }
}

impl From<usize> for EventBytes {
    fn from(bytes: usize) -> Self {
        Self(Arc::new(bytes.into()))
    }
}
