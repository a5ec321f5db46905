//! What became of the newest events that were read live, for operators: which routes took each, and whom it has reached.
//!
//! Of an event only numbers are kept, in places that are allocated once. What it says and which routes took it is found
//! when somebody asks: its record is among those that are in memory for resumes, and is decoded and routed once more, by
//! the routes of then.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::event_path::{EventPath, Passage, cut, digest};
use super::{RecentRecords, Schemas};
use crate::groups::Groups;
use crate::route::RouteTable;
use crate::vocabulary::Place;

/// How many events are kept; the oldest is forgotten first.
const MOST_EVENTS: usize = 8192;

/// Of how many reloads the routes are kept, those in use included: events that went by older ones are forgotten.
const MOST_TABLES: usize = 4;

/// How many paths of one id are given out, the newest first: the same event may be in the log several times.
const MOST_FOUND: usize = 20;

/// How long the schemas of found events are waited for in all. Those that were read are known already, as a rule.
const PATIENCE: Duration = Duration::from_secs(2);

/// The paths of the newest events of a node.
#[derive(Debug)]
pub struct EventPaths {
    ring: Mutex<Ring>,
    groups: Arc<Groups>,
    recent: Arc<RecentRecords>,
    schemas: Schemas,
}

#[derive(Debug, Default)]
struct Ring {
    kept: VecDeque<Kept>,
    /// The newest routes that events went by.
    tables: VecDeque<Arc<RouteTable>>,
    /// The number of the first of them.
    first_table: u64,
}

#[derive(Debug, Clone)]
struct Kept {
    passage: Passage,
    /// The number of the routes that it went by.
    table: u64,
    read_at: i64,
}

impl Ring {
    /// The number of these routes, which are new or those of the event before.
    fn table(&mut self, routes: &Arc<RouteTable>) -> u64 {
        if self.tables.back().is_none_or(|newest| !Arc::ptr_eq(newest, routes)) {
            self.tables.push_back(Arc::clone(routes));
            if self.tables.len() > MOST_TABLES {
                self.tables.pop_front();
                self.first_table += 1;
                let first = self.first_table;
                self.kept.retain(|kept| kept.table >= first);
            }
        }
        self.first_table + self.tables.len() as u64 - 1
    }
}

impl EventPaths {
    /// None yet; their records are among the recent ones, and whom they reach is noted in the shared state.
    #[must_use]
    pub fn new(groups: Arc<Groups>, recent: Arc<RecentRecords>, schemas: Schemas) -> Self {
        Self { ring: Mutex::default(), groups, recent, schemas }
    }

    /// Takes an event that is about to be sent by these routes.
    pub(crate) fn push(&self, passage: Passage, routes: &Arc<RouteTable>, read_at: i64) {
        let mut ring = self.ring();
        let table = ring.table(routes);
        if ring.kept.len() == MOST_EVENTS {
            ring.kept.pop_front();
        }
        ring.kept.push_back(Kept { passage, table, read_at });
    }

    /// The newest paths of an event's id, or of a record's place.
    pub async fn find(&self, wanted: &str) -> Vec<EventPath> {
        let place = wanted
            .split_once('-')
            .and_then(|(partition, offset)| Some((partition.parse::<u32>().ok()?, offset.parse::<u64>().ok()?)));
        let is_at = |at: Place| place == Some((at.partition, at.offset));
        let id = digest(wanted);
        let candidates = self.candidates(|passage| passage.id == id || is_at(passage.place));
        let (mut paths, deadline) = (Vec::new(), Instant::now() + PATIENCE);
        for (Kept { passage, read_at, .. }, routes) in candidates {
            let Some(record) = self.recent.get(passage.record) else { continue };
            let written = self.schemas.within(&record, deadline.saturating_duration_since(Instant::now())).await;
            let mut path = EventPath::of_headers(&record, passage.outcome.clone(), read_at);
            if let Some(written) = written {
                path.decode(&record, &written, &routes, (passage.reach, self.groups.reaches()));
            }
            if *path.id == *cut(wanted) || is_at(path.place) {
                paths.push(path);
            }
        }
        paths
    }

    fn candidates(&self, is_it: impl Fn(&Passage) -> bool) -> Vec<(Kept, Arc<RouteTable>)> {
        let (ring, oldest) = (self.ring(), self.recent.oldest());
        let found = ring.kept.iter().rev().filter(|kept| is_it(&kept.passage) && self.is_known(&kept.passage, oldest));
        let routes = |kept: &Kept| ring.tables.get(usize::try_from(kept.table - ring.first_table).ok()?).cloned();
        found.filter_map(|kept| Some((kept.clone(), routes(kept)?))).take(MOST_FOUND).collect()
    }

    /// Whether what is kept of it elsewhere is still there.
    fn is_known(&self, passage: &Passage, oldest: u64) -> bool {
        let is_noted = |number| self.groups.reaches().so_far(number).is_some();
        passage.record >= oldest && passage.reach.is_none_or(is_noted)
    }

    /// How many events are known here, and when the oldest of them was read, in milliseconds since the epoch.
    #[must_use]
    pub fn memory(&self) -> (usize, Option<i64>) {
        let (ring, oldest) = (self.ring(), self.recent.oldest());
        let mut known = ring.kept.iter().filter(|kept| self.is_known(&kept.passage, oldest));
        let first = known.next();
        (first.iter().count() + known.count(), first.map(|first| first.read_at))
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        // Each call leaves it in order, so a panic elsewhere does not spoil it.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use fanfare_broker::Position;

    use super::super::Unusable;
    use super::super::event_path::{MOST_TEXT, Outcome};
    use super::*;
    use crate::groups::{ReachNumber, Reaches};
    use crate::projection::{Projection, Verdict};
    use crate::scene::{BOUNDS, Scene};

    const ALERT: &str = r#"{"org": "acme", "title": "t", "message": "m"}"#;

    struct Node {
        scene: Scene,
        paths: EventPaths,
    }

    impl Node {
        fn new(recent_bytes: usize) -> Self {
            let recent = Arc::new(RecentRecords::new(recent_bytes));
            recent.begin(&Position::start(1));
            let groups = Arc::new(Groups::new(Projection::new(Position::start(1), &BOUNDS), Vec::new()));
            Self { scene: Scene::demo(), paths: EventPaths::new(groups, recent, Schemas::default()) }
        }

        fn read(&mut self, read_at: i64) -> Option<ReachNumber> {
            let record = Arc::new(self.scene.event("system.Alert", ALERT));
            let event = self.scene.decode(&record);
            let number = self.paths.recent.push(Arc::clone(&record)).expect("it is new");
            let reach = self.paths.groups.reaches().begin(1);
            let passage = Passage::of(number, Place::of(&record), &event, (Verdict::New, true), reach);
            self.paths.push(passage, &self.scene.routes, read_at);
            reach
        }
    }

    #[tokio::test]
    async fn an_event_is_found_by_its_id_and_by_its_place_with_the_routes_of_its_type() {
        let mut node = Node::new(1 << 20);
        (1..=3).for_each(|read_at| _ = node.read(read_at));
        let paths = &node.paths;
        let [found] = &paths.find("event-2").await[..] else { panic!("one") };
        assert_eq!((found.read_at, &*found.event_type, found.org.as_deref()), (2, "system.Alert", Some("acme")));
        assert_eq!((found.notified.len(), found.notified[0].groups[0].to_string()), (1, "org:acme".to_owned()));
        let not_taken: Vec<&str> = found.not_taken.iter().map(|(route, _)| route.name()).collect();
        assert_eq!(not_taken, ["alert-to-user", "alert-to-admins"]);
        assert_eq!(paths.find(&found.place_text()).await[0].read_at, 2);
        assert_eq!(paths.find("0-3").await[0].read_at, 3);
        for none in ["event-4", "event", "1-2", "0-", "-", "", &"x".repeat(5000)] {
            assert!(paths.find(none).await.is_empty(), "{none}");
        }
        assert_eq!(paths.memory(), (3, Some(1)));
    }

    #[tokio::test]
    async fn an_event_is_forgotten_with_its_record_and_with_whom_it_has_reached() {
        let mut node = Node::new(10_000);
        (1..=100).for_each(|read_at| _ = node.read(read_at));
        let (count, since) = node.paths.memory();
        assert!((2..50).contains(&count) && since == Some(101 - count as i64), "{count}, {since:?}");
        assert!(node.paths.find("event-1").await.is_empty() && node.paths.find("event-100").await.len() == 1);
        node.paths.groups.reaches().begin(Reaches::MOST - 2);
        assert_eq!(node.paths.memory(), (2, Some(99)));
        node.paths.recent.shed(true);
        assert_eq!(node.paths.memory(), (0, None));
    }

    #[tokio::test]
    async fn no_more_than_a_number_of_events_and_of_routes_is_kept() {
        let mut node = Node::new(64 << 20);
        let first = Arc::clone(&node.scene.routes);
        node.read(1);
        for read_at in 2..=4 {
            node.scene.routes = Scene::demo().routes;
            node.read(read_at);
        }
        assert_eq!((node.paths.find("event-1").await.len(), Arc::strong_count(&first)), (1, 2));
        node.scene.routes = Scene::demo().routes;
        node.read(5);
        assert!(node.paths.find("event-1").await.is_empty() && node.paths.find("event-2").await.len() == 1);
        assert_eq!((Arc::strong_count(&first), node.paths.memory()), (1, (4, Some(2))));
        (0..MOST_EVENTS as i64).for_each(|read_at| _ = node.read(read_at));
        assert_eq!(node.paths.memory().0, MOST_EVENTS);
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_found_by_what_its_headers_say_whatever_they_say() {
        let mut node = Node::new(64 << 20);
        let mut large = node.scene.event("system.Alert", ALERT);
        large.message.id = "é".repeat(100_000);
        large.message.headers = vec![
            ("CE_Source".to_owned(), "s".repeat(100_000)),
            ("traceparent".to_owned(), format!("00-{}-1", "z".repeat(32))),
        ];
        let number = node.paths.recent.push(Arc::new(large.clone())).expect("it is new");
        let passage = Passage::unusable(number, &large, &Unusable::Schema("x".repeat(100_000)));
        node.paths.push(passage, &node.scene.routes, 7);
        let [found] = &node.paths.find(&large.message.id).await[..] else { panic!("one") };
        assert_eq!((found.id.len(), found.source.len(), &found.trace_id), (MOST_TEXT, MOST_TEXT, &None));
        assert!(matches!(&found.outcome, Outcome::DeadLetter(reason) if reason.len() == MOST_TEXT), "{found:?}");
        assert!(found.notified.is_empty());
    }

    #[test]
    fn little_is_kept_of_an_event() {
        assert!(size_of::<Kept>() <= 88, "{}", size_of::<Kept>());
    }
}
