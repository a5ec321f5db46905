//! Which of a shard's connections are in which group.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use indexmap::IndexSet;

use crate::groups::Interest;
use crate::vocabulary::name::GroupName;

/// The group index of one shard; announces first and last members to the pipeline.
#[derive(Debug, Default)]
pub(crate) struct Members {
    hubs: HashMap<Arc<str>, HashMap<GroupName, IndexSet<usize>>>,
    /// Tabs that have come into a group or left one since this was asked; kept where it is asked at all.
    moved: Option<VecDeque<usize>>,
}

impl Members {
    /// Notes which tabs move.
    pub(crate) fn watched() -> Self {
        Self { hubs: HashMap::new(), moved: Some(VecDeque::new()) }
    }

    /// The next tab that has moved.
    pub(crate) fn next_moved(&mut self) -> Option<usize> {
        self.moved.as_mut()?.pop_front()
    }

    /// Whether a tab has moved.
    pub(crate) fn has_moved(&self) -> bool {
        self.moved.as_ref().is_some_and(|moved| !moved.is_empty())
    }

    fn note(&mut self, tab: usize) {
        if let Some(moved) = &mut self.moved
            && moved.back() != Some(&tab)
        {
            moved.push_back(tab);
        }
    }

    /// Adds a tab to a group.
    pub(crate) fn join(&mut self, hub: &Arc<str>, group: &GroupName, tab: usize, shard: usize, interest: &Interest) {
        let groups = self.hubs.entry(Arc::clone(hub)).or_default();
        let tabs = groups.entry(group.clone()).or_insert_with(|| {
            interest.add(hub, group, shard);
            IndexSet::new()
        });
        tabs.insert(tab);
        self.note(tab);
    }

    /// Takes a tab out of a group.
    pub(crate) fn leave(&mut self, hub: &Arc<str>, group: &GroupName, tab: usize, shard: usize, interest: &Interest) {
        self.note(tab);
        let Some(groups) = self.hubs.get_mut(hub) else { return };
        let Some(tabs) = groups.get_mut(group) else { return };
        tabs.swap_remove(&tab);
        if tabs.is_empty() {
            groups.remove(group);
            interest.remove(hub, group, shard);
        }
    }

    /// The tabs in a group.
    pub(crate) fn of(&self, hub: &str, group: &GroupName) -> impl DoubleEndedIterator<Item = usize> {
        self.hubs.get(hub).and_then(|groups| groups.get(group)).into_iter().flatten().copied()
    }
}
