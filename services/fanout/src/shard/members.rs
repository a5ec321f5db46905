//! Which of a shard's tabs are in which group.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexSet;

use crate::groups::Interest;
use crate::vocabulary::name::GroupName;

/// The group index of one shard; announces first and last members to the pipeline.
#[derive(Debug, Default)]
pub(crate) struct Members {
    hubs: HashMap<Arc<str>, HashMap<GroupName, IndexSet<usize>>>,
}

impl Members {
    /// Adds a tab to a group.
    pub(crate) fn join(&mut self, hub: &Arc<str>, group: &GroupName, tab: usize, shard: usize, interest: &Interest) {
        let groups = self.hubs.entry(Arc::clone(hub)).or_default();
        let tabs = groups.entry(group.clone()).or_insert_with(|| {
            interest.add(hub, group, shard);
            IndexSet::new()
        });
        tabs.insert(tab);
    }

    /// Takes a tab out of a group.
    pub(crate) fn leave(&mut self, hub: &Arc<str>, group: &GroupName, tab: usize, shard: usize, interest: &Interest) {
        let Some(groups) = self.hubs.get_mut(hub) else { return };
        let Some(tabs) = groups.get_mut(group) else { return };
        tabs.swap_remove(&tab);
        if tabs.is_empty() {
            groups.remove(group);
            interest.remove(hub, group, shard);
        }
    }

    /// The tabs in a group.
    pub(crate) fn of(&self, hub: &str, group: &GroupName) -> impl Iterator<Item = usize> {
        self.hubs.get(hub).and_then(|groups| groups.get(group)).into_iter().flatten().copied()
    }
}
