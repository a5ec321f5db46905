//! One event type with its versions.

use std::fmt;
use std::sync::Arc;

use crate::decode::Plans;
use crate::{Schema, TypeName};

/// An event type with all its versions.
pub struct EventType {
    /// Never empty, the oldest first; version 1 has index 0.
    versions: Vec<Arc<Schema>>,
    /// How to read a record of each version.
    plans: Vec<Plans>,
}

impl EventType {
    /// Builds the type from its versions (at least one, the oldest first) and the plans with which the newest reads
    /// each.
    pub(super) fn new(versions: Vec<Arc<Schema>>, plans: Vec<Plans>) -> Self {
        Self { versions, plans }
    }

    /// The name.
    pub fn name(&self) -> &TypeName {
        &self.newest().event_type
    }

    /// All versions, the oldest first.
    pub fn versions(&self) -> &[Arc<Schema>] {
        &self.versions
    }

    /// The newest version.
    pub fn newest(&self) -> &Arc<Schema> {
        &self.versions[self.versions.len() - 1]
    }

    /// A version by its number.
    pub fn version(&self, number: u32) -> Option<&Arc<Schema>> {
        self.versions.iter().find(|schema| schema.version == number)
    }

    /// Whether the event sets state; all versions agree on that.
    pub fn is_stateful(&self) -> bool {
        self.newest().is_stateful()
    }

    /// A version by its index, and how to read its records.
    pub(super) fn written(&self, index: usize) -> (&Schema, &Plans) {
        (&self.versions[index], &self.plans[index])
    }
}

impl fmt::Debug for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v1 to v{}", self.name(), self.newest().version)
    }
}
