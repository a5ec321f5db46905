//! Which shards have a member of which group: with it, an event for nobody here costs almost nothing.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::vocabulary::name::GroupName;

/// The most shards a node can have: one bit each.
pub const MAX_SHARDS: usize = 64;

/// A set of shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShardSet(u64);

impl ShardSet {
    /// Whether no shard is in the set.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The shards in the set.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..MAX_SHARDS).filter(move |shard| self.0 & (1 << shard) != 0)
    }
}

/// The groups of each hub that have members on this node.
///
/// Each bit has one writer, its shard, which sets it before it reads the projection for a new member;
/// see [`super::Groups`] for why that order leaves no gap.
#[derive(Debug, Default)]
pub struct Interest {
    shards: RwLock<HashMap<Arc<str>, HashMap<GroupName, u64>>>,
}

impl Interest {
    /// Notes that a shard has its first member of a group.
    pub fn add(&self, hub: &Arc<str>, group: &GroupName, shard: usize) {
        let mut hubs = self.shards.write().unwrap_or_else(PoisonError::into_inner);
        *hubs.entry(Arc::clone(hub)).or_default().entry(group.clone()).or_default() |= 1 << shard;
    }

    /// Notes that a shard has lost its last member of a group.
    pub fn remove(&self, hub: &Arc<str>, group: &GroupName, shard: usize) {
        let mut hubs = self.shards.write().unwrap_or_else(PoisonError::into_inner);
        let Some(groups) = hubs.get_mut(hub) else { return };
        if let Some(bits) = groups.get_mut(group) {
            *bits &= !(1 << shard);
            if *bits == 0 {
                groups.remove(group);
            }
        }
    }

    /// The shards with a member in any of the groups.
    #[must_use]
    pub fn shards(&self, hub: &str, groups: &[GroupName]) -> ShardSet {
        let hubs = self.shards.read().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = hubs.get(hub) else { return ShardSet::default() };
        let bits = groups.iter().filter_map(|group| known.get(group)).fold(0, |all, b| all | b);
        ShardSet(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::name::GroupTemplate;

    #[test]
    fn shards_are_found_while_they_have_members() {
        let interest = Interest::default();
        let hub: Arc<str> = Arc::from("/hub");
        let org = GroupTemplate::parse("org:{org}").expect("valid");
        let (acme, globex) = (org.name(&["acme"]).expect("valid"), org.name(&["globex"]).expect("valid"));
        interest.add(&hub, &acme, 0);
        interest.add(&hub, &acme, 3);
        interest.add(&hub, &globex, 1);
        let both = interest.shards("/hub", &[acme.clone(), globex]);
        assert_eq!(both.iter().collect::<Vec<_>>(), [0, 1, 3]);
        interest.remove(&hub, &acme, 3);
        interest.remove(&hub, &acme, 0);
        assert!(interest.shards("/hub", std::slice::from_ref(&acme)).is_empty());
        assert!(interest.shards("/other", &[acme]).is_empty());
    }
}
