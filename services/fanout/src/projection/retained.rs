//! Current state: the newest retained notification of each slot.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use fanfare_event::Event;
use smallvec::SmallVec;

use super::Place;
use crate::groups::name::GroupName;
use crate::route::Route;

/// What a slot holds; sent to a tab right after it connects.
#[derive(Debug, Clone)]
pub struct Retained {
    /// The route that asked for it, to shape it with the cursor of the connect.
    pub route: Arc<Route>,
    /// The event that set it.
    pub event: Arc<Event>,
    /// Where in the log the event is.
    pub place: Place,
}

/// What a slot is told apart by: its name holds hub, target, org and key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot {
    hub: Arc<str>,
    name: Arc<str>,
}

impl Slot {
    /// The slot of an event under a route; `None` if the route retains nothing.
    #[must_use]
    pub fn of(route: &Route, event: &Event) -> Option<Self> {
        let name = Arc::from(route.slot(event)?);
        Some(Self { hub: Arc::from(route.hub()), name })
    }
}

#[derive(Debug, Clone)]
struct Held {
    /// Empty once removed: the revision stays, so that a late older value does not come back.
    groups: SmallVec<[GroupName; 2]>,
    revision: Option<i64>,
    place: Place,
}

/// All retained notifications, found by slot and by group.
#[derive(Debug, Clone)]
pub struct RetainedSet {
    slots: HashMap<Slot, Held>,
    by_group: HashMap<(Arc<str>, GroupName), BTreeMap<Slot, Retained>>,
    limit: usize,
}

/// What became of a value for a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is the newest now.
    Newest,
    /// A newer one is known; this one must not be shown any more.
    Older,
    /// There are as many slots as are allowed; it is delivered but not retained.
    Full,
}

impl RetainedSet {
    /// Nothing retained yet; at most `limit` slots.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { slots: HashMap::new(), by_group: HashMap::new(), limit }
    }

    /// Sets a slot (`keep`) or empties it.
    pub fn set(
        &mut self,
        slot: Slot,
        retained: Retained,
        groups: &[GroupName],
        revision: Option<i64>,
        keep: bool,
    ) -> Kept {
        let place = retained.place;
        match self.slots.get(&slot) {
            // Another route of the same event: its groups are told as well.
            Some(held) if place == held.place => {}
            Some(held) if place.is_older(revision, held.place, held.revision) => {
                return Kept::Older;
            }
            Some(_) => self.clear(&slot),
            None if self.slots.len() >= self.limit => return Kept::Full,
            None => {}
        }
        let same = self.slots.remove(&slot).filter(|held| place == held.place);
        let mut held = same.unwrap_or_else(|| Held { groups: SmallVec::new(), revision, place });
        if keep {
            held.groups.extend(groups.iter().cloned());
            for group in groups {
                let key = (slot.hub.clone(), group.clone());
                self.by_group.entry(key).or_default().insert(slot.clone(), retained.clone());
            }
        }
        self.slots.insert(slot, held);
        Kept::Newest
    }

    fn clear(&mut self, slot: &Slot) {
        let Some(held) = self.slots.get(slot) else { return };
        for group in &held.groups {
            let key = (slot.hub.clone(), group.clone());
            if let Some(values) = self.by_group.get_mut(&key) {
                values.remove(slot);
                if values.is_empty() {
                    self.by_group.remove(&key);
                }
            }
        }
    }

    /// What the groups of one connection hold, each slot once, in the order of the slots.
    #[must_use]
    pub fn for_groups<'a>(&self, hub: &Arc<str>, groups: impl Iterator<Item = &'a GroupName>) -> Vec<Retained> {
        let mut found = BTreeMap::new();
        for group in groups {
            let values = self.by_group.get(&(hub.clone(), group.clone()));
            found.extend(values.into_iter().flatten());
        }
        found.into_values().cloned().collect()
    }

    /// How many slots are known, removed ones among them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether no slot is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}
