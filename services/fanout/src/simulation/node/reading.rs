//! How a node reads the log: the stages of the pipeline's reader.

use std::collections::VecDeque;
use std::sync::Arc;

use fanfare_broker::{Position, Record};
use fanfare_e2e_tests::Random;

use super::SimulatedNode;
use crate::pipeline::{Written, decode};
use crate::projection::{Consequence, Place, Verdict};
use crate::route::Effect;
use crate::simulation::log::{Fault, Log};
use crate::simulation::platform::platform;
use crate::simulation::replay::EVER;
use crate::simulation::rule::Rule;

/// What is to be done next.
#[derive(Debug)]
pub(super) enum Stage {
    /// Read back what the node must know.
    Start,
    /// Learn from the compacted state.
    State { records: VecDeque<Record>, then: Then },
    /// Learn from the window.
    CatchUp { head: Position },
    /// The stream is a new one: tell its window.
    Renew,
    /// Records were lost up to here: learn the state anew.
    Relearn(Position),
    /// Follow.
    Follow,
}

/// What comes once the state is read.
#[derive(Debug)]
pub(super) enum Then {
    ReadBack { start: Position, head: Position },
    GoOnBehind(Position),
    Follow,
}

/// Whether what a record says is delivered or only learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    State,
    CatchingUp,
    Live,
}

impl SimulatedNode {
    pub(super) fn read_on(&mut self, log: &Log, now: i64, random: &mut Random) -> Result<(), Fault> {
        match &mut self.stage {
            Stage::Start => self.start_reading(log, now),
            Stage::State { records, .. } => match records.pop_front() {
                Some(record) => {
                    self.take(record);
                    Ok(())
                }
                None => {
                    self.end_state();
                    Ok(())
                }
            },
            Stage::CatchUp { head } => {
                let head = head.clone();
                if self.has_reached(&head) {
                    let position = self.position();
                    self.groups.pass(&position);
                    (self.stage, self.has_worked, self.ready) = (Stage::Follow, true, true);
                    return Ok(());
                }
                self.read_batch(log, random)
            }
            Stage::Renew => {
                let (head, start) = (log.head()?, self.window_of(log, now)?);
                let stored = log.window(EVER.as_millis() as i64, u64::MAX, now)?;
                log.reads(&start)?;
                self.read.clone_from(&start);
                self.groups.fold(|known| known.renew(start.clone(), stored.offsets() == start.offsets()));
                self.recent.begin(&start);
                self.passes_then = true;
                self.consequences.push_back(Consequence::Renewed(start));
                (self.stage, self.goal) = (Stage::Follow, Some(head));
                Ok(())
            }
            Stage::Relearn(after) => {
                let (after, records) = (after.clone(), log.state()?);
                self.enter(log.incarnation());
                self.learn_state(records, Rule::StateAfterGap, Then::GoOnBehind(after));
                Ok(())
            }
            Stage::Follow => {
                if self.goal.as_ref().is_some_and(|goal| self.has_reached(goal)) {
                    self.learn_state(log.state()?, Rule::StateOfNewStream, Then::Follow);
                    self.goal = None;
                    return Ok(());
                }
                self.read_batch(log, random)
            }
        }
    }

    fn start_reading(&mut self, log: &Log, now: i64) -> Result<(), Fault> {
        let head = log.head()?;
        // The window first: what is published while the state is read lies in it.
        let start = self.window_of(log, now)?;
        let records = log.state()?;
        self.enter(log.incarnation());
        self.learn_state(records, Rule::StateBeforeLive, Then::ReadBack { start, head });
        Ok(())
    }

    /// Places of what is read ahead belong to the stream as it is now.
    fn enter(&mut self, incarnation: u64) {
        if self.position().incarnation() != incarnation {
            self.go_on_from(Position::start(incarnation));
        }
    }

    fn learn_state(&mut self, records: Vec<Record>, rule: Rule, then: Then) {
        let records = if self.settings.rules.keep(rule) { records.into() } else { VecDeque::new() };
        self.stage = Stage::State { records, then };
    }

    fn end_state(&mut self) {
        let Stage::State { then, .. } = std::mem::replace(&mut self.stage, Stage::Follow) else { return };
        match then {
            Then::ReadBack { start, head } => {
                self.recent.begin(&start);
                self.go_on_from(start);
                self.stage = Stage::CatchUp { head };
            }
            Then::GoOnBehind(after) => {
                self.goal = None;
                self.recent.begin(&after);
                self.go_on_from(after);
                self.close_tabs(Rule::CloseAtGap);
            }
            Then::Follow => self.close_tabs(Rule::CloseForNewState),
        }
    }

    /// Lets connections come back, and takes new ones then.
    fn close_tabs(&mut self, rule: Rule) {
        self.consequences.extend(self.settings.rules.keep(rule).then_some(Consequence::Gap));
        (self.passes_then, self.ready_then) = (true, true);
    }

    /// What becomes of a read that failed.
    pub(super) fn meet(&mut self, fault: Fault) {
        self.stage = match (fault, std::mem::replace(&mut self.stage, Stage::Start)) {
            (Fault::OtherIncarnation, _) if self.has_worked => {
                self.ready = false;
                Stage::Renew
            }
            (Fault::Trimmed(oldest), _) if self.has_worked => {
                self.ready = false;
                let mut after = self.position();
                after.merge(&oldest);
                Stage::Relearn(after)
            }
            // Reading back begins anew, whatever it had come to.
            (_, Stage::CatchUp { .. }) => Stage::Start,
            (_, stage) => stage,
        };
    }

    fn window_of(&self, log: &Log, now: i64) -> Result<Position, Fault> {
        let window = self.settings.window;
        log.window(window.age.as_millis() as i64, window.records, now)
    }

    fn has_reached(&self, goal: &Position) -> bool {
        let position = self.position();
        goal.offsets().iter().all(|(partition, offset)| position.covers(*partition, *offset))
    }

    fn go_on_from(&mut self, position: Position) {
        self.read.clone_from(&position);
        self.groups.fold(|known| known.continue_from(position));
    }

    fn read_batch(&mut self, log: &Log, random: &mut Random) -> Result<(), Fault> {
        let (records, read) = log.read(&self.read, random)?;
        self.batch = records.into();
        self.ends_batch = self.batch.is_empty() && read != self.read;
        self.read = read;
        Ok(())
    }

    /// Moves on to where the reader is: holes are read, too.
    pub(super) fn pass(&mut self) {
        self.recent.pass(&self.read);
        let read = &self.read;
        let position = self.groups.fold(|known| {
            known.pass(read);
            known.position().clone()
        });
        self.groups.pass(&position);
    }

    fn mode(&self) -> Mode {
        match self.stage {
            Stage::State { .. } => Mode::State,
            Stage::CatchUp { .. } => Mode::CatchingUp,
            _ if self.goal.is_some() && !self.settings.rules.keep(Rule::NewStreamLive) => Mode::CatchingUp,
            _ => Mode::Live,
        }
    }

    /// Folds a record; what follows of it is handed on in steps of their own.
    pub(super) fn take(&mut self, record: Record) {
        let (mode, platform) = (self.mode(), platform());
        if mode != Mode::State {
            self.recent.push(Arc::new(record.clone()));
        }
        let usable = decode(&platform.registry, &record, &Written::Own).and_then(|event| match event {
            None => Ok(None),
            Some(event) => Ok(Some((platform.routes.resolve(&event)?, Arc::new(event)))),
        });
        let (matches, event) = match usable {
            Ok(Some(usable)) => usable,
            other => {
                if mode != Mode::State {
                    self.groups.fold(|known| known.skip(&record));
                    self.letters.extend(other.is_err().then(|| Place::of(&record)));
                }
                return;
            }
        };
        let folded = self.groups.fold(|known| match mode {
            Mode::State => known.fold_state(&record, &event, &matches),
            Mode::CatchingUp | Mode::Live => known.fold(&record, &event, &matches),
        });
        if matches!(folded.verdict, Verdict::New | Verdict::Stale) {
            let (incarnation, at) = (self.position().incarnation(), self.learnt.len());
            self.folded += usize::from(mode != Mode::State);
            self.learnt.entry((incarnation, record.partition, record.offset)).or_insert(at);
            let effects: Vec<Effect> = matches.iter().map(|matched| matched.route.effect(&event)).collect();
            if effects.iter().any(|effect| *effect != Effect::None) {
                Arc::make_mut(&mut self.known).note(&event, effects.into_iter());
            }
        }
        if mode == Mode::Live {
            self.begin_task(record, event, matches, folded);
        }
    }
}
