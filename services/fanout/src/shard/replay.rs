//! Reads the log again for one connection: pulled as its link takes it, charged by what it costs.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use fanfare_broker::Position;
use smallvec::SmallVec;
use tracing::Span;

use super::flow::{Flow, Lost};
use super::lines::replay_span;
use super::tab::Tab;
use super::{Core, Key, ReplayAnswer, Task, Ticket};
use crate::connection::{CloseReason, Frame};
use crate::pipeline::{Notification, Replayed, ResumeError};
use crate::rule::{Rule, kept};
use crate::vocabulary::Place;
use crate::vocabulary::name::GroupName;

/// How long a connection may keep its place among the readers of the broker without taking what it is sent.
const HOLDS_BROKER: Duration = Duration::from_secs(1);

/// How many records a replay reads for the price of one call: so a resume over a large window is not one call of those
/// that a connection may make in a minute.
const RECORDS_PER_CALL: f32 = 1_000.0;

/// The purpose of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// `Resume(cursor)`, with the id of the call.
    Call(Option<String>),
    /// `?cursor=`.
    AtConnect,
    /// The connection took less than came: it reads on from the log. It has heard all up to here, except what waited.
    Behind(Position),
    /// Groups that were joined right after a resume.
    Rejoin(Vec<GroupName>),
    /// None: the log is tried again in a while.
    Pause,
    /// None: a resume of a live connection was cut, and its next call goes on with it. What came live before that would
    /// give the client a cursor beyond what it has missed.
    Cut,
}

/// A replay under way.
#[derive(Debug)]
pub(super) struct Replaying {
    pub(super) ticket: Ticket,
    pub(super) kind: Kind,
    /// Its span, for traces.
    pub(super) span: Span,
    pub(super) after: Position,
    pub(super) until: Position,
    /// Whether the cursor claims more than its holder has heard, so that the replay can never be complete.
    pub(super) marked: bool,
    pub(super) complete: bool,
    pub(super) sent: usize,
    pub(super) bytes: usize,
    /// The places of retained notifications that were sent.
    pub(super) told: HashSet<Place>,
    /// How far the connection has been sent everything.
    pub(super) reached: Position,
    pending: VecDeque<Replayed>,
    stage: Stage,
    /// Since when the connection takes nothing of it; of what only waits, until when it does.
    stuck: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// A batch is being read.
    Reading,
    /// The next batch may be asked for.
    Idle,
    /// The next batch may be asked for; the place among the readers of the broker was given back.
    Paused,
    /// All of it was read.
    Ended,
}

impl Replaying {
    /// A wait for the call that goes on with a resume that was cut here.
    pub(super) fn cut(reached: Position, until: Instant) -> Self {
        Self { stuck: Some(until), ..Self::new(0, Kind::Cut, reached.clone(), reached, false) }
    }

    /// A pause until the log is tried again.
    pub(super) fn pause(until: Instant) -> Self {
        let nowhere = Position::start(0);
        Self { stuck: Some(until), ..Self::new(0, Kind::Pause, nowhere.clone(), nowhere, false) }
    }

    fn new(ticket: Ticket, kind: Kind, after: Position, until: Position, marked: bool) -> Self {
        Self {
            ticket,
            kind,
            span: Span::none(),
            reached: after.clone(),
            after,
            until,
            marked,
            complete: !marked,
            sent: 0,
            bytes: 0,
            told: HashSet::new(),
            pending: VecDeque::new(),
            stage: Stage::Reading,
            stuck: None,
        }
    }

    /// Up to where its connection has been sent everything, if it has been sent all up to `live` beside the replay.
    ///
    /// The cursor of a resume may be beyond that, as a node may be behind the one that issued it. If the resume was
    /// incomplete, nothing says that the client has heard what lies between.
    pub(super) fn told(&self, live: Position) -> Position {
        match self.kind {
            Kind::Pause => live,
            // In order from there on, so what was sent of it counts; unless something between has left the window.
            Kind::Behind(_) if self.complete => self.reached.clone(),
            Kind::Behind(_) => self.after.clone(),
            _ if self.after.incarnation() == live.incarnation() => self.after.meet(&live),
            _ => self.after.clone(),
        }
    }

    /// From where on its connection is live once it has ended. A node may be behind the one that issued the cursor:
    /// what the client has is not sent again.
    pub(super) fn live_from(&self) -> Position {
        let mut from = self.until.clone();
        if self.complete && from.incarnation() == self.after.incarnation() {
            from.merge(&self.after);
        }
        from
    }

    /// Whether it reads nothing and only holds what comes live.
    pub(super) fn only_waits(&self) -> bool {
        matches!(self.kind, Kind::Pause | Kind::Cut)
    }

    /// Whether something of it is still to be sent.
    pub(super) fn has_more(&self) -> bool {
        !self.pending.is_empty() || self.stage != Stage::Ended
    }
}

impl Core {
    /// Begins a replay; it takes the place of one that was under way.
    pub(super) fn begin_replay(&mut self, key: Key, kind: Kind, after: Position, until: Position) {
        self.begin_marked_replay(key, kind, after, until, false);
    }

    pub(super) fn begin_marked_replay(&mut self, key: Key, kind: Kind, after: Position, until: Position, marked: bool) {
        let ticket = self.ticket();
        let Some(tab) = self.connections.get_mut(key) else { return };
        let orgs = tab.orgs();
        let mut replaying = Box::new(Replaying::new(ticket, kind, after.clone(), until.clone(), marked));
        replaying.span = replay_span(tab, &replaying.kind);
        if let Some(before) = tab.flow().replay.replace(replaying).filter(|before| !before.only_waits()) {
            self.tasks.push_back(Task::EndReplay(before.ticket));
        }
        self.tasks.push_back(Task::Replay { key, ticket, after, until, orgs });
    }

    /// Takes the result of reading the log for a replay.
    pub fn replayed(&mut self, key: Key, ticket: Ticket, answer: ReplayAnswer) {
        self.look_after_joining();
        let now = self.now();
        let call_rate = self.call_rate(key);
        let tab = self.connections.get_mut(key);
        let replay = tab.and_then(|tab| {
            let Tab { identity, calls, flow, .. } = &mut **tab;
            if let ReplayAnswer::Batch { cost, .. } | ReplayAnswer::End { cost, .. } = &answer {
                calls.spend(*cost as f32 / RECORDS_PER_CALL, call_rate, now);
            }
            Some((identity, flow.as_mut()?.replay.as_mut()?))
        });
        let Some((identity, replay)) = replay.filter(|(_, replay)| replay.ticket == ticket) else {
            // Its tab is gone, or has begun another.
            return self.tasks.push_back(Task::EndReplay(ticket));
        };
        match answer {
            ReplayAnswer::Batch { events, cost, complete } => {
                self.spending.spend(identity.as_ref(), cost, now);
                replay.pending.extend(events);
                replay.complete = complete && !replay.marked;
                replay.stage = Stage::Idle;
            }
            ReplayAnswer::End { cost, complete } => {
                self.spending.spend(identity.as_ref(), cost, now);
                replay.complete = complete && !replay.marked;
                replay.stage = Stage::Ended;
                self.tasks.push_back(Task::EndReplay(ticket));
            }
            ReplayAnswer::Failed(error) => return self.replay_failed(key, &error),
        }
        self.pump(key);
    }

    /// One step of a replay; false if it has to wait.
    pub(super) fn replay_on(&mut self, key: Key) -> bool {
        let now = self.now();
        let limits = (self.context.bounds.resume_notifications(), self.context.bounds.resume_bytes());
        let Some(tab) = self.connections.get_mut(key) else { return false };
        let Tab { flow: Some(flow), identity, .. } = &mut **tab else { return false };
        let Some(replay) = &mut flow.replay else { return false };
        if replay.only_waits() {
            let is_over = replay.stuck.is_none_or(|until| until <= now);
            if is_over {
                flow.replay = None;
            }
            return is_over;
        }
        let is_cut = matches!(replay.kind, Kind::Call(_)) && (replay.sent >= limits.0 || replay.bytes >= limits.1);
        if is_cut && replay.has_more() {
            self.finish_replay(key, true);
            return true;
        }
        if let Some(event) = replay.pending.pop_front() {
            replay.stuck = None;
            self.send_again(key, &event);
            return true;
        }
        match replay.stage {
            Stage::Reading => false,
            Stage::Ended => {
                self.finish_replay(key, false);
                true
            }
            Stage::Idle | Stage::Paused => {
                let wait = self.spending.wait(identity.as_ref(), now);
                if wait.is_zero() {
                    (replay.stage, replay.stuck) = (Stage::Reading, None);
                    let ticket = replay.ticket;
                    self.tasks.push_back(Task::ReadOn { key, ticket });
                } else {
                    self.schedule(key, now + wait);
                }
                false
            }
        }
    }

    /// Lets go of the broker for a tab that takes nothing of its replay, or may not read on yet.
    pub(super) fn let_go_of_broker(&mut self, key: Key) {
        let now = self.now();
        let Some(tab) = self.connections.get_mut(key) else { return };
        let Some(replay) = tab.flow.as_mut().and_then(|flow| flow.replay.as_mut()) else { return };
        if replay.stage != Stage::Idle {
            return;
        }
        let since = *replay.stuck.get_or_insert(now);
        if now.saturating_duration_since(since) >= HOLDS_BROKER {
            replay.stage = Stage::Paused;
            let ticket = replay.ticket;
            self.tasks.push_back(Task::Pause(ticket));
        } else {
            self.schedule(key, since + HOLDS_BROKER);
        }
    }

    /// Sends a connection again what an event of the past caused.
    fn send_again(&mut self, key: Key, event: &Replayed) {
        let Some(tab) = self.connections.get(key) else { return };
        let own = event.notifications.iter().filter(|notification| self.is_for(tab, event, notification));
        let own: SmallVec<[&Notification; 2]> = own.collect();
        for (number, notification) in own.iter().enumerate() {
            let is_last = number + 1 == own.len() || !kept(Rule::WholeEvents);
            self.send_one_again(key, event, notification, is_last);
        }
        let tab = self.connections.get_mut(key);
        if let Some(replay) = tab.and_then(|tab| tab.flow.as_mut()?.replay.as_mut()) {
            replay.reached = event.position.clone();
        }
    }

    /// Sends one notification of an event again. Only the cursor of the last one goes beyond the event.
    fn send_one_again(&mut self, key: Key, event: &Replayed, notification: &Notification, is_last: bool) {
        let Some(tab) = self.connections.get(key).filter(|tab| tab.ending.is_none()) else { return };
        let Some(replay) = tab.flow.as_ref().and_then(|flow| flow.replay.as_ref()) else { return };
        // This may be all that the client hears of: until the replay is complete, its cursors do not claim more.
        let marked = !replay.complete;
        let position = if is_last { &event.position } else { &replay.reached };
        let cursor = self.cursor(&tab.hub.path, position, marked);
        let frame = Frame::new(&notification.route, &event.event, &cursor).wire(tab.form()).clone();
        let Some(tab) = self.connections.get_mut(key) else { return };
        tab.was_told = true;
        let Some(replay) = tab.flow.as_mut().and_then(|flow| flow.replay.as_mut()) else { return };
        replay.sent += 1;
        replay.bytes += frame.len();
        if notification.route.retain() != crate::route::Retain::No {
            replay.told.insert(event.place);
        }
        let is_behind = matches!(replay.kind, Kind::Behind(_));
        if is_behind && let Some(key) = notification.route.conflation_key(&event.event, &notification.groups) {
            self.overtaken.note_read(key, event.place, &notification.groups);
        }
        self.send_wire(key, frame, true);
        #[cfg(test)]
        self.observed.push(super::Observed::Replayed(key, event.place, notification.groups.to_vec()));
    }

    /// Whether a notification of the past is for this connection: by its groups, from their grant on, by its orgs, and
    /// unless it would turn state back. A logout of the past did not end this connection and does not concern it.
    fn is_for(&self, tab: &Tab, event: &Replayed, notification: &Notification) -> bool {
        let (route, groups) = (&notification.route, &notification.groups);
        if *route.hub() != *tab.hub.path || route.effect(&event.event).is_logout() {
            return false;
        }
        let org = event.event.attributes.org.as_ref();
        let groups = &tab.subscriptions.audible(tab.identity.as_ref(), org, route.cross_org(), groups);
        if groups.is_empty() {
            return false;
        }
        let Some(Flow { replay: Some(replay), .. }) = tab.flow.as_deref() else { return false };
        let subscriptions = &tab.subscriptions;
        let owed = match &replay.kind {
            Kind::Call(_) | Kind::AtConnect if tab.is_catching_up() => {
                subscriptions.was_in(groups, event.place, tab.joined_meanwhile())
            }
            Kind::Call(_) | Kind::AtConnect => subscriptions.has_missed(groups, event.place, tab.joined_meanwhile()),
            Kind::Behind(heard) if event.place.is_within(heard) && !route.is_throttled() => false,
            Kind::Behind(_) => subscriptions.is_owed(groups, event.place) && !subscriptions.was_sent(event.place),
            Kind::Rejoin(rejoined) => subscriptions.has_missed_in(rejoined, groups, event.place),
            Kind::Pause | Kind::Cut => false,
        };
        owed && !(kept(Rule::NeverTurnsBack) && self.turns_back(tab, replay, event, notification))
    }

    /// Whether something newer is known that was sent before, comes live, or may not be told behind it (rule 2.9).
    fn turns_back(&self, tab: &Tab, replay: &Replaying, event: &Replayed, notification: &Notification) -> bool {
        let route = &notification.route;
        let is_in = |group: &GroupName| tab.subscriptions.holds(group);
        let is_overtaken = self.context.groups.read(|known| {
            known.had_newer(route, &event.event, &replay.after)
                || known.is_overtaken(route, (&event.event, event.place), &replay.until, is_in)
        });
        is_overtaken
            || route.conflation_key(&event.event, &notification.groups).is_some_and(|key| {
                let Some((place, groups)) = self.overtaken.newest(key) else { return false };
                // Of throttled notifications only the newest was ever owed: it has been sent, or is in the replay.
                let comes = route.is_throttled() && tab.subscriptions.was_in(groups, place, &[]);
                (comes || !place.is_within(&replay.until)) && place.is_after(event.place) && groups.iter().any(is_in)
            })
    }

    fn replay_failed(&mut self, key: Key, error: &ResumeError) {
        let now = self.now();
        let Some(tab) = self.connections.get_mut(key) else { return };
        let Some(replay) = tab.flow.as_mut().and_then(|flow| flow.replay.take()) else { return };
        self.tasks.push_back(Task::EndReplay(replay.ticket));
        self.context.metrics.resumed("failed", replay.sent as u64);
        match replay.kind {
            // It does not count: the tab waits on, and may call again.
            Kind::Call(id) => {
                self.end_resume_call(key, id.as_deref(), Err(error.to_string()));
                self.start_next_call(key);
            }
            // There is no call to answer. Going on without what was missed would put the tab's next cursor beyond it,
            // so it comes back with the one it has.
            Kind::AtConnect => self.close(key, CloseReason::ServerError),
            Kind::Behind(heard) => self.read_behind_later(key, Lost { from: replay.reached, heard }),
            Kind::Rejoin(groups) => {
                if let Some(rejoin) = &mut tab.rejoin {
                    rejoin.waiting.extend(groups);
                }
                let until = now + HOLDS_BROKER;
                tab.flow().replay = Some(Box::new(Replaying::pause(until)));
                self.schedule(key, until);
            }
            Kind::Pause | Kind::Cut => {}
        }
    }
}
