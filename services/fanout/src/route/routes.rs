//! The routes of a node, which may be replaced while it runs.

use std::sync::{Arc, PoisonError, RwLock};

use super::RouteTable;

/// The routes as they are now; shared by all that routes.
///
/// Take them once for one event or one batch, so that the same routes apply to all of it.
#[derive(Debug, Clone)]
pub struct Routes(Arc<RwLock<Arc<RouteTable>>>);

impl Routes {
    /// The routes as they are now.
    #[must_use]
    pub fn now(&self) -> Arc<RouteTable> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts other routes in their place.
    ///
    /// # Errors
    /// The names of routes whose state-changing parts differ. The node has built its state by the old ones, so
    /// such a change needs a start.
    pub fn replace(&self, table: RouteTable) -> Result<(), Vec<String>> {
        let mut routes = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let learning = table.learning();
        let mut differing: Vec<String> =
            routes.learning().symmetric_difference(&learning).map(|(name, _)| name.clone()).collect();
        differing.sort();
        differing.dedup();
        if differing.is_empty() {
            *routes = Arc::new(table);
            Ok(())
        } else {
            Err(differing)
        }
    }
}

impl From<Arc<RouteTable>> for Routes {
    fn from(table: Arc<RouteTable>) -> Self {
        Self(Arc::new(RwLock::new(table)))
    }
}
