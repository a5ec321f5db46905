//! Where the reader of the log stands and what comes next: a state machine without I/O.
//!
//! Its driver asks [`Follower::next`] what to do. A [`Step::Ask`] is a question to the broker, whose answer or error
//! goes to [`Follower::answer`]; a [`Step::Do`] is done and needs no answer. Time does not pass in here: a pause is a
//! [`Do::Wait`].
//!
//! ```text
//! Start: head, window, state, log from the window to the head -> Ready -> Follow
//! Follow: the log was recreated   -> Renew: window of the new log -> Follow, and its state once the window was told
//!         records were lost       -> Relearn: state, tabs come back -> Reopen
//!         any other fault         -> Reopen behind what was read
//! ```

mod step;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::{BrokerError, Position, Record};
use fanfare_failure::Backoff;

pub(crate) use self::step::{Answer, Ask, Change, Do, Mode, Step};
use super::Window;
use crate::projection::ConnectionEffect;
use crate::rule::{Rule, kept};

/// The pauses after reads that failed.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(5) };

/// Decides what a node reads next, and what each answer means.
#[derive(Debug)]
pub(crate) struct Follower {
    window: Window,
    stage: Stage,
    /// Actions to be done before anything else is asked.
    todo: VecDeque<Do>,
    /// The rest of the batch that was read last.
    batch: std::vec::IntoIter<Record>,
    /// How far the reader has come with that batch.
    batch_end: Option<Position>,
    /// The end of a new stream when its reading began; kept over faults until it has been read.
    goal: Option<Position>,
    /// Whether the log was ever followed: then connections may be open.
    has_worked: bool,
    /// How many reads have failed in a row.
    failures: u32,
}

/// The next question, with the state for it.
#[derive(Debug, Clone)]
enum Stage {
    /// Read back: where does the log end?
    Start,
    /// Where does the window begin?
    StartWindow {
        head: Position,
    },
    /// The compacted state, from its first record.
    OpenState(Then),
    State(Then),
    /// The window, up to the former end of the log.
    OpenWindow {
        start: Position,
        head: Position,
    },
    CatchUp {
        head: Position,
    },
    /// The stream is a new one: where does it end, and where does its window begin?
    Renew,
    RenewWindow {
        head: Position,
    },
    RenewOpen {
        head: Position,
        start: Position,
    },
    /// Read on from where the node is.
    Reopen,
    /// Follow.
    Follow,
    /// Nothing more is asked.
    Ended,
}

/// What comes after the state is read.
#[derive(Debug, Clone)]
enum Then {
    /// The window of a node that starts.
    ReadBack { start: Position, head: Position },
    /// Records were lost up to here: continue after them.
    GoOnBehind(Position),
    /// That was the state of a new stream, whose window was delivered.
    Follow,
}

impl Follower {
    /// Has read nothing yet.
    pub(crate) fn new(window: Window) -> Self {
        Self {
            window,
            stage: Stage::Start,
            todo: VecDeque::new(),
            batch: Vec::new().into_iter(),
            batch_end: None,
            goal: None,
            has_worked: false,
            failures: 0,
        }
    }

    /// The next step for a node that has folded the log up to `known`.
    ///
    /// A question is asked again until it is answered.
    pub(crate) fn next(&mut self, known: &Position) -> Step {
        loop {
            if let Some(next) = self.todo.pop_front() {
                return Step::Do(next);
            }
            if let Some(record) = self.batch.next() {
                return Step::Do(Do::Take(Arc::new(record), self.mode()));
            }
            if let Some(read) = self.batch_end.take() {
                if kept(Rule::HolesArePassed) {
                    return Step::Do(Do::Pass(read));
                }
                continue;
            }
            match &self.stage {
                Stage::CatchUp { head } if reached(known, head) => {
                    self.todo.extend([Do::Told(known.clone()), Do::Change(Change::Learnt), Do::Ready(true)]);
                    (self.stage, self.has_worked) = (Stage::Follow, true);
                }
                Stage::Follow if self.goal.as_ref().is_some_and(|goal| reached(known, goal)) => {
                    self.stage = Stage::OpenState(Then::Follow);
                }
                _ => return Step::Ask(self.question(known)),
            }
        }
    }

    fn question(&self, known: &Position) -> Ask {
        match &self.stage {
            Stage::Start | Stage::Renew => Ask::Head,
            Stage::StartWindow { .. } | Stage::RenewWindow { .. } => Ask::Window(self.window),
            Stage::OpenState(_) => Ask::OpenState,
            Stage::State(_) => Ask::ReadState,
            Stage::OpenWindow { start, .. } | Stage::RenewOpen { start, .. } => Ask::OpenLog(start.clone()),
            Stage::Reopen => Ask::OpenLog(known.clone()),
            Stage::CatchUp { .. } | Stage::Follow => Ask::ReadLog,
            Stage::Ended => Ask::Nothing,
        }
    }

    /// Takes the answer to the question that was asked last.
    pub(crate) fn answer(&mut self, given: Result<Answer, BrokerError>, known: &Position) {
        match given {
            Ok(Answer::At(position)) => self.go_on(position, known),
            Ok(Answer::Batch(records, read)) => self.take(records, read),
            Err(error) => self.fail(error, known),
        }
    }

    /// The broker answered with a position, or opened a reader at it.
    fn go_on(&mut self, at: Position, known: &Position) {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Start => Stage::StartWindow { head: at },
            // The log was recreated between the two questions: this one may never get as far as the end of the other.
            Stage::StartWindow { head } if head.incarnation() != at.incarnation() => self.start_over(Stage::Start),
            // The window first: it contains what is published while the state is read.
            Stage::StartWindow { head } => Stage::OpenState(Then::ReadBack { start: at, head }),
            Stage::OpenState(then) => self.open_state(then, &at, known),
            Stage::OpenWindow { start, head } => {
                self.todo.push_back(Do::Begin(start));
                self.todo.extend((!kept(Rule::ReadyAfterReadingBack)).then_some(Do::Ready(true)));
                Stage::CatchUp { head }
            }
            Stage::Renew => Stage::RenewWindow { head: at },
            Stage::RenewWindow { head } if head.incarnation() != at.incarnation() => self.start_over(Stage::Renew),
            Stage::RenewWindow { head } => Stage::RenewOpen { head, start: at },
            Stage::RenewOpen { head, start } => {
                self.renew(start);
                self.goal = Some(head);
                Stage::Follow
            }
            Stage::Reopen => {
                self.todo.push_back(Do::Begin(at));
                Stage::Follow
            }
            stage => stage,
        };
    }

    /// Opens the window of a new stream to all connections.
    ///
    /// What was published to the new stream before this node noticed is new to every connection. Events that are in
    /// both streams are known by their ids and dropped. Nothing is before a window that begins before the first place.
    fn renew(&mut self, start: Position) {
        let is_all = start.offsets().is_empty();
        self.todo.push_back(Do::Begin(start.clone()));
        self.todo.push_back(Do::Change(Change::Renew { start: start.clone(), is_all }));
        self.todo.push_back(Do::Apply(ConnectionEffect::Renewed(start.clone())));
        self.todo.push_back(Do::Told(start));
    }

    /// Goes back to a stage after a pause, so that a log that is recreated all the time is not asked all the time.
    fn start_over(&mut self, stage: Stage) -> Stage {
        self.failures = self.failures.saturating_add(1);
        self.todo.push_back(Do::Wait(BACKOFF.nominal(self.failures)));
        stage
    }

    fn open_state(&mut self, then: Then, at: &Position, known: &Position) -> Stage {
        let log = match &then {
            Then::ReadBack { start, .. } => start,
            Then::GoOnBehind(after) => after,
            Then::Follow => known,
        };
        // Recreated once more: this is the state of yet another log, in which its places mean something else.
        if log.incarnation() != at.incarnation() {
            if matches!(then, Then::ReadBack { .. }) {
                return self.start_over(Stage::Start);
            }
            self.todo.extend([Do::Replaced, Do::Ready(false)]);
            return self.start_over(Stage::Renew);
        }
        // Places of what is read ahead belong to the stream as it is now. In the same stream the node stays where it
        // is: a connection that was let in a moment ago must not take itself for live from the beginning.
        if known.incarnation() != at.incarnation() {
            self.todo.push_back(Do::Change(Change::GoOnFrom(Position::start(at.incarnation()))));
        }
        let rule = match &then {
            Then::ReadBack { .. } => Rule::StateBeforeLog,
            Then::GoOnBehind(_) => Rule::StateAfterGap,
            Then::Follow => Rule::StateOfNewStream,
        };
        // Before the state is read, and at its end again: once a part of it takes away a role, nobody without that may be sent
        // anything, and its reading may fail and be begun again.
        let closes = match then {
            Then::ReadBack { .. } => None,
            Then::GoOnBehind(_) => Some(Rule::CloseAtGap),
            Then::Follow => Some(Rule::CloseForNewState),
        };
        self.todo.extend(closes.filter(|rule| kept(*rule)).map(|_| Do::Apply(ConnectionEffect::Gap)));
        if kept(rule) { Stage::State(then) } else { self.end_state(then) }
    }

    fn take(&mut self, records: Vec<Record>, read: Position) {
        match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::State(then) if records.is_empty() => self.stage = self.end_state(then),
            stage => {
                if matches!(stage, Stage::Follow) {
                    self.failures = 0;
                }
                let is_state = matches!(stage, Stage::State(_));
                (self.stage, self.batch) = (stage, records.into_iter());
                self.batch_end = Some(read).filter(|_| !is_state);
            }
        }
    }

    /// All state was read.
    fn end_state(&mut self, then: Then) -> Stage {
        match then {
            Then::ReadBack { start, head } => {
                self.todo.push_back(Do::Expect(distance(&start, &head)));
                self.todo.push_back(Do::Change(Change::GoOnFrom(start.clone())));
                Stage::OpenWindow { start, head }
            }
            // The lost records may include flags, roles and logouts. Open connections have missed them, and cursors
            // from now on would be after them. So the connections are closed, and checked against the new state when
            // they come back, with cursors from before, which get `complete: false`.
            Then::GoOnBehind(after) => {
                // Of a new stream, too, that was all its state.
                self.goal = None;
                self.todo.push_back(Do::Change(Change::GoOnFrom(after.clone())));
                self.close_tabs(Rule::CloseAtGap);
                // Only now: a client that got this place in a cursor before it is closed would come back as if it had
                // missed nothing.
                self.todo.extend([Do::Told(after), Do::Ready(true)]);
                Stage::Reopen
            }
            // The state may be from before the window: logouts, withdrawals, flags. So open connections are closed, to
            // come back and be checked against it, and with them those that were let in meanwhile. Not before the window was
            // delivered: what is only learnt is sent to nobody.
            Then::Follow => {
                self.goal = None;
                self.close_tabs(Rule::CloseForNewState);
                self.todo.push_back(Do::Ready(true));
                Stage::Follow
            }
        }
    }

    /// Closes all connections so that they come back and are checked against the new state.
    fn close_tabs(&mut self, rule: Rule) {
        self.todo.extend(kept(rule).then_some(Do::Apply(ConnectionEffect::Gap)));
        self.todo.push_back(Do::Change(Change::EndRenewal));
    }

    /// What becomes of a read that failed. Nothing is skipped: it is tried again after a pause, unless waiting is no
    /// help.
    fn fail(&mut self, error: BrokerError, known: &Position) {
        let stage = std::mem::replace(&mut self.stage, Stage::Ended);
        match error {
            BrokerError::Closed => return self.todo.push_back(Do::End(Ok(()))),
            BrokerError::Refused(_) if !self.has_worked => return self.todo.push_back(Do::End(Err(error))),
            BrokerError::OtherIncarnation { .. } if self.has_worked => {
                self.todo.extend([Do::Replaced, Do::Ready(false)]);
                self.stage = Stage::Renew;
            }
            BrokerError::Trimmed { oldest } if self.has_worked && oldest.incarnation() == known.incarnation() => {
                // No connection is admitted meanwhile.
                self.todo.extend([Do::Lost(distance(known, &oldest)), Do::Ready(false)]);
                let mut after = known.clone();
                after.merge(&oldest);
                self.todo.extend((!kept(Rule::GapBeforeCursors)).then(|| Do::Told(after.clone())));
                self.stage = Stage::OpenState(Then::GoOnBehind(after));
            }
            _ => self.stage = stage.again(),
        }
        self.failures = self.failures.saturating_add(1);
        self.todo.push_back(Do::Wait(BACKOFF.nominal(self.failures)));
    }

    /// Whether the event of a record is delivered or only learnt.
    fn mode(&self) -> Mode {
        match self.stage {
            Stage::State(_) => Mode::State,
            Stage::CatchUp { .. } => Mode::CatchingUp,
            _ if self.goal.is_some() && !kept(Rule::NewStreamLive) => Mode::CatchingUp,
            _ => Mode::Live,
        }
    }

    /// Whether the node still reads what a new stream, or its state, had when its reading began.
    #[cfg(test)]
    pub(crate) fn is_at_rest(&self) -> bool {
        let rests = matches!(self.stage, Stage::Follow) && self.goal.is_none();
        rests && self.todo.is_empty() && self.batch.len() == 0 && self.batch_end.is_none()
    }
}

impl Stage {
    /// Where to begin again after a fault.
    fn again(self) -> Self {
        match self {
            Self::Start
            | Self::StartWindow { .. }
            | Self::OpenWindow { .. }
            | Self::CatchUp { .. }
            | Self::OpenState(Then::ReadBack { .. })
            | Self::State(Then::ReadBack { .. }) => Self::Start,
            Self::Renew | Self::RenewWindow { .. } | Self::RenewOpen { .. } => Self::Renew,
            Self::OpenState(then @ Then::GoOnBehind(_)) | Self::State(then @ Then::GoOnBehind(_)) => {
                Self::OpenState(then)
            }
            Self::OpenState(Then::Follow) | Self::State(Then::Follow) | Self::Reopen | Self::Follow => Self::Reopen,
            Self::Ended => Self::Ended,
        }
    }
}

/// Whether a reader at `position` has read everything up to `goal`.
pub(crate) fn reached(position: &Position, goal: &Position) -> bool {
    goal.offsets().iter().all(|(partition, offset)| position.covers(*partition, *offset))
}

/// How many places lie between two positions, holes among them.
fn distance(from: &Position, to: &Position) -> u64 {
    let parts = to.offsets().iter();
    // Offsets begin with 0 or 1, by broker: of a partition that was not read, one more or less is no matter.
    parts.map(|&(partition, offset)| offset.saturating_sub(from.offset(partition).unwrap_or(0))).sum()
}
