//! Decides what becomes of one record and what follows from it, in order; pure.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use fanfare_broker::{Position, Record};
use fanfare_event::Event;
use smallvec::SmallVec;

use super::decode::decode_within;
use super::event_path::Passage;
use super::follower::Mode;
use super::letters::replay_of;
use super::throttle::{Throttles, Turn};
use super::{RecentRecords, Unusable, Written};
use crate::connection::Frame;
use crate::groups::{Delivery, Followed, FollowedBy, Groups, ReachNumber, ShardSet};
use crate::projection::{ConnectionEffect, Folded, HubTag, Verdict, seal_cursor};
use crate::route::{Match, Route, RouteTable};
use crate::rule::{Rule, kept};
use crate::seal::Seal;
use crate::vocabulary::Place;

/// The routes that take an event.
type Matches<'r> = SmallVec<[Match<'r>; 2]>;

/// What the intake of records uses.
#[derive(Clone, Copy)]
pub(crate) struct Intake<'r, 'n> {
    /// The routes, with the schemas.
    pub(crate) routes: &'r RouteTable,
    /// The projection, and who is interested in what.
    pub(crate) groups: &'n Groups,
    /// Where resumes find the newest records.
    pub(crate) recent: &'n RecentRecords,
    /// Seals cursors.
    pub(crate) seal: &'n Seal,
    /// The largest body that is delivered, in bytes.
    pub(crate) event_bytes: usize,
    /// The throttles.
    pub(crate) throttles: &'n Mutex<Throttles>,
    /// When it is.
    pub(crate) now: Instant,
}

/// A record, taken in.
#[derive(Debug)]
pub(crate) struct Taken<'r> {
    /// Why it is a dead letter, if it is one.
    pub(crate) letter: Option<Unusable>,
    /// The outcome of its event; none for a tombstone and for a record that cannot be used.
    pub(crate) folded: Option<Verdict>,
    /// What is kept of it for operators: of a live event alone.
    pub(crate) passage: Option<Passage>,
    /// Whether a retained value found no room.
    pub(crate) retained_full: bool,
    /// Whether a grant found no room.
    pub(crate) grants_full: bool,
    /// Whether the state of an org found no room.
    pub(crate) orgs_full: bool,
    /// The steps that follow; to be carried out completely before the next record is taken.
    pub(crate) effects: Effects<'r>,
}

/// The steps that follow from a record: shards may do something between any two.
#[derive(Debug)]
pub(crate) struct Effects<'r> {
    record: Arc<Record>,
    /// The event and its audiences; nothing if nobody is notified.
    told: Option<(Arc<Event>, Matches<'r>, Folded)>,
    /// The next match to be sent.
    next: usize,
    /// Under which number shards note whom the next match with groups reaches.
    reach: Option<ReachNumber>,
    /// Notifications that a throttle lets through now.
    turns: VecDeque<Turn>,
    /// Whether cursors must learn of a change in what waits.
    holds_anew: bool,
    /// The cursor for the tabs of a hub: the same bytes for all of them, and others for those of another.
    cursor: Option<(Arc<str>, String)>,
    on_connections: VecDeque<ConnectionEffect>,
    is_live: bool,
}

/// One step.
#[derive(Debug)]
pub(crate) enum Effect {
    /// A notification of this route, for these shards; nothing to send where no shard has a member.
    Notify {
        /// The route.
        route: Arc<Route>,
        /// The event.
        #[cfg(test)]
        event: Arc<Event>,
        /// The delivery.
        delivery: Option<(Arc<Delivery>, ShardSet)>,
    },
    /// Open connections feel this; done once all have.
    Apply(ConnectionEffect),
}

impl<'r> Intake<'r, '_> {
    /// Takes a record in: it is decoded, routed and folded.
    pub(crate) fn take(self, record: &Arc<Record>, written: &Written, mode: Mode) -> Taken<'r> {
        // First to where a resume finds it: once it is folded, new connections are live after it.
        let number = if mode == Mode::State { None } else { self.recent.push(Arc::clone(record)) };
        let mut taken = Taken {
            letter: None,
            folded: None,
            passage: None,
            retained_full: false,
            grants_full: false,
            orgs_full: false,
            effects: Effects::none(record, mode),
        };
        let (matches, event) = match self.decode_and_route(record, written, mode) {
            Ok(Some(usable)) => usable,
            unusable => {
                if let (Mode::Live, Some(number), Err(reason)) = (mode, number, &unusable) {
                    taken.passage = Some(Passage::unusable(number, record, reason));
                }
                if mode != Mode::State {
                    self.groups.fold(|known| known.skip(record));
                }
                // No node ran when this was stored, so nobody has written its letter yet. The broker keeps one letter
                // for a record, however often it is written. State is read ahead and is in the log as well.
                let is_owed = match mode {
                    Mode::State => false,
                    Mode::CatchingUp => kept(Rule::LettersWhileReadingBack),
                    Mode::Live => true,
                };
                taken.letter = unusable.err().filter(|_| is_owed);
                return taken;
            }
        };
        let folded = self.groups.fold(|known| match mode {
            Mode::State => known.fold_state(record, &event, &matches),
            Mode::CatchingUp | Mode::Live => known.fold(record, &event, &matches),
        });
        taken.folded = Some(folded.verdict);
        (taken.retained_full, taken.grants_full) = (folded.retained_full, folded.grants_full);
        taken.orgs_full = folded.orgs_full;
        if folded.verdict == Verdict::Conflict && mode != Mode::State {
            taken.letter = Some(Unusable::Conflict);
        }
        if mode == Mode::Live {
            // A part of an outdated event may still be new, and has its effect even if nothing is sent.
            taken.effects.on_connections = folded.effects.clone().into();
            let tells = match folded.verdict {
                Verdict::New => true,
                Verdict::Duplicate => self.is_news_as_replay(record, &event),
                Verdict::Stale | Verdict::Conflict => false,
            };
            if tells {
                let notifications = matches.iter().filter(|matched| !matched.groups.is_empty()).count();
                taken.effects.reach = self.groups.reaches().begin(notifications);
            }
            let (place, reach) = (Place::of(record), taken.effects.reach);
            let passage = |number| Passage::of(number, place, &event, (folded.verdict, tells), reach);
            taken.passage = number.map(passage);
            if tells {
                taken.effects.told = Some((event, matches, folded));
            }
        }
        taken
    }

    /// The event of a record and its audiences; nothing for a tombstone.
    fn decode_and_route(
        self,
        record: &Record,
        written: &Written,
        mode: Mode,
    ) -> Result<Option<(Matches<'r>, Arc<Event>)>, Unusable> {
        // Spans belong to the event's own, which only a live one has.
        let is_traced = mode == Mode::Live;
        let decode = || decode_within(self.routes.schemas(), record, written, self.event_bytes);
        let decoded = if is_traced { tracing::info_span!("decode").in_scope(decode) } else { decode() };
        let Some(event) = decoded? else { return Ok(None) };
        let route = || self.routes.resolve(&event);
        let routed = if is_traced { tracing::info_span!("route").in_scope(route) } else { route() };
        Ok(Some((routed?, Arc::new(event))))
    }

    /// Whether this is the replay of a dead letter whose record this node could use when it read the log back: then it
    /// has delivered nothing.
    fn is_news_as_replay(self, record: &Record, event: &Event) -> bool {
        let is_replay = replay_of(&record.message).is_some() && kept(Rule::ReplayOfLearnt);
        is_replay && self.groups.fold(|known| known.tells_replay(event))
    }

    /// The cursor after the current record, for the connections of one hub.
    fn cursor(self, hub: &str) -> String {
        self.cursor_at(hub, None)
    }

    /// The cursor of a position, or behind the record that is handled.
    fn cursor_at(self, hub: &str, position: Option<&Position>) -> String {
        let held = self.throttles().held();
        let (seal, tag) = (self.seal, HubTag::of(hub));
        self.groups.read(|known| {
            let mut position = known.cursor_position(position.unwrap_or(known.position())).clone();
            if kept(Rule::HeldInCursors) {
                position = held.before(hub, position);
            }
            seal_cursor(seal, &position, known.times(), tag, false)
        })
    }

    fn throttles(&self) -> MutexGuard<'_, Throttles> {
        // Each call leaves them in order, so a panic elsewhere does not spoil them.
        self.throttles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next notification whose turn has come; call [`Self::hold`] once it is sent.
    pub(crate) fn due(self) -> Option<Effect> {
        let turn = self.throttles().due(self.now)?;
        Some(self.notify(turn))
    }

    /// Everything that waits, to be sent before an effect after which no notification may be sent.
    pub(crate) fn drain(self) -> Vec<Effect> {
        let turns = self.throttles().drain();
        turns.into_iter().map(|turn| self.notify(turn)).collect()
    }

    /// Notes for cursors what waits.
    pub(crate) fn hold(self) {
        let held = self.throttles().held();
        self.groups.hold(held);
    }

    /// What a notification is to tabs that hear another of its event, which comes behind it.
    fn followed(self, route: &Arc<Route>, event: &Arc<Event>, by: FollowedBy) -> Option<Box<Followed>> {
        if by.is_empty() || !kept(Rule::WholeEvents) {
            return None;
        }
        let (before, _) = self.groups.handed_on();
        let frame = Frame::new(route, event, &self.cursor_at(route.hub(), Some(&before)));
        Some(Box::new(Followed { by, frame }))
    }

    /// Notes that a notification goes to the shards, or would if one had a member.
    fn send(self, reach: Option<ReachNumber>) {
        if let Some(number) = reach {
            self.groups.reaches().note(number, |reached| reached.is_sent = true);
        }
    }

    fn notify(self, turn: Turn) -> Effect {
        let Turn { record, event, route, groups, followed_by, is_late, reach } = turn;
        self.send(reach);
        let shards = self.groups.interest().shards(route.hub(), &groups);
        let delivery = (!shards.is_empty()).then(|| {
            let cursor = self.cursor(route.hub());
            let matched = Match { route: &route, groups };
            let delivery = Delivery::of(&record, &event, &matched, &[], &cursor, self.groups.handed_on());
            // What came behind it was told before it if it has waited.
            let by = if is_late { SmallVec::new() } else { followed_by };
            let followed = self.followed(&route, &event, by);
            (Arc::new(Delivery { is_late, followed, reach, ..delivery }), shards)
        });
        Effect::Notify {
            route,
            #[cfg(test)]
            event,
            delivery,
        }
    }
}

/// Whom other notifications of an event are for that come behind one on its hub, as far as they are here.
fn followed_by(route: &Route, behind: &[Match<'_>], groups: &Groups) -> FollowedBy {
    let of_hub = behind.iter().filter(|other| other.route.hub() == route.hub() && !other.groups.is_empty());
    let are_here = |other: &&Match<'_>| !groups.interest().shards(other.route.hub(), &other.groups).is_empty();
    of_hub.filter(are_here).map(|other| (other.groups.clone(), other.route.cross_org())).collect()
}

impl<'r> Effects<'r> {
    fn none(record: &Arc<Record>, mode: Mode) -> Self {
        let (record, is_live) = (Arc::clone(record), mode == Mode::Live);
        let (turns, on_connections) = (VecDeque::new(), VecDeque::new());
        Self {
            record,
            told: None,
            next: 0,
            reach: None,
            turns,
            holds_anew: false,
            cursor: None,
            on_connections,
            is_live,
        }
    }

    /// Whether anybody may be notified.
    pub(crate) fn tells(&self) -> bool {
        self.told.is_some()
    }

    /// The next step: first everything that is sent, then the effects on connections. After the last step, cursors may
    /// claim a position after the record.
    pub(crate) fn next(&mut self, intake: Intake<'_, '_>) -> Option<Effect> {
        if let Some(turn) = self.turns.pop_front() {
            return Some(intake.notify(turn));
        }
        // What was let through is sent by now, and the position has not moved past what waits.
        if std::mem::take(&mut self.holds_anew) {
            intake.hold();
        }
        if let Some((event, matches, folded)) = &self.told {
            while let Some(matched) = matches.get(self.next) {
                self.next += 1;
                // A route may change access and notify nobody.
                if matched.groups.is_empty() {
                    continue;
                }
                let (route, reach) = (matched.route, self.reach);
                self.reach = reach.and_then(|number| number.checked_add(1));
                // Asked after the fold: see `Groups::admit` for why no connection falls between.
                let shards = intake.groups.interest().shards(route.hub(), &matched.groups);
                if let Some(pace) = route.pace(event, &matched.groups).filter(|_| !shards.is_empty()) {
                    let turn = Turn {
                        record: Arc::clone(&self.record),
                        event: Arc::clone(event),
                        route: Arc::clone(route),
                        groups: matched.groups.clone(),
                        followed_by: followed_by(route, &matches[self.next..], intake.groups),
                        is_late: false,
                        reach,
                    };
                    self.turns.extend(intake.throttles().take(pace, turn, intake.now));
                    (self.holds_anew, self.cursor) = (true, None);
                    return self.next(intake);
                }
                intake.send(reach);
                let delivery = (!shards.is_empty()).then(|| {
                    let known = self.cursor.take_if(|(hub, _)| **hub == *route.hub());
                    let cursor = || (Arc::clone(route.shared_hub()), intake.cursor(route.hub()));
                    let (_, cursor) = self.cursor.insert(known.unwrap_or_else(cursor));
                    let effects = &folded.effects;
                    let after = intake.groups.handed_on();
                    let delivery = Delivery::of(&self.record, event, matched, effects, cursor, after);
                    let by = followed_by(route, &matches[self.next..], intake.groups);
                    (Arc::new(Delivery { followed: intake.followed(route, event, by), reach, ..delivery }), shards)
                });
                return Some(Effect::Notify {
                    route: Arc::clone(route),
                    #[cfg(test)]
                    event: Arc::clone(event),
                    delivery,
                });
            }
        }
        if let Some(effect) = self.on_connections.pop_front() {
            return Some(Effect::Apply(effect));
        }
        if std::mem::take(&mut self.is_live) {
            intake.groups.pass_record(&self.record);
        }
        None
    }
}
