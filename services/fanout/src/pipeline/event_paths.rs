//! What became of the newest events that were read live, for operators: which routes took each, and whom it has reached.
//!
//! Bounded in bytes of memory: beyond that the oldest is forgotten first.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fanfare_broker::Record;
use fanfare_event::Event;
use smallvec::SmallVec;

use super::Unusable;
use crate::groups::Reach;
use crate::projection::Verdict;
use crate::route::{Match, NotTaken, Route};
use crate::vocabulary::Place;
use crate::vocabulary::name::GroupName;

/// The most memory of all paths of a node, in bytes: some ten thousand events.
pub const PATHS_BYTES: usize = 4 << 20;

/// How many paths of one id are given out, the newest first: the same event may be in the log several times.
const MOST_FOUND: usize = 20;

/// How many groups of a notification are kept by name.
const MOST_GROUPS: usize = 20;

/// How many routes that did not take an event are kept.
const MOST_NOT_TAKEN: usize = 32;

/// How much of a text is kept that nobody has checked.
const MOST_TEXT: usize = 256;

/// What holds a path besides its own fields: its places in the ring, the allocator's share.
const OVERHEAD: usize = 96;

/// The outcome of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was news, and its notifications were made.
    New,
    /// It was in the log before.
    Duplicate,
    /// Something newer of its key was known.
    Stale,
    /// It could not be used.
    DeadLetter(String),
}

/// One notification that a route made.
#[derive(Debug)]
pub struct Notified {
    /// The route.
    pub route: Arc<Route>,
    /// Its first groups.
    pub groups: SmallVec<[GroupName; 2]>,
    /// How many more there are.
    pub more_groups: usize,
    /// Whom it has reached.
    pub reach: Arc<Reach>,
}

/// The routes that did not take an event, and why.
pub(crate) type PassedBy = SmallVec<[(Arc<Route>, NotTaken); 2]>;

/// The path of one record.
#[derive(Debug)]
pub struct EventPath {
    /// Where the record is.
    pub place: Place,
    /// The event's id.
    pub id: Box<str>,
    /// Its source.
    pub source: Box<str>,
    /// Its type.
    pub event_type: Box<str>,
    /// Its org.
    pub org: Option<Box<str>>,
    /// Its trace.
    pub trace_id: Option<Box<str>>,
    /// What became of it.
    pub outcome: Outcome,
    /// Its notifications.
    pub notified: SmallVec<[Notified; 1]>,
    /// The routes of its type that did not take it.
    pub not_taken: PassedBy,
    /// How many more of those there are.
    pub more_not_taken: usize,
    /// When this node had read it, in milliseconds since the epoch.
    pub read_at: i64,
}

impl EventPath {
    /// Of an event that could be used. It has notifications only if it was news.
    pub(crate) fn of(
        record: &Record,
        event: &Event,
        verdict: Verdict,
        matches: Option<&[Match<'_>]>,
        mut not_taken: PassedBy,
    ) -> Self {
        let attributes = &event.attributes;
        let outcome = match (verdict, matches) {
            (_, Some(_)) => Outcome::New,
            (Verdict::Conflict, None) => Outcome::DeadLetter(Unusable::Conflict.to_string()),
            (Verdict::Stale, None) => Outcome::Stale,
            (Verdict::New | Verdict::Duplicate, None) => Outcome::Duplicate,
        };
        let more_not_taken = not_taken.len().saturating_sub(MOST_NOT_TAKEN);
        not_taken.truncate(MOST_NOT_TAKEN);
        let notified = matches.into_iter().flatten().filter(|matched| !matched.groups.is_empty()).map(Notified::of);
        Self {
            place: Place::of(record),
            id: cut(&attributes.id),
            source: cut(&attributes.source),
            event_type: attributes.event_type.as_str().into(),
            org: attributes.org.as_ref().map(|org| org.as_str().into()),
            trace_id: trace_of(record),
            outcome,
            notified: notified.collect(),
            not_taken,
            more_not_taken,
            read_at: 0,
        }
    }

    /// Of a record that could not be used: what its headers say, whatever they say.
    pub(crate) fn unusable(record: &Record, reason: &Unusable) -> Self {
        let message = &record.message;
        let named = |name: &str| attribute(record, name);
        Self {
            place: Place::of(record),
            id: cut(named("id").unwrap_or(&message.id)),
            source: cut(named("source").unwrap_or_default()),
            event_type: cut(&message.topic),
            org: message.org.as_deref().map(cut),
            trace_id: trace_of(record),
            outcome: Outcome::DeadLetter(cut(&reason.to_string()).into()),
            notified: SmallVec::new(),
            not_taken: SmallVec::new(),
            more_not_taken: 0,
            read_at: 0,
        }
    }

    /// Where shards note whom each notification reaches, one for each match that has groups.
    pub(crate) fn reach(&self) -> impl Iterator<Item = Arc<Reach>> {
        self.notified.iter().map(|notified| Arc::clone(&notified.reach))
    }

    /// Its place as operators write it, which is the id of its dead letter too.
    #[must_use]
    pub fn place_text(&self) -> String {
        format!("{}-{}", self.place.partition, self.place.offset)
    }

    fn cost(&self) -> usize {
        let texts = [&self.id, &self.source, &self.event_type].map(|text| text.len());
        let maybe = [&self.org, &self.trace_id].map(|text| text.as_deref().map_or(0, str::len));
        let groups = self.notified.iter().flat_map(|notified| &notified.groups).map(|group| group.key().len() + 32);
        let reason = if let Outcome::DeadLetter(reason) = &self.outcome { reason.len() } else { 0 };
        let lists = self.notified.len() * (size_of::<Notified>() + size_of::<Reach>())
            + self.not_taken.len() * size_of::<(Arc<Route>, NotTaken)>();
        size_of::<Self>() + OVERHEAD + reason + lists + texts.into_iter().chain(maybe).chain(groups).sum::<usize>()
    }
}

impl Notified {
    fn of(matched: &Match<'_>) -> Self {
        let groups = matched.groups.iter().take(MOST_GROUPS).cloned().collect();
        let more_groups = matched.groups.len().saturating_sub(MOST_GROUPS);
        Self { route: Arc::clone(matched.route), groups, more_groups, reach: Arc::default() }
    }
}

/// A `CloudEvents` attribute of a record that may be none: `ce-` or, as Kafka has it, `ce_`.
fn attribute<'r>(record: &'r Record, wanted: &str) -> Option<&'r str> {
    let is_it = |name: &str| {
        let (prefix, rest) = name.split_at_checked(3).unwrap_or_default();
        (prefix.eq_ignore_ascii_case("ce-") || prefix.eq_ignore_ascii_case("ce_")) && rest.eq_ignore_ascii_case(wanted)
    };
    record.message.headers.iter().find(|(name, _)| is_it(name)).map(|(_, value)| value.as_str())
}

fn trace_of(record: &Record) -> Option<Box<str>> {
    let named = record.message.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("traceparent"));
    let id = named.and_then(|(_, parent)| parent.get(3..35))?;
    id.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| id.into())
}

fn cut(text: &str) -> Box<str> {
    text[..text.floor_char_boundary(MOST_TEXT)].into()
}

/// The paths of the newest events of a node.
#[derive(Debug)]
pub struct EventPaths {
    ring: Mutex<Ring>,
    limit: usize,
}

#[derive(Debug, Default)]
struct Ring {
    paths: VecDeque<Arc<EventPath>>,
    bytes: usize,
}

impl EventPaths {
    /// None yet; at most so many bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { ring: Mutex::default(), limit }
    }

    /// Takes the path of an event that is about to be sent.
    pub(crate) fn push(&self, path: EventPath, read_at: i64) {
        let path = Arc::new(EventPath { read_at, ..path });
        let mut ring = self.ring();
        ring.bytes += path.cost();
        ring.paths.push_back(path);
        while ring.bytes > self.limit
            && let Some(oldest) = ring.paths.pop_front()
        {
            ring.bytes -= oldest.cost();
        }
    }

    /// The newest paths of an event's id, or of a record's place.
    #[must_use]
    pub fn find(&self, wanted: &str) -> Vec<Arc<EventPath>> {
        let place = wanted
            .split_once('-')
            .and_then(|(partition, offset)| Some((partition.parse::<u32>().ok()?, offset.parse::<u64>().ok()?)));
        let wanted = cut(wanted);
        let is_it = |path: &&Arc<EventPath>| {
            path.id == wanted || place.is_some_and(|place| place == (path.place.partition, path.place.offset))
        };
        self.ring().paths.iter().rev().filter(is_it).take(MOST_FOUND).cloned().collect()
    }

    /// How many events are known here, and when the oldest of them was read, in milliseconds since the epoch.
    #[must_use]
    pub fn reach(&self) -> (usize, Option<i64>) {
        let ring = self.ring();
        (ring.paths.len(), ring.paths.front().map(|path| path.read_at))
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        // Each call leaves it in order, so a panic elsewhere does not spoil it.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Scene;

    const ALERT: &str = r#"{"org": "acme", "title": "t", "message": "m"}"#;

    fn path(scene: &mut Scene) -> EventPath {
        let record = scene.event("system.Alert", ALERT);
        let event = scene.decode(&record);
        let matches = scene.routes.resolve(&event).expect("sound");
        EventPath::of(&record, &event, Verdict::New, Some(&matches), SmallVec::new())
    }

    #[test]
    fn an_event_is_found_by_its_id_and_by_its_place() {
        let (mut scene, paths) = (Scene::demo(), EventPaths::new(1 << 20));
        for read_at in 1..=3 {
            paths.push(path(&mut scene), read_at);
        }
        let [found] = &paths.find("event-2")[..] else { panic!("one") };
        assert_eq!((found.read_at, &*found.event_type, found.org.as_deref()), (2, "system.Alert", Some("acme")));
        assert_eq!(found.notified[0].groups[0].to_string(), "org:acme");
        assert_eq!(paths.find(&found.place_text())[0].read_at, 2);
        assert_eq!(paths.find("0-3")[0].read_at, 3);
        for none in ["event-4", "event", "1-2", "0-", "-", "", &"x".repeat(5000)] {
            assert!(paths.find(none).is_empty(), "{none}");
        }
        assert_eq!(paths.reach(), (3, Some(1)));
    }

    #[test]
    fn the_oldest_is_forgotten_beyond_the_bytes_whatever_an_event_holds() {
        let mut scene = Scene::demo();
        let one = path(&mut scene).cost();
        let paths = EventPaths::new(10 * one);
        (0..1000).for_each(|number| paths.push(path(&mut scene), number));
        let (count, oldest) = paths.reach();
        assert!((9..=10).contains(&count) && oldest == Some(1000 - count as i64), "{count}, {oldest:?}");
        let mut large = scene.event("system.Alert", ALERT);
        large.message.id = "é".repeat(100_000);
        large.message.headers = vec![
            ("CE_Source".to_owned(), "s".repeat(100_000)),
            ("traceparent".to_owned(), format!("00-{}-1", "z".repeat(32))),
        ];
        let unusable = EventPath::unusable(&large, &Unusable::Schema("x".repeat(100_000)));
        assert_eq!((unusable.id.len(), unusable.source.len(), &unusable.trace_id), (MOST_TEXT, MOST_TEXT, &None));
        assert!(unusable.cost() < size_of::<EventPath>() + OVERHEAD + 4 * MOST_TEXT + 100, "{}", unusable.cost());
        paths.push(unusable, 7);
        let bytes: usize = paths.ring().paths.iter().map(|path| path.cost()).sum();
        assert_eq!(paths.ring().bytes, bytes);
        assert!(bytes <= 10 * one);
    }

    #[test]
    fn of_an_event_with_many_groups_and_routes_some_are_kept_and_the_rest_counted() {
        let mut scene = Scene::demo();
        let record = scene.event("system.Alert", ALERT);
        let event = scene.decode(&record);
        let mut matches = scene.routes.resolve(&event).expect("sound");
        let group = matches[0].groups[0].clone();
        matches[0].groups = (0..1000).map(|_| group.clone()).collect();
        let route = Arc::clone(matches[0].route);
        let not_taken = (0..1000).map(|_| (Arc::clone(&route), NotTaken::Nobody)).collect();
        let path = EventPath::of(&record, &event, Verdict::New, Some(&matches), not_taken);
        assert_eq!((path.notified[0].groups.len(), path.notified[0].more_groups), (MOST_GROUPS, 1000 - MOST_GROUPS));
        assert_eq!((path.not_taken.len(), path.more_not_taken), (MOST_NOT_TAKEN, 1000 - MOST_NOT_TAKEN));
    }
}
