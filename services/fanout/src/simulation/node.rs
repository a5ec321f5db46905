//! A node: it reads back, catches up and follows, one small step at a time, and may die between any two of them.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use fanfare_broker::{Position, Record};
use fanfare_e2e_tests::Random;
use fanfare_event::Event;
use smallvec::SmallVec;

use super::check::LoggedOut;
use super::log::{Fault, Log};
use super::platform::{bounds, platform};
use super::shard::{ShardTask, SimulatedShard};
use super::witness::Witness;
use crate::groups::{Delivery, Groups};
use crate::pipeline::{Window, Written, decode};
use crate::projection::{Consequence, Folded, Place, Projection, Verdict, seal_cursor};
use crate::route::Match;

/// How many messages wait for a shard before the reader waits.
const INBOX: usize = 6;

/// How a node reads the log.
#[derive(Debug)]
enum Phase {
    Starting,
    State { start: Position, records: VecDeque<Record> },
    CatchingUp { head: Position },
    Live,
}

/// A record that is folded, and what is still to be done about it.
struct Task {
    record: Record,
    event: Arc<Event>,
    matches: SmallVec<[Match<'static>; 2]>,
    folded: Folded,
    delivers: bool,
    next: usize,
    cursor: Option<String>,
    consequences: VecDeque<Consequence>,
    /// How many shards have not applied the consequence under way.
    applying: bool,
}

/// One node.
pub(super) struct SimulatedNode {
    pub(super) number: usize,
    pub(super) up: bool,
    pub(super) groups: Groups,
    pub(super) shards: Vec<SimulatedShard>,
    pub(super) letters: Vec<Place>,
    /// Whether records left the retention before it read them: its open tabs miss those.
    pub(super) skipped: bool,
    /// The logouts that it has read: of a compacted log, a position covers what never came.
    ended: HashSet<(u64, u32, u64)>,
    window: Window,
    phase: Phase,
    /// How far its reader has come; ahead of the projection by what is in `batch`.
    read: Position,
    batch: VecDeque<Record>,
    task: Option<Task>,
    known: Witness,
    live_after_anew: bool,
    incarnation: u64,
}

impl SimulatedNode {
    pub(super) fn new(number: usize, shards: usize, window: Window) -> Self {
        Self {
            number,
            up: true,
            groups: Groups::new(Projection::new(Position::start(0), &bounds(window)), Vec::new()),
            shards: (0..shards).map(SimulatedShard::new).collect(),
            letters: Vec::new(),
            skipped: false,
            ended: HashSet::new(),
            window,
            phase: Phase::Starting,
            read: Position::start(0),
            batch: VecDeque::new(),
            task: None,
            known: Witness::default(),
            live_after_anew: false,
            incarnation: 0,
        }
    }

    /// Dies: nothing is left of it.
    pub(super) fn crash(&mut self) {
        let letters = std::mem::take(&mut self.letters);
        *self = Self { letters, up: false, ..Self::new(self.number, self.shards.len(), self.window) };
    }

    pub(super) fn start(&mut self) {
        self.up = true;
    }

    /// Whether it takes connections.
    pub(super) fn is_ready(&self) -> bool {
        self.up && matches!(self.phase, Phase::Live)
    }

    /// Whether it has read everything and done everything about it.
    pub(super) fn is_idle(&self, log: &Log) -> bool {
        let read_all = log.head().is_ok_and(|head| head.offsets().iter().all(|(p, o)| self.position().covers(*p, *o)));
        self.is_ready() && read_all && self.task.is_none() && self.batch.is_empty()
    }

    /// Whether a folded record still has to be felt by connections.
    pub(super) fn is_busy(&self) -> bool {
        self.task.is_some()
    }

    /// Whether it has read this logout.
    pub(super) fn has_read(&self, out: &LoggedOut) -> bool {
        self.ended.contains(&(out.incarnation, out.place.partition, out.place.offset))
    }

    pub(super) fn position(&self) -> Position {
        self.groups.read(|known| known.position().clone())
    }

    /// One step of the pipeline.
    pub(super) fn step(&mut self, log: &Log, now: i64, random: &mut Random) {
        if self.task.is_some() {
            return self.go_on_with_task();
        }
        if let Some(record) = self.batch.pop_front() {
            self.take(record);
            if self.batch.is_empty() {
                self.pass_holes();
            }
            return;
        }
        if let Err(fault) = self.read_on(log, now, random) {
            match fault {
                Fault::Unavailable => {}
                Fault::OtherIncarnation => {
                    self.phase = Phase::Starting;
                    self.live_after_anew = true;
                }
                Fault::Trimmed(oldest) => {
                    self.skipped = matches!(self.phase, Phase::Live);
                    self.go_on_from(oldest);
                }
            }
        }
    }

    fn read_on(&mut self, log: &Log, now: i64, random: &mut Random) -> Result<(), Fault> {
        match &mut self.phase {
            Phase::Starting => {
                // The window first: what is published while the state is read lies in it.
                self.incarnation = log.incarnation();
                let start = log.window(self.window.age.as_millis() as i64, self.window.records, now)?;
                let state = log.state()?;
                self.groups.fold(|known| known.continue_from(Position::start(start.incarnation())));
                self.phase = Phase::State { start, records: state.into() };
            }
            Phase::State { start, records } => {
                let Some(record) = records.pop_front() else {
                    let start = start.clone();
                    let head = log.head()?;
                    self.go_on_from(start.clone());
                    // What came before the node noticed that the log is a new one is news to its open tabs.
                    let anew = std::mem::take(&mut self.live_after_anew);
                    if anew {
                        let renewed = Arc::new(Consequence::Renewed(start));
                        for shard in &mut self.shards {
                            shard.send(ShardTask::Apply(Arc::clone(&renewed)));
                        }
                    }
                    self.phase = if anew { Phase::Live } else { Phase::CatchingUp { head } };
                    return Ok(());
                };
                self.take(record);
            }
            Phase::CatchingUp { head } => {
                if head.offsets().iter().all(|(p, o)| self.groups.read(|known| known.position().covers(*p, *o))) {
                    self.phase = Phase::Live;
                    return Ok(());
                }
                self.read_batch(log, random)?;
            }
            Phase::Live => self.read_batch(log, random)?,
        }
        Ok(())
    }

    fn read_batch(&mut self, log: &Log, random: &mut Random) -> Result<(), Fault> {
        let (records, read) = log.read(&self.read, random)?;
        self.read = read;
        self.batch = records.into();
        if self.batch.is_empty() {
            self.pass_holes();
        }
        Ok(())
    }

    fn go_on_from(&mut self, position: Position) {
        self.read.clone_from(&position);
        self.groups.fold(|known| known.continue_from(position));
    }

    /// Holes between records are passed too.
    fn pass_holes(&mut self) {
        let read = self.read.clone();
        self.groups.fold(|known| {
            let mut position = known.position().clone();
            position.merge(&read);
            known.continue_from(position);
        });
    }

    fn take(&mut self, record: Record) {
        let state = matches!(self.phase, Phase::State { .. });
        let platform = platform();
        let usable = decode(&platform.registry, &record, &Written::Own).and_then(|event| match event {
            None => Ok(None),
            Some(event) => Ok(Some((platform.routes.resolve(&event)?, Arc::new(event)))),
        });
        let (matches, event) = match usable {
            Ok(Some(usable)) => usable,
            other => {
                if !state {
                    self.groups.fold(|known| known.skip(&record));
                    self.letters.extend(other.is_err().then(|| Place::of(&record)));
                }
                return;
            }
        };
        let folded = self.groups.fold(|known| {
            if state { known.fold_state(&record, &event, &matches) } else { known.fold(&record, &event, &matches) }
        });
        if folded.consequences.iter().any(Consequence::is_logout) {
            self.ended.insert((self.incarnation, record.partition, record.offset));
        }
        self.known.note(&event, matches.iter().map(|matched| matched.route.effect(&event)));
        if !matches!(self.phase, Phase::Live) {
            return;
        }
        let delivers = folded.verdict == Verdict::New;
        if delivers || folded.verdict == Verdict::Stale {
            let consequences = folded.consequences.clone().into();
            let (next, cursor, applying) = (0, None, false);
            self.task = Some(Task { record, event, matches, folded, delivers, next, cursor, consequences, applying });
        }
    }

    /// Hands on one delivery or one consequence, or waits for the shards.
    fn go_on_with_task(&mut self) {
        if self.shards.iter().any(|shard| shard.waiting() >= INBOX) {
            return;
        }
        let Some(task) = &mut self.task else { return };
        if task.delivers && task.next < task.matches.len() {
            let matched = &task.matches[task.next];
            task.next += 1;
            if matched.groups.is_empty() {
                return;
            }
            // Asked after the fold, as the pipeline does.
            let interested = self.groups.interest().shards(matched.route.hub(), &matched.groups);
            let groups = &self.groups;
            let position = || groups.read(|known| seal_cursor(&platform().seal, known.position(), known.times()));
            let cursor = task.cursor.get_or_insert_with(position);
            let delivery = Arc::new(Delivery::of(&task.record, &task.event, matched, &task.folded, cursor));
            self.known.incarnation = groups.read(|known| known.position().incarnation());
            let witness = Arc::new(self.known.clone());
            for shard in interested.iter() {
                self.shards[shard].send(ShardTask::Deliver(Arc::clone(&delivery), Arc::clone(&witness)));
            }
            return;
        }
        if task.applying {
            if self.shards.iter().any(SimulatedShard::is_applying) {
                return;
            }
            task.applying = false;
        }
        match task.consequences.pop_front() {
            Some(consequence) => {
                task.applying = true;
                let consequence = Arc::new(consequence);
                for shard in &mut self.shards {
                    shard.send(ShardTask::Apply(Arc::clone(&consequence)));
                }
            }
            None => self.task = None,
        }
    }
}
