//! Decides which records of the log are sent again to a connection that resumes; pure.

use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::{Position, Record, Stream};
use fanfare_event::{Event, Id};
use smallvec::SmallVec;

use super::super::Written;
use super::super::decode::decode_within;
use super::super::follower::reached;
use crate::projection::{Bounds, Projection, Verdict};
use crate::route::{Route, RouteTable};
use crate::rule::{Rule, kept};
use crate::vocabulary::Place;
use crate::vocabulary::name::GroupName;

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
    /// How far the connection has come with it.
    pub position: Position,
    /// The event.
    pub event: Arc<Event>,
    /// The notifications that were sent about it, with their audiences.
    pub notifications: Vec<Notification>,
}

/// How near to the edge of the window the newest record of a cursor may be if the cursor has left a partition out: a
/// node may have been this far behind in that partition while it read another.
pub(crate) const SLACK: Duration = Duration::from_secs(15);

/// The replay window in the log right now.
#[derive(Debug, Clone)]
pub(crate) struct Extent {
    /// Just before its oldest record.
    pub oldest: Position,
    /// Only for a cursor that has left partitions out.
    pub ages: Option<Ages>,
}

/// By which a cursor that has left partitions out is judged.
#[derive(Debug, Clone)]
pub(crate) struct Ages {
    /// Where the window begins by age only.
    pub by_age: Position,
    /// The same for an age shorter by [`SLACK`].
    pub recent: Position,
    /// Just before the oldest record that is stored.
    pub stored: Position,
}

impl Ages {
    /// Whether the window of a partition that begins after `edge` holds everything that is young enough: it is not cut
    /// by count, and an older record is still stored, so the retention has deleted nothing of it.
    fn is_whole(&self, partition: u32, edge: u64) -> bool {
        self.by_age.offset(partition) == Some(edge) && self.stored.offset(partition) != Some(edge)
    }
}

/// Whether a long cursor has left out a partition that it may need.
pub(crate) fn lacks(after: &Position, oldest: &Position) -> bool {
    (after.is_partial() || !kept(Rule::UnreadFromFirst))
        && oldest.offsets().iter().any(|(partition, _)| after.offset(*partition).is_none())
}

/// From where a replay reads for a tab that has everything up to `after`, and whether that is all it missed.
///
/// A partition that the cursor lacks is read from the begin of the window. If nothing of it had been read where the
/// cursor was given, that is all that was missed as long as nothing lies before that begin, however new the cursor is:
/// one partition may be read long after another. If the cursor has left it out, nothing of it is lost if the window
/// holds all that came since the cursor: if the cursor's newest record lies well inside the window, and the window of
/// that partition is cut short neither by the number of its records nor by the retention.
///
/// Computed from positions alone, so that every node answers alike and no clock is asked.
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
        None => window.ages.as_ref().is_some_and(|ages| ages.is_whole(*partition, *edge) && is_recent(&ages.recent)),
    };
    let complete = oldest.offsets().iter().all(is_whole);
    let mut from = after.clone();
    from.merge(oldest);
    if !complete && oldest.newest() == 0 {
        // Records before the window may be younger than the cursor, so nothing is known of their time.
        from = Position::from_parts(from.incarnation(), from.offsets().iter().copied());
    }
    (from, complete)
}

/// Which old records a connection is sent again, one after another.
#[derive(Debug)]
pub(crate) struct ReplayFilter {
    until: Position,
    /// The orgs of the connection.
    orgs: Vec<Id>,
    event_bytes: usize,
    /// Drops duplicates and what was out of date when it was first read, like the live path.
    known: Projection,
}

impl ReplayFilter {
    /// For a connection of these orgs that has everything up to `after`: reads after `from`, and ends at `until`.
    pub(crate) fn new(after: &Position, from: &Position, until: Position, orgs: Vec<Id>, bounds: &Bounds) -> Self {
        let same = after.incarnation() == from.incarnation();
        let known = Position::from_parts(from.incarnation(), after.offsets().iter().copied().filter(|_| same));
        let known = Projection::new(known.with_newest(from.newest()), bounds);
        let mut filter = Self { until, orgs, event_bytes: bounds.event_bytes, known };
        filter.pass(from);
        filter
    }

    /// Whether everything was read. A connection that was open when the stream was recreated gets the new one live,
    /// from its window on: there is nothing to read for it.
    pub(crate) fn is_over(&self) -> bool {
        let read = self.known.position();
        read.incarnation() != self.until.incarnation() || reached(read, &self.until)
    }

    /// How far the log was read.
    pub(crate) fn position(&self) -> &Position {
        self.known.position()
    }

    /// Restarts after another position: the cursor was of another stream.
    pub(crate) fn restart(&mut self, from: &Position) {
        self.known.continue_from(Position::start(from.incarnation()).with_newest(from.newest()));
        self.pass(from);
    }

    /// Notes that everything up to the end was read.
    pub(crate) fn finish(&mut self) {
        let until = self.until.clone();
        self.pass(&until);
    }

    /// Notes how far the log was read: between its records are gaps, or records that are no longer kept.
    ///
    /// Not beyond the end: later records come live, or are lost to this node too. A cursor must not be ahead of it.
    pub(crate) fn pass(&mut self, read: &Position) {
        let mut position = self.known.position().clone();
        for &(partition, offset) in read.offsets() {
            if let Some(end) = self.until.offset(partition) {
                position.advance_to(partition, offset.min(end));
            }
        }
        self.known.continue_from(position);
    }

    /// Takes the next record; returns what was sent about it, if anything.
    pub(crate) fn take(&mut self, routes: &RouteTable, record: &Record, written: &Written) -> Option<Replayed> {
        let place = Place::of(record);
        if !place.is_within(&self.until) {
            return None;
        }
        if self.is_foreign(routes, record) {
            self.known.skip(record);
            return None;
        }
        let decoded = decode_within(routes.schemas(), record, written, self.event_bytes).ok().flatten().map(Arc::new);
        let routed = decoded.and_then(|event| routes.resolve(&event).ok().map(|matches| (matches, Arc::clone(&event))));
        let Some((matches, event)) = routed else {
            self.known.skip(record);
            return None;
        };
        if self.known.fold(record, &event, &matches).verdict != Verdict::New {
            return None;
        }
        let position = self.known.position().clone();
        let notifications = matches
            .into_iter()
            .map(|found| Notification { route: Arc::clone(found.route), groups: found.groups })
            .collect();
        Some(Replayed { place, position, event, notifications })
    }

    /// Whether the broker itself says that a record is of an org whose events are not for this connection. Thousands of
    /// clients return at once, and most records after their cursors are of other orgs: decoding them would be most of
    /// the work.
    ///
    /// This sends nothing more than otherwise: a record whose body or header names another org than the broker does is
    /// a dead letter. If the broker names none, the body decides. State is read in any case, as a newer revision in one
    /// org may make an older one outdated. The type is the one in the header, since routes use that.
    fn is_foreign(&self, routes: &RouteTable, record: &Record) -> bool {
        let message = &record.message;
        let Some(org) = message.org.as_deref().filter(|_| message.stream == Stream::Events) else { return false };
        if self.orgs.iter().any(|own| own.as_str() == org) {
            return false;
        }
        let mut types = message.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("ce-type"));
        types.next().is_some_and(|(_, declared)| !routes.crosses_orgs(declared)) && types.next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{BOUNDS, Scene};

    fn at(parts: &[(u32, u64)]) -> Position {
        Position::from_parts(1, parts.iter().copied())
    }

    fn past(after: &Position, from: &Position) -> ReplayFilter {
        ReplayFilter::new(after, from, at(&[(0, 5), (1, 9)]), vec![Id::parse("acme").expect("an org")], &BOUNDS)
    }

    #[test]
    fn a_cursor_of_a_replay_is_not_ahead_of_a_node_that_has_not_read_what_was_lost() {
        // The retention has deleted more than this node has read: its connections are told when the node finds out.
        assert_eq!(*past(&at(&[(0, 1), (1, 2)]), &at(&[(0, 7), (1, 4)])).position(), at(&[(0, 5), (1, 4)]));
        assert_eq!(*past(&Position::start(2), &at(&[(0, 7), (2, 7)])).position(), at(&[(0, 5)]));
    }

    #[test]
    fn a_tab_from_a_node_ahead_of_this_one_keeps_what_it_has() {
        assert_eq!(*past(&at(&[(0, 8)]), &at(&[(0, 8), (1, 4)])).position(), at(&[(0, 8), (1, 4)]));
    }

    #[test]
    fn a_replay_of_another_stream_starts_over() {
        let mut past = past(&at(&[(0, 4)]), &at(&[(0, 4)]));
        past.restart(&at(&[(0, 2)]));
        assert_eq!(*past.position(), at(&[(0, 2)]));
    }

    #[test]
    fn only_records_that_the_broker_marks_as_another_orgs_are_skipped_unread() {
        let mut scene = Scene::demo();
        let past = past(&at(&[]), &at(&[]));
        let mut of_globex = scene.event("system.Alert", r#"{"org": "globex", "title": "t", "message": "m"}"#);
        assert!(past.is_foreign(&scene.routes, &of_globex));
        let of_acme = scene.event("system.Alert", r#"{"org": "acme", "title": "t", "message": "m"}"#);
        assert!(!past.is_foreign(&scene.routes, &of_acme), "its own");
        let logout = scene.event("auth.UserLoggedOut", r#"{"org": "globex", "user": "carol"}"#);
        assert!(!past.is_foreign(&scene.routes, &logout), "state");
        let typed = |record: &mut Record, name: &str| {
            record.message.headers.iter_mut().filter(|(known, _)| known == "ce-type").for_each(|header| {
                name.clone_into(&mut header.1);
            });
        };
        typed(&mut of_globex, "auth.UserLoggedOut");
        assert!(!past.is_foreign(&scene.routes, &of_globex), "a route of the type crosses orgs");
        typed(&mut of_globex, "system.Alert");
        of_globex.message.headers.push(("CE-Type".to_owned(), "system.Alert".to_owned()));
        assert!(!past.is_foreign(&scene.routes, &of_globex), "two types");
        of_globex.message.headers.pop();
        of_globex.message.org = None;
        assert!(!past.is_foreign(&scene.routes, &of_globex), "the broker names no org");
    }
}
