//! The path of one event, as operators see it; pure.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use fanfare_broker::Record;
use fanfare_event::Event;

use super::decode::decode_within;
use super::{Unusable, Written};
use crate::groups::{ReachNumber, Reached, Reaches};
use crate::projection::Verdict;
use crate::route::{NotTaken, Route, RouteTable};
use crate::vocabulary::Place;
use crate::vocabulary::name::GroupName;

/// How many groups of a notification are given out by name.
const MOST_GROUPS: usize = 20;

/// How many routes that did not take an event are given out.
const MOST_NOT_TAKEN: usize = 32;

/// How much of a text is kept that nobody has checked.
pub(super) const MOST_TEXT: usize = 256;

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
    DeadLetter(Box<str>),
}

/// What is kept of an event.
#[derive(Debug, Clone)]
pub(crate) struct Passage {
    /// The number of its record among the recent ones.
    pub(super) record: u64,
    pub(super) place: Place,
    /// A digest of its id.
    pub(super) id: u64,
    pub(super) outcome: Outcome,
    /// Under which number it is noted whom its first notification reaches; the next ones follow.
    pub(super) reach: Option<ReachNumber>,
}

/// One notification that a route made.
#[derive(Debug)]
pub struct Notified {
    /// The route.
    pub route: Arc<Route>,
    /// Its first groups.
    pub groups: Vec<GroupName>,
    /// How many more there are.
    pub more_groups: usize,
    /// Whom it has reached.
    pub reached: Reached,
}

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
    pub notified: Vec<Notified>,
    /// The routes of its type that did not take it, and why.
    pub not_taken: Vec<(Arc<Route>, NotTaken)>,
    /// How many more of those there are.
    pub more_not_taken: usize,
    /// When this node had read it, in milliseconds since the epoch.
    pub read_at: i64,
}

impl Passage {
    /// Of an event that could be used; it is news if it tells somebody something.
    pub(crate) fn of(
        record: u64,
        place: Place,
        event: &Event,
        (verdict, tells): (Verdict, bool),
        reach: Option<ReachNumber>,
    ) -> Self {
        let outcome = match (tells, verdict) {
            (true, _) => Outcome::New,
            (false, Verdict::Conflict) => Outcome::DeadLetter(Unusable::Conflict.to_string().into()),
            (false, Verdict::Stale) => Outcome::Stale,
            (false, Verdict::New | Verdict::Duplicate) => Outcome::Duplicate,
        };
        Self { record, place, id: digest(&event.attributes.id), outcome, reach }
    }

    /// Of a record that could not be used.
    pub(crate) fn unusable(number: u64, record: &Record, reason: &Unusable) -> Self {
        let outcome = Outcome::DeadLetter(cut(&reason.to_string()).into());
        Self { record: number, place: Place::of(record), id: digest(said_id(record)), outcome, reach: None }
    }
}

impl EventPath {
    /// What the headers of a record say, whatever they say.
    pub(super) fn of_headers(record: &Record, outcome: Outcome, read_at: i64) -> Self {
        let message = &record.message;
        Self {
            place: Place::of(record),
            id: cut(said_id(record)).into(),
            source: cut(attribute(record, "source").unwrap_or_default()).into(),
            event_type: cut(&message.topic).into(),
            org: message.org.as_deref().map(|org| cut(org).into()),
            trace_id: trace_of(record),
            outcome,
            notified: Vec::new(),
            not_taken: Vec::new(),
            more_not_taken: 0,
            read_at,
        }
    }

    /// Adds what its event says, and what the routes of then make of it.
    pub(super) fn decode(
        &mut self,
        record: &Record,
        written: &Written,
        routes: &RouteTable,
        (first, reaches): (Option<ReachNumber>, &Reaches),
    ) {
        // Whatever may be delivered by now: it was read.
        let decoded = decode_within(routes.schemas(), record, written, usize::MAX);
        let Some(event) = decoded.ok().flatten() else { return };
        let attributes = &event.attributes;
        (self.id, self.source) = (cut(&attributes.id).into(), cut(&attributes.source).into());
        self.event_type = attributes.event_type.as_str().into();
        self.org = attributes.org.as_ref().map(|org| org.as_str().into());
        let (not_taken, more) = (&mut self.not_taken, &mut self.more_not_taken);
        let matches = routes.resolve_noting(&event, |route, why| {
            if not_taken.len() < MOST_NOT_TAKEN {
                not_taken.push((Arc::clone(route), why));
            } else {
                *more += 1;
            }
        });
        let notify = matches.into_iter().flatten().filter(|matched| !matched.groups.is_empty());
        let numbers = std::iter::successors(first, |number| number.checked_add(1));
        let notified = notify.zip(numbers).map(|(matched, number)| Notified {
            route: Arc::clone(matched.route),
            groups: matched.groups.iter().take(MOST_GROUPS).cloned().collect(),
            more_groups: matched.groups.len().saturating_sub(MOST_GROUPS),
            reached: reaches.so_far(number).unwrap_or_default(),
        });
        self.notified = notified.collect();
    }

    /// Its place as operators write it, which is the id of its dead letter too.
    #[must_use]
    pub fn place_text(&self) -> String {
        format!("{}-{}", self.place.partition, self.place.offset)
    }
}

/// The id of an event whose body nobody has read.
fn said_id(record: &Record) -> &str {
    attribute(record, "id").unwrap_or(&record.message.id)
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

pub(super) fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MOST_TEXT)]
}

pub(super) fn digest(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    cut(id).hash(&mut hasher);
    hasher.finish()
}
