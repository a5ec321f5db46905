//! One core for all shards of a node, and for the side that reads and writes the nodes' stream.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::core::{Core, Time};
use crate::config::HubConfig;
use crate::presence::{Declared, Room};
use crate::vocabulary::Identity;
use crate::vocabulary::name::GroupName;

/// Rosters of a node.
///
/// Shards report what their connections do, and never wait for it; the driver sends the result to the connections of
/// all shards. Nothing is queued in between: a user who joins and leaves meanwhile has changed nothing.
pub struct Rosters {
    core: Mutex<Core>,
    declared: HashMap<Arc<str>, Vec<Arc<Declared>>>,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Rosters {
    /// Rosters of these hubs; none if no hub declares it. `wake` is called once there is something
    /// new to do.
    #[must_use]
    pub fn of(hubs: &[HubConfig], now: Time, wake: Box<dyn Fn() + Send + Sync>) -> Option<Self> {
        let declared: HashMap<_, _> = hubs
            .iter()
            .filter(|hub| !hub.presence.is_empty())
            .map(|hub| (Arc::clone(&hub.path), hub.presence.clone()))
            .collect();
        (!declared.is_empty()).then(|| Self { core: Mutex::new(Core::new(hubs, now)), declared, wake })
    }

    /// The core. A poisoned lock means that a thread panicked in it; its state is still the best there is.
    pub fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the core what a connection did, or what another node says.
    pub fn tell<T>(&self, what: impl FnOnce(&mut Core) -> T) -> T {
        let told = what(&mut self.core());
        (self.wake)();
        told
    }

    /// The declaration for a group; none if it has no presence.
    #[must_use]
    pub fn declared(&self, hub: &str, group: &GroupName) -> Option<&Arc<Declared>> {
        self.declared.get(hub)?.iter().find(|declared| declared.template.shape() == group.shape())
    }

    /// The room of a member: of several orgs of the user, the one of the group, otherwise the one that the connection
    /// is for.
    #[must_use]
    pub fn room(&self, hub: &Arc<str>, group: &GroupName, who: &Identity) -> Option<Room> {
        let declared = self.declared(hub, group)?;
        let org_hole = declared.template.holes().position(|hole| hole == "org");
        let named = org_hole.and_then(|hole| group.values().nth(hole));
        let own = named.and_then(|named| who.orgs().find(|org| org.as_str() == named));
        let org = own.or_else(|| who.named_org()).or(who.claims().org.as_ref());
        Some(Room { hub: Arc::clone(hub), org: org.cloned(), group: group.clone() })
    }
}

impl fmt::Debug for Rosters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rosters").field("hubs", &self.declared.len()).finish()
    }
}
