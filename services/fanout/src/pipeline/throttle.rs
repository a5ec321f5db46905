//! Throttles: at most so many notifications per second of an audience and key, and the newest always last; pure.
//!
//! The first is sent at once. A later one waits for its turn, and a newer one replaces it. Nothing waits longer than
//! the time between two turns.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use fanfare_broker::Record;
use fanfare_event::Event;
use smallvec::SmallVec;

use crate::groups::{FollowedBy, ReachNumber};
use crate::projection::Held;
use crate::route::{Pace, Route, RouteTable};
use crate::rule::{Rule, kept};
use crate::vocabulary::name::GroupName;

/// The most memory of what waits, in bytes; beyond it notifications are sent at once.
const MOST_BYTES: usize = 16 << 20;

/// The most keys that are counted separately.
const MOST_SLOTS: usize = 65_536;

/// The overhead of a notification besides its record.
const COST: usize = 700;

/// A notification that a throttle decides about.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    pub(crate) record: Arc<Record>,
    pub(crate) event: Arc<Event>,
    pub(crate) route: Arc<Route>,
    pub(crate) groups: SmallVec<[GroupName; 2]>,
    /// The audiences of the other notifications of the event, which follow this one.
    pub(crate) followed_by: FollowedBy,
    /// Whether it has waited: later ones were sent before it.
    pub(crate) is_late: bool,
    /// Under which number shards note whom it reaches.
    pub(crate) reach: Option<ReachNumber>,
}

#[derive(Debug)]
struct Slot {
    pace: Pace,
    /// From when on the next may be sent.
    free_at: Instant,
    waits: Option<Turn>,
}

/// How often something happened since it was asked last.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Notifications that were replaced before they were sent.
    pub(crate) overtaken: u64,
    /// Notifications that were sent at once, because no more may wait.
    pub(crate) beyond: u64,
}

/// The notifications that wait for their turn.
#[derive(Debug, Default)]
pub(crate) struct Throttles {
    slots: HashMap<u64, Slot>,
    by_time: BTreeSet<(Instant, u64)>,
    /// The places in the log of what waits, by hub.
    places: HashMap<Arc<str>, BTreeSet<(u32, u64, u64)>>,
    memory: usize,
    counts: Counts,
    routes: Option<Arc<RouteTable>>,
}

impl Turn {
    fn cost(&self) -> usize {
        2 * self.record.message.size() + COST
    }
}

impl Throttles {
    /// Takes a notification; returns those to be sent now, in order.
    pub(crate) fn take(&mut self, pace: Pace, turn: Turn, now: Instant) -> SmallVec<[Turn; 2]> {
        let mut told = SmallVec::new();
        if !kept(Rule::Throttled) {
            told.push(turn);
            return told;
        }
        let Some(free_at) = self.slots.get(&pace.slot).map(|slot| slot.free_at) else {
            if self.slots.len() < MOST_SLOTS {
                self.slots.insert(pace.slot, Slot { pace, free_at: now, waits: None });
                self.set_free_at(pace.slot, now + pace.interval);
            } else {
                self.counts.beyond += 1;
            }
            told.push(turn);
            return told;
        };
        if let Some(older) = self.unwait(pace.slot) {
            // A connection that does not get the newer one must get the older.
            if older.groups == turn.groups { self.counts.overtaken += 1 } else { told.push(older) }
        }
        if free_at <= now {
            self.set_free_at(pace.slot, now + pace.interval);
            told.push(turn);
        } else if self.memory + turn.cost() > MOST_BYTES {
            self.counts.beyond += 1;
            told.push(turn);
        } else {
            self.wait(pace.slot, turn);
        }
        told
    }

    /// The next that has waited for long enough.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Turn> {
        while let Some(&(at, slot)) = self.by_time.first()
            && at <= now
        {
            if let Some(turn) = self.unwait(slot) {
                let interval = self.slots.get(&slot).map(|slot| slot.pace.interval).unwrap_or_default();
                self.set_free_at(slot, now + interval);
                return Some(turn).filter(|_| kept(Rule::ThrottledTold));
            }
            // Nothing came for that long: the next is sent at once again.
            self.by_time.pop_first();
            self.slots.remove(&slot);
        }
        None
    }

    /// All that waits, in the order of the log.
    pub(crate) fn drain(&mut self) -> Vec<Turn> {
        let slots: Vec<u64> = self.slots.keys().copied().collect();
        let mut turns: Vec<Turn> = slots.into_iter().filter_map(|slot| self.unwait(slot)).collect();
        turns.sort_by_key(|turn| (turn.record.partition, turn.record.offset));
        turns
    }

    /// Notes the routes in use; returns whether something waits by other ones.
    pub(crate) fn goes_by(&mut self, routes: &Arc<RouteTable>) -> bool {
        if self.routes.as_ref().is_some_and(|known| Arc::ptr_eq(known, routes)) {
            return false;
        }
        self.routes = Some(Arc::clone(routes));
        !self.places.is_empty()
    }

    /// When there is something to do again.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Whether nothing waits.
    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        self.places.is_empty()
    }

    /// What waits, for cursors.
    pub(crate) fn held(&self) -> Held {
        Held::new(self.places.iter().map(|(hub, places)| (Arc::clone(hub), firsts(places))))
    }

    /// How often something happened since this was asked last.
    pub(crate) fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }

    fn wait(&mut self, slot: u64, turn: Turn) {
        let hub = Arc::clone(turn.route.shared_hub());
        self.places.entry(hub).or_default().insert((turn.record.partition, turn.record.offset, slot));
        self.memory += turn.cost();
        if let Some(slot) = self.slots.get_mut(&slot) {
            slot.waits = Some(Turn { is_late: true, ..turn });
        }
    }

    fn unwait(&mut self, slot: u64) -> Option<Turn> {
        let turn = self.slots.get_mut(&slot)?.waits.take()?;
        self.memory = self.memory.saturating_sub(turn.cost());
        let hub = turn.route.shared_hub();
        if let Some(places) = self.places.get_mut(hub) {
            places.remove(&(turn.record.partition, turn.record.offset, slot));
            if places.is_empty() {
                self.places.remove(hub);
            }
        }
        Some(turn)
    }

    fn set_free_at(&mut self, id: u64, at: Instant) {
        if let Some(slot) = self.slots.get_mut(&id) {
            self.by_time.remove(&(slot.free_at, id));
            slot.free_at = at;
            self.by_time.insert((at, id));
        }
    }
}

/// The first place of each partition.
fn firsts(places: &BTreeSet<(u32, u64, u64)>) -> Box<[(u32, u64)]> {
    let mut firsts = Vec::new();
    let mut next = places.first();
    while let Some(&(partition, offset, _)) = next {
        firsts.push((partition, offset));
        next = partition.checked_add(1).and_then(|behind| places.range((behind, 0, 0)..).next());
    }
    firsts.into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::scene::Scene;

    const PACE: Pace = Pace { slot: 7, interval: Duration::from_millis(100) };

    fn turn(scene: &mut Scene, title: &str) -> Turn {
        let body = format!(r#"{{"org": "acme", "title": "{title}", "message": "m"}}"#);
        let record = Arc::new(scene.event("system.Alert", &body));
        let event = scene.decode(&record);
        let matched = scene.routes.route(&event);
        let (route, groups) = (Arc::clone(matched[0].route), matched[0].groups.clone());
        Turn { record, event, route, groups, followed_by: SmallVec::new(), is_late: false, reach: None }
    }

    fn offsets(turns: impl IntoIterator<Item = Turn>) -> Vec<(u64, bool)> {
        turns.into_iter().map(|turn| (turn.record.offset, turn.is_late)).collect()
    }

    #[test]
    fn the_first_is_sent_at_once_and_the_newest_of_a_burst_last() {
        let (mut scene, mut throttles, start) = (Scene::demo(), Throttles::default(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        let turns: Vec<Turn> = (0..4).map(|number| turn(&mut scene, &number.to_string())).collect();
        let of = |number: usize| turns[number].record.offset;
        assert_eq!(offsets(throttles.take(PACE, turns[0].clone(), at(0))), [(of(0), false)]);
        for number in [1, 2] {
            assert!(throttles.take(PACE, turns[number].clone(), at(20)).is_empty());
        }
        let hub = turns[0].route.hub();
        let read = fanfare_broker::Position::from_parts(1, [(turns[0].record.partition, of(3))]);
        let told = throttles.held().before(hub, read.clone());
        assert_eq!(told.offset(turns[0].record.partition), Some(of(2) - 1), "no cursor lies behind what waits");
        assert!(throttles.due(at(99)).is_none());
        assert_eq!(offsets(throttles.due(at(100))), [(of(2), true)]);
        assert_eq!(throttles.held().before(hub, read.clone()), read);
        assert_eq!(throttles.take_counts(), Counts { overtaken: 1, beyond: 0 });
        assert!(throttles.take(PACE, turns[3].clone(), at(150)).is_empty(), "since the last that was told");
        assert_eq!(offsets(throttles.drain()), [(of(3), true)]);
        assert!(throttles.due(at(1_000)).is_none() && throttles.slots.is_empty() && throttles.memory == 0);
    }

    #[test]
    fn what_waits_is_sent_before_what_overtakes_it() {
        let (mut scene, mut throttles, now) = (Scene::demo(), Throttles::default(), Instant::now());
        let turns: Vec<Turn> = (0..3).map(|number| turn(&mut scene, &number.to_string())).collect();
        throttles.take(PACE, turns[0].clone(), now);
        throttles.take(PACE, turns[1].clone(), now);
        let other = Turn { groups: SmallVec::new(), ..turns[2].clone() };
        assert_eq!(offsets(throttles.take(PACE, other, now)), [(turns[1].record.offset, true)]);
        assert_eq!(offsets(throttles.drain()), [(turns[2].record.offset, true)]);
    }

    #[test]
    fn notifications_beyond_the_memory_are_sent_at_once_and_counted() {
        let (mut scene, mut throttles, now) = (Scene::demo(), Throttles::default(), Instant::now());
        let turn = turn(&mut scene, "1");
        let fit = MOST_BYTES / turn.cost();
        for slot in 0..fit as u64 + 3 {
            let pace = Pace { slot, ..PACE };
            assert_eq!(throttles.take(pace, turn.clone(), now).len(), 1);
            let waits = throttles.take(pace, turn.clone(), now).is_empty();
            assert_eq!(waits, slot < fit as u64, "{slot} of {fit}");
        }
        assert_eq!(throttles.take_counts().beyond, 3);
        assert_eq!((throttles.drain().len(), throttles.memory), (fit, 0));
    }

    #[test]
    fn keys_beyond_the_bound_are_sent_at_once_and_counted() {
        let (mut scene, mut throttles, now) = (Scene::demo(), Throttles::default(), Instant::now());
        let turn = turn(&mut scene, "1");
        for slot in 0..MOST_SLOTS as u64 + 5 {
            assert_eq!(throttles.take(Pace { slot, ..PACE }, turn.clone(), now).len(), 1);
        }
        assert_eq!((throttles.slots.len(), throttles.take_counts().beyond), (MOST_SLOTS, 5));
        assert!(throttles.due(now + PACE.interval).is_none() && throttles.slots.is_empty(), "idle keys are forgotten");
    }
}
