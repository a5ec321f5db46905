//! Retained notifications: the newest of each slot.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use fanfare_event::Event;
use smallvec::SmallVec;

use super::digest::{self, Digest};
use super::update::Update;
use super::versions::{Memory, Precedence, Version, Versions};
use crate::route::Route;
use crate::vocabulary::Place;
use crate::vocabulary::name::GroupName;

/// What a slot holds; sent to a tab right after it connects.
#[derive(Debug, Clone)]
pub struct Retained {
    /// The route that asked for it, to shape it with the cursor of the connect.
    pub route: Arc<Route>,
    /// The event that set it.
    pub event: Arc<Event>,
    /// Where in the log the event is.
    pub place: Place,
    /// The incarnation of that log. Of a log before this one it does not come live, should this one repeat it.
    pub incarnation: u64,
    /// Whether the event was known when this was read ahead, as one that a new stream repeats: it does not come live there.
    pub is_repeated: bool,
}

/// The identity of a slot: its name contains hub, target, org and key.
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
        Some(Self { hub: Arc::clone(route.shared_hub()), name })
    }
}

/// The groups that get a value, and the route that retains it.
type ToldTo = SmallVec<[(GroupName, Arc<Route>); 1]>;

/// The values of each group of a hub.
type ByGroup = HashMap<(Arc<str>, GroupName), BTreeMap<Slot, Retained>>;

/// A value, by the groups that get it and the route that retains it; none once it is removed. Revision and place stay,
/// so that a late older value does not come back.
#[derive(Debug, Clone, Default)]
struct Held {
    told: ToldTo,
    event: Option<Arc<Event>>,
    incarnation: u64,
    is_repeated: bool,
    bytes: usize,
}

/// A value for a slot.
#[derive(Debug)]
pub struct Setting<'a> {
    /// The notification.
    pub retained: Retained,
    /// Its groups.
    pub groups: &'a [GroupName],
    /// The producer's revision, if it gave one.
    pub revision: Option<i64>,
    /// Whether it is kept, or empties the slot.
    pub keep: bool,
    /// What the value costs in memory, about.
    pub bytes: usize,
}

/// All retained notifications, found by slot and by group.
#[derive(Debug, Clone)]
pub struct RetainedSet {
    slots: HashMap<Slot, Versions<Held>>,
    by_group: ByGroup,
    bytes: usize,
    most_slots: usize,
    most_bytes: usize,
}

impl RetainedSet {
    /// Nothing retained yet; at most so many slots, and so many bytes in them.
    #[must_use]
    pub fn new(most_slots: usize, most_bytes: usize) -> Self {
        Self { slots: HashMap::new(), by_group: HashMap::new(), bytes: 0, most_slots, most_bytes }
    }

    /// Sets a slot or empties it.
    pub fn set(&mut self, slot: Slot, setting: Setting<'_>) -> Update {
        let Setting { retained, groups, revision, keep, bytes } = setting;
        let Retained { route, event, place, incarnation, is_repeated } = retained;
        if self.slots.len() >= self.most_slots && !self.slots.contains_key(&slot) {
            return Update::Full;
        }
        let fits = !keep || self.bytes.saturating_add(bytes) <= self.most_bytes;
        let told = || groups.iter().map(|group| (group.clone(), Arc::clone(&route)));
        let mut held = Held::default();
        if keep && fits {
            held = Held { told: told().collect(), event: Some(Arc::clone(&event)), incarnation, is_repeated, bytes };
        }
        // Looked up once: at a start this is done a million times.
        let versions = self.slots.entry(slot.clone()).or_default();
        let before = versions.current().map(|version| (version.place, version.value.told.clone()));
        let (added, gone) = versions.add(Version { revision, place, value: held }, Memory::NONE);
        match added {
            Precedence::Again => {
                // Another route of the same event: its groups get it as well.
                if let Some(version) = versions.at_mut(place).filter(|version| version.value.event.is_some() && keep) {
                    let known = version.value.told.clone();
                    version.value.told.extend(told().filter(|new| !known.iter().any(|(group, _)| *group == new.0)));
                }
            }
            Precedence::Newest | Precedence::Older => {
                self.bytes += if keep && fits { bytes } else { 0 };
                self.bytes -= gone.iter().map(|version| version.value.bytes).sum::<usize>();
            }
        }
        let Some(now) = versions.current() else { return Update::Older };
        show(&mut self.by_group, &slot, before, now);
        let is_current = now.place == place;
        match (is_current, fits) {
            (false, _) => Update::Older,
            (true, true) => Update::Newest,
            (true, false) => Update::Full,
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

    /// The highest revision that is known of a slot and where it was said, also if that removed it.
    pub(super) fn revision(&self, slot: &Slot) -> Option<(i64, Place)> {
        self.slots.get(slot)?.highest_revision()
    }

    /// The place of a slot's current event, and the groups that get it: none if it removed the value.
    pub(super) fn current(&self, slot: &Slot) -> Option<(Place, impl Iterator<Item = &GroupName>)> {
        let now = self.slots.get(slot)?.current()?;
        Some((now.place, now.value.told.iter().map(|(group, _)| group)))
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

    /// What the values cost in memory, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Updates the values of the groups to what counts now; `before` is what counted.
fn show(by_group: &mut ByGroup, slot: &Slot, before: Option<(Place, ToldTo)>, now: &Version<Held>) {
    let gone = before.filter(|(place, _)| *place != now.place);
    for (group, _) in gone.into_iter().flat_map(|(_, told)| told) {
        let key = (slot.hub.clone(), group);
        if let Some(values) = by_group.get_mut(&key) {
            values.remove(slot);
            if values.is_empty() {
                by_group.remove(&key);
            }
        }
    }
    let Some(event) = &now.value.event else { return };
    for (group, route) in &now.value.told {
        let key = (slot.hub.clone(), group.clone());
        let Held { incarnation, is_repeated, .. } = now.value;
        let (route, event) = (Arc::clone(route), Arc::clone(event));
        let value = Retained { route, event, place: now.place, incarnation, is_repeated };
        by_group.entry(key).or_default().insert(slot.clone(), value);
    }
}

impl Digest for RetainedSet {
    fn digest(&self) -> u64 {
        let slots = digest::of_set(self.slots.iter().map(|(slot, versions)| {
            let said = versions.all().iter().map(|said| (said.revision, said.place, said.value.source()));
            (slot, said.collect::<Vec<_>>(), told(versions))
        }));
        let shown = digest::of_set(self.by_group.iter().map(|(group, values)| {
            let values = values.iter().map(|(slot, value)| (slot, value.place));
            (group, values.collect::<Vec<_>>())
        }));
        slots.wrapping_add(shown)
    }

    fn digest_of_now(&self) -> u64 {
        let slots = digest::of_set(self.slots.iter().map(|(slot, versions)| {
            let now = versions.current();
            (slot, now.map(|now| (now.revision, now.value.source())), told(versions))
        }));
        let shown =
            digest::of_set(self.by_group.iter().map(|(group, values)| (group, values.keys().collect::<Vec<_>>())));
        slots.wrapping_add(shown)
    }
}

/// The groups that get the current value, in one order.
fn told(versions: &Versions<Held>) -> Vec<&GroupName> {
    let mut told: Vec<_> =
        versions.current().into_iter().flat_map(|now| &now.value.told).map(|(group, _)| group).collect();
    told.sort_unstable();
    told
}

impl Held {
    /// Which event it came with.
    fn source(&self) -> Option<String> {
        self.event.as_ref().map(|event| event.attributes.dedup_id())
    }
}
