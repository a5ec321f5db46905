//! What of the log's past is told again to a tab that returns; pure.

use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::{Position, Record};
use fanfare_event::{Event, Registry};
use smallvec::SmallVec;

use super::Written;
use super::decode::decode_within;
use super::reader::reached;
use crate::groups::name::GroupName;
use crate::projection::{Bounds, Place, Projection, Verdict, seal_cursor};
use crate::route::{Route, RouteTable};
use crate::seal::Seal;

/// One notification of an event of the past.
#[derive(Debug, Clone)]
pub struct Notification {
    /// The route that asked for it.
    pub route: Arc<Route>,
    /// Its audience.
    pub groups: SmallVec<[GroupName; 2]>,
}

/// One event of the past.
#[derive(Debug)]
pub struct Replayed {
    /// Where in the log.
    pub place: Place,
    /// The cursor behind it.
    pub cursor: String,
    /// The event.
    pub event: Arc<Event>,
    /// What was sent about it, to whom.
    pub notifications: Vec<Notification>,
}

/// How near to the edge of the window the newest record of a cursor may be if the cursor lacks a partition: by so
/// much a node may have been behind in one partition while it read another.
pub(crate) const SLACK: Duration = Duration::from_secs(15);

/// The replay window as it lies in the log just now.
#[derive(Debug, Clone)]
pub(crate) struct Extent {
    /// Just before its oldest record.
    pub oldest: Position,
    /// The same by age alone, and the same for an age shorter by [`SLACK`]; only for a cursor that lacks partitions.
    pub by_age: Option<(Position, Position)>,
}

/// Whether a partition that a cursor may need is not in it: a long cursor has left it out, or nothing of it had been
/// read.
pub(crate) fn lacks(after: &Position, oldest: &Position) -> bool {
    oldest.offsets().iter().any(|(partition, _)| after.offset(*partition).is_none())
}

/// From where a replay reads for a tab that has everything up to `after`, and whether that is all it missed.
///
/// A partition that the cursor lacks is read from the begin of the window. Nothing of it is lost if the window holds
/// all that came since the cursor: if the cursor's newest record lies well inside the window, and the window of that
/// partition is not cut short by the number of its records.
///
/// Told from positions alone, so that every node answers alike and no clock is asked.
pub(crate) fn begin(after: &Position, window: &Extent) -> (Position, bool) {
    let oldest = &window.oldest;
    if after.incarnation() != oldest.incarnation() {
        return (oldest.clone(), false);
    }
    let is_recent = |recent: &Position| {
        let mut known = after.offsets().iter();
        known.any(|&(partition, offset)| recent.offset(partition).is_none_or(|edge| offset > edge))
    };
    let is_whole = |(partition, edge): &(u32, u64)| match after.offset(*partition) {
        Some(offset) => offset >= *edge,
        None => window
            .by_age
            .as_ref()
            .is_some_and(|(by_age, recent)| by_age.offset(*partition) == Some(*edge) && is_recent(recent)),
    };
    let complete = oldest.offsets().iter().all(is_whole);
    let mut from = after.clone();
    from.merge(oldest);
    if !complete && oldest.newest() == 0 {
        // What lies before the window may be younger than the cursor, so nothing is known of its time.
        from = Position::from_parts(from.incarnation(), from.offsets().iter().copied());
    }
    (from, complete)
}

/// A walk over the past, record by record.
#[derive(Debug)]
pub(crate) struct Past {
    until: Position,
    event_bytes: usize,
    /// Drops duplicates and what was out of date when it was first read, as the live path did.
    known: Projection,
}

impl Past {
    /// Begins behind `from` and ends at `until`.
    pub(crate) fn new(from: Position, until: Position, bounds: &Bounds) -> Self {
        Self { until, event_bytes: bounds.event_bytes, known: Projection::new(from, bounds) }
    }

    /// Whether everything was read. A connection that was open when the stream was made anew hears the new one live,
    /// from its window on: there is nothing to read for it.
    pub(crate) fn is_over(&self) -> bool {
        let read = self.known.position();
        read.incarnation() != self.until.incarnation() || reached(read, &self.until)
    }

    /// How far the walk has come.
    pub(crate) fn position(&self) -> &Position {
        self.known.position()
    }

    /// Goes on behind another position: what lay before it is no longer kept.
    pub(crate) fn skip_to(&mut self, position: Position) {
        self.known.continue_from(position);
    }

    /// Notes that everything up to the end was read.
    pub(crate) fn finish(&mut self) {
        let until = self.until.clone();
        self.pass(&until);
    }

    /// Notes how far the log was read: what lies between its records are holes.
    ///
    /// Not beyond the end: what lies there comes live, and a cursor must not be ahead of it.
    pub(crate) fn pass(&mut self, read: &Position) {
        let mut position = self.known.position().clone();
        for &(partition, offset) in read.offsets() {
            if let Some(end) = self.until.offset(partition) {
                position.advance_to(partition, offset.min(end));
            }
        }
        self.known.continue_from(position);
    }

    /// Takes the next record; what was sent about it, if anything.
    pub(crate) fn take(
        &mut self,
        registry: &Registry,
        routes: &RouteTable,
        seal: &Seal,
        record: &Record,
        written: &Written,
    ) -> Option<Replayed> {
        let place = Place::of(record);
        if !place.is_within(&self.until) {
            return None;
        }
        let decoded = decode_within(registry, record, written, self.event_bytes).ok().flatten().map(Arc::new);
        let routed = decoded.and_then(|event| routes.resolve(&event).ok().map(|matches| (matches, Arc::clone(&event))));
        let Some((matches, event)) = routed else {
            self.known.skip(record);
            return None;
        };
        if self.known.fold(record, &event, &matches).verdict != Verdict::New {
            return None;
        }
        let cursor = seal_cursor(seal, self.known.position(), self.known.times());
        let notifications = matches
            .into_iter()
            .map(|found| Notification { route: Arc::clone(found.route), groups: found.groups })
            .collect();
        Some(Replayed { place, cursor, event, notifications })
    }
}
