//! `Resume(cursor)`, `?cursor=` and `Cursor()`: what a tab says of where it stands, and what it is told (rule 2).

use std::time::{Duration, Instant};

use fanfare_broker::Position;
use fanfare_signalr::{Outcome, Value};

use super::catching_up::Caught;
use super::lines::Line;
use super::replay::{Kind, Replaying};
use super::{Core, Key};
use crate::connection::CloseReason;
use crate::operator::connections::What;
use crate::projection::{Cursor, HubTag, UnknownCursor, open_cursor};
use crate::rule::{Rule, kept};
use crate::vocabulary::name::GroupName;

/// For how long joins after a resume are replayed from its cursor, so that rejoining before or after is the same.
const REJOINS: Duration = Duration::from_secs(5);

/// From where joins are replayed that follow a resume, or come while its replay is under way.
#[derive(Debug)]
pub(super) struct Rejoin {
    from: Position,
    ends: Instant,
    /// Whether the last resume was cut, so that the next one goes on with it.
    goes_on: bool,
    /// Groups that were joined and are still to be replayed.
    pub(super) waiting: Vec<GroupName>,
}

impl Rejoin {
    fn new(from: &Position, ends: Instant, goes_on: bool) -> Box<Self> {
        Box::new(Self { from: from.clone(), ends, goes_on, waiting: Vec::new() })
    }

    /// Up to where a connection has been sent everything, if it is `told` but for the groups that wait.
    fn told(&self, told: Position) -> Position {
        if self.waiting.is_empty() || self.from.incarnation() != told.incarnation() {
            return told;
        }
        self.from.meet(&told)
    }

    /// Whether another resume changes nothing about from where joins are replayed.
    fn counts(&self, is_catching_up: bool) -> bool {
        is_catching_up || self.goes_on || !self.waiting.is_empty()
    }
}

impl Core {
    /// `Resume(cursor)`: replays and answers. False if it has to wait for another replay of the connection.
    pub(super) fn resume(&mut self, key: Key, id: Option<&str>, cursor: Option<&str>) -> bool {
        let Some(tab) = self.connections.get(key) else { return true };
        let under_way = tab.flow.as_ref().and_then(|flow| flow.replay.as_ref());
        let under_way = under_way.filter(|replay| replay.kind != Kind::Cut);
        let under_way = under_way.map(|replay| replay.kind == Kind::AtConnect);
        match under_way {
            // A call supersedes the replay of the URL, and tells what was joined meanwhile like any other group.
            Some(true) => drop(self.connections.get_mut(key).and_then(|tab| tab.rejoin.take())),
            Some(false) => return false,
            None => {}
        }
        let Some(cursor) = cursor else {
            self.answer_without_replay(key, id);
            return true;
        };
        self.count_return(key);
        match open_cursor(&self.context.seal, cursor) {
            Ok(cursor) => self.begin_resume(key, Kind::Call(id.map(str::to_owned)), cursor),
            Err(error) => {
                self.context.metrics.resumed("unknown_cursor", 0);
                self.end_resume_call(key, id, Err(error.to_string()));
            }
        }
        true
    }

    /// `?cursor=`: replays before anything else is told.
    pub(super) fn resume_at_connect(&mut self, key: Key, cursor: &str) {
        self.count_return(key);
        match open_cursor(&self.context.seal, cursor) {
            Ok(cursor) => self.begin_resume(key, Kind::AtConnect, cursor),
            Err(UnknownCursor) => {
                // The tab gets the current state as if it had no cursor.
                self.context.metrics.resumed("unknown_cursor", 0);
                tracing::debug!("a connect named a cursor that was not issued here");
            }
        }
    }

    /// A client that brings a cursor was here before; counted once for its connection.
    fn count_return(&mut self, key: Key) {
        let Some(tab) = self.connections.get_mut(key) else { return };
        if !std::mem::replace(&mut tab.life.has_returned, true) && !tab.is_anchored {
            self.context.metrics.reconnected("cursor");
        }
    }

    fn begin_resume(&mut self, key: Key, kind: Kind, cursor: Cursor) {
        let now = self.now();
        let Some(tab) = self.connections.get(key) else { return };
        let Some(live_from) = tab.subscriptions.live_from.clone() else {
            if let Kind::Call(id) = kind {
                self.end_resume_call(key, id.as_deref(), Err("The connection has ended.".to_owned()));
            }
            return;
        };
        let evictions = self.context.groups.evictions();
        if tab.identity.as_ref().is_some_and(|who| evictions.too_often(who, now)) {
            self.context.metrics.resumed("too_slow", 0);
            match kind {
                Kind::Call(id) => self.answer_without_replay(key, id.as_deref()),
                _ => {
                    #[cfg(test)]
                    self.observed.push(super::Observed::Resumed(key, false, live_from));
                    self.end_catching_up(key, &Caught::Asked);
                }
            }
            return;
        }
        let after = cursor.position;
        // Of what it has heard before it said where it stands nobody knows what came before.
        let claims_too_much =
            kept(Rule::ClaimsNoMore) && !tab.is_anchored && tab.was_told && !is_from_before(&after, &live_from);
        let is_of_another_hub = cursor.hub != HubTag::of(&tab.hub.path);
        let marked = cursor.marked || is_of_another_hub || claims_too_much;
        let known = self.context.groups.read(|known| known.position().clone());
        // A node may have read of a new stream what this shard has not been told yet: that comes live behind what waits of
        // the old one, and a replay of it would come before that.
        let until = if tab.is_catching_up() && known.incarnation() == live_from.incarnation() {
            known
        } else {
            tab.subscriptions.replay_until().unwrap_or(live_from)
        };
        let after = if kept(Rule::ResumeFromCursor) { after } else { until.clone() };
        self.begin_marked_replay(key, kind, after, until, marked);
    }

    /// Ends a replay that has sent all, or as much as one resume sends.
    pub(super) fn finish_replay(&mut self, key: Key, is_cut: bool) {
        let Some(tab) = self.connections.get_mut(key) else { return };
        let is_catching_up = tab.is_catching_up();
        let Some(replay) = tab.flow.as_mut().and_then(|flow| flow.replay.take()) else { return };
        if is_cut {
            self.tasks.push_back(super::Task::EndReplay(replay.ticket));
        }
        let complete = (replay.complete || !kept(Rule::IncompleteSaid)) && !is_cut;
        replay.span.record("sent", replay.sent).record("complete", complete);
        let opened = tab.life.opened;
        tab.life.moments.note(opened, self.clock.now(), What::Replayed, replay.sent);
        if matches!(replay.kind, Kind::Call(_) | Kind::AtConnect) {
            let label = if is_cut {
                "cut"
            } else if complete {
                "complete"
            } else {
                "incomplete"
            };
            self.context.metrics.resumed(label, replay.sent as u64);
        }
        match &replay.kind {
            Kind::Call(id) => {
                let answer = self.resume_answer(key, &replay, is_cut, is_catching_up);
                self.end_resume_call(key, id.as_deref(), Ok(answer));
                self.after_resume(key, &replay, is_cut, is_catching_up);
            }
            Kind::AtConnect => {
                #[cfg(test)]
                self.observed.push(super::Observed::Resumed(key, complete, replay.live_from()));
                self.after_resume(key, &replay, is_cut, is_catching_up);
            }
            // What it missed is not there any more.
            Kind::Behind(_) if !complete => self.left_the_window(key),
            Kind::Behind(_) => {
                if let Some(tab) = self.connections.get_mut(key) {
                    tab.subscriptions.note_sent(&replay.until);
                }
            }
            // The resume was complete, and what the groups have missed has left the window since. The join is answered, so
            // only a resume can say so: that of a client whose cursor has waited for the groups does.
            Kind::Rejoin(groups) if !complete && !replay.marked => {
                self.context.metrics.resumed("incomplete", replay.sent as u64);
                for group in groups {
                    let line = Line { group: Some(group), reason: Some("left_the_window"), ..Line::default() };
                    self.say(key, &replay.span, "joined without all that it missed", &line);
                }
                self.close(key, CloseReason::LogGap);
            }
            Kind::Rejoin(_) | Kind::Pause | Kind::Cut => {}
        }
        self.start_next_call(key);
    }

    /// What a resume that has succeeded changes: the tab is anchored, live, and its next joins are replayed, too.
    fn after_resume(&mut self, key: Key, replay: &Replaying, is_cut: bool, is_catching_up: bool) {
        let ends = self.now() + REJOINS;
        let Some(tab) = self.connections.get_mut(key) else { return };
        tab.is_anchored = true;
        match &mut tab.rejoin {
            // Of several resumes that go on with `more` it is the first whose cursor counts for joins. What is still to be
            // replayed has missed more than a resume of its own would bring.
            Some(rejoin) if rejoin.counts(is_catching_up) && kept(Rule::JoinsFromFirst) => {
                (rejoin.ends, rejoin.goes_on) = (ends, is_cut);
            }
            other => *other = Some(Rejoin::new(&replay.after, ends, is_cut)),
        }
        if is_cut && !is_catching_up {
            tab.flow().replay = Some(Box::new(Replaying::cut(replay.reached.clone(), ends)));
            self.schedule(key, ends);
        }
        // It goes on with the cursor that it was given.
        if is_catching_up && !is_cut {
            self.end_catching_up_with(key, &Caught::Resumed(replay.live_from()), &replay.told);
        }
    }

    fn resume_answer(&self, key: Key, replay: &Replaying, is_cut: bool, is_catching_up: bool) -> Value<'static> {
        let path = self.connections.get(key).map(|tab| tab.hub.path.clone()).unwrap_or_default();
        let (position, marked) = match (is_cut, is_catching_up) {
            // Going on from there says whether something had been lost before.
            (true, _) => (replay.reached.clone(), !replay.complete),
            (false, true) => (replay.live_from(), false),
            (false, false) => (self.told_up_to(key).unwrap_or_else(|| replay.until.clone()), false),
        };
        // Whoever is told that something is missing asks for all of it elsewhere.
        let complete = (replay.complete || !kept(Rule::IncompleteSaid)) && !is_cut;
        let position = if complete { self.without_waiting(key, position) } else { position };
        let mut answer = vec![
            ("replayed", Value::from(i64::try_from(replay.sent).unwrap_or(i64::MAX))),
            ("complete", Value::from(complete)),
            ("cursor", Value::from(self.cursor(&path, &position, marked))),
        ];
        if is_cut {
            answer.push(("more", Value::from(true)));
        }
        Value::map(answer)
    }

    /// A resume that replays nothing: without a cursor, or of a tab that cannot keep up. It says where the tab is.
    fn answer_without_replay(&mut self, key: Key, id: Option<&str>) {
        let Some(position) = self.told_up_to(key) else { return };
        let path = self.connections.get(key).map(|tab| tab.hub.path.clone()).unwrap_or_default();
        let cursor = self.cursor(&path, &position, false);
        let answer = Value::map([
            ("replayed", Value::from(0i64)),
            ("complete", Value::from(false)),
            ("cursor", Value::from(cursor)),
        ]);
        if let Some(tab) = self.connections.get_mut(key) {
            tab.is_anchored = true;
        }
        self.end_resume_call(key, id, Ok(answer));
        self.end_catching_up(key, &Caught::Asked);
    }

    /// As much of a position as is true of the groups, too, that were joined and wait to be replayed.
    fn without_waiting(&self, key: Key, position: Position) -> Position {
        match self.connections.get(key).and_then(|tab| tab.rejoin.as_ref()) {
            Some(rejoin) => rejoin.told(position),
            None => position,
        }
    }

    pub(super) fn end_resume_call(&mut self, key: Key, id: Option<&str>, outcome: Result<Value<'static>, String>) {
        let outcome = match outcome {
            Ok(answer) => Outcome::Value(answer),
            Err(error) => Outcome::Error(error.into()),
        };
        self.complete_running(key, id, outcome);
    }

    /// `Cursor()`: where the tab is, by what it has been handed. It never waits.
    pub(super) fn answer_cursor(&mut self, key: Key, id: Option<&str>) {
        let Some(position) = self.told_up_to(key) else { return };
        let position = self.without_waiting(key, position);
        let Some(tab) = self.connections.get(key) else { return };
        // Until a resume has answered that it is incomplete, nothing else says so.
        let marked = tab.flow.as_ref().and_then(|flow| flow.replay.as_ref()).is_some_and(|replay| replay.marked);
        let cursor = self.cursor(&tab.hub.path, &position, marked);
        self.complete_running(key, id, Outcome::Value(Value::from(cursor)));
        if let Some(tab) = self.connections.get_mut(key) {
            tab.is_anchored = true;
        }
        self.end_catching_up(key, &Caught::Asked);
    }

    /// Notes a group that was joined: right after a resume, or during its replay, it is replayed from the resume's cursor.
    pub(super) fn rejoined(&mut self, key: Key, group: &GroupName) {
        let now = self.now();
        let Some(tab) = self.connections.get_mut(key) else { return };
        let is_catching_up = tab.is_catching_up();
        let under_way = tab.flow.as_ref().and_then(|flow| flow.replay.as_ref());
        let resume = under_way.filter(|replay| matches!(replay.kind, Kind::Call(_) | Kind::AtConnect));
        tab.rejoin.take_if(|rejoin| {
            let goes_on = is_catching_up || (rejoin.goes_on && resume.is_some());
            rejoin.ends < now && rejoin.waiting.is_empty() && !goes_on
        });
        if let (None, Some(replay)) = (&tab.rejoin, resume) {
            // The replay may have passed what the group has missed, and it ends where it began.
            tab.rejoin = Some(Rejoin::new(&replay.after, now + REJOINS, false));
        }
        let Some(rejoin) = tab.rejoin.as_mut().filter(|_| kept(Rule::JoinsReplayed)) else { return };
        // A client may join and leave all the time.
        let joined = &tab.subscriptions.joined;
        rejoin.waiting.retain(|waiting| waiting != group && joined.holds(waiting));
        rejoin.waiting.push(group.clone());
        tab.flow();
    }

    /// Begins the replay of groups that were joined after a resume; false if there are none.
    pub(super) fn begin_rejoin(&mut self, key: Key) -> bool {
        let Some(tab) = self.connections.get_mut(key) else { return false };
        // A resume that was cut goes on first.
        let Some(until) = tab.subscriptions.replay_until().filter(|_| !tab.is_catching_up()) else { return false };
        let Some(rejoin) = &mut tab.rejoin else { return false };
        if rejoin.waiting.is_empty() {
            return false;
        }
        // A client that has not gone on may do so later: what it is sent now says nothing of what lies between.
        let goes_on = rejoin.goes_on;
        let (groups, from) = (std::mem::take(&mut rejoin.waiting), rejoin.from.clone());
        self.begin_marked_replay(key, Kind::Rejoin(groups), from, until, goes_on);
        true
    }
}

/// Whether a cursor was there before its connection became live. One that was heard there names all that was read by then,
/// or, where something waits for its turn in a throttle, less of it and no older a record: as much as the connection began
/// with, for instance, so what names just that may be either, and is not believed.
fn is_from_before(cursor: &Position, live_from: &Position) -> bool {
    covers(live_from, cursor) && cursor.newest() < live_from.newest()
}

/// Whether a position covers all that another does.
fn covers(position: &Position, other: &Position) -> bool {
    position.incarnation() == other.incarnation()
        && other.offsets().iter().all(|(partition, offset)| position.covers(*partition, *offset))
}
