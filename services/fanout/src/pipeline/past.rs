//! What of the log's past is told again to a tab that returns; pure.

use std::sync::Arc;

use fanfare_broker::{Position, Record};
use fanfare_event::{Event, Registry};
use smallvec::SmallVec;

use super::reader::reached;
use super::{Written, decode};
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

/// From where a replay reads for a tab that has everything up to `after`, and whether that is all it missed.
///
/// Told from positions alone, so that every node answers alike.
pub(crate) fn begin(after: &Position, oldest: Position) -> (Position, bool) {
    let complete = after.incarnation() == oldest.incarnation() && reached(after, &oldest);
    if complete { (after.clone(), true) } else { (oldest, false) }
}

/// A walk over the past, record by record.
#[derive(Debug)]
pub(crate) struct Past {
    until: Position,
    /// Drops duplicates and what was out of date when it was first read, as the live path did.
    known: Projection,
}

impl Past {
    /// Begins behind `from` and ends at `until`.
    pub(crate) fn new(from: Position, until: Position, bounds: &Bounds) -> Self {
        Self { until, known: Projection::new(from, bounds) }
    }

    /// Whether everything was read.
    pub(crate) fn is_over(&self) -> bool {
        reached(self.known.position(), &self.until)
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
        let decoded = decode(registry, record, written).ok().flatten().map(Arc::new);
        let routed = decoded.and_then(|event| routes.resolve(&event).ok().map(|matches| (matches, Arc::clone(&event))));
        let Some((matches, event)) = routed else {
            self.known.skip(record);
            return None;
        };
        if self.known.fold(record, &event, &matches).verdict != Verdict::New {
            return None;
        }
        let cursor = seal_cursor(seal, self.known.position());
        let notifications = matches
            .into_iter()
            .map(|found| Notification { route: Arc::clone(found.route), groups: found.groups })
            .collect();
        Some(Replayed { place, cursor, event, notifications })
    }
}
