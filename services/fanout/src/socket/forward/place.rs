//! The places for forwarded requests; each is given back when it is dropped.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::connection::Home;
use crate::limit::{Forwards, NoPlace, Place, Who};

/// The places of a node.
#[derive(Debug)]
pub(super) struct Places(Mutex<Forwards<Home>>);

/// A taken place, until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    place: Place,
    places: Arc<Places>,
}

impl Places {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Forwards::new(most))))
    }

    fn rule(&self) -> MutexGuard<'_, Forwards<Home>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place.
    pub(super) fn take(self: &Arc<Self>, who: Who) -> Result<Held, NoPlace> {
        let place = self.rule().take(who)?;
        Ok(Held { place, places: Arc::clone(self) })
    }

    /// Whether a node could not be reached a moment ago.
    pub(super) fn is_left_alone(&self, node: &Home) -> bool {
        self.rule().is_left_alone(node, Instant::now())
    }

    /// A node could not be reached in time.
    pub(super) fn leave_alone(&self, node: &Home) {
        self.rule().leave_alone(node.clone(), Instant::now());
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.places.rule().give_back(self.place);
    }
}
