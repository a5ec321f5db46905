//! A node: it reads back, catches up and follows, one small step at a time, and may die between any two of them.

mod hand_on;
mod reading;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use fanfare_broker::{Position, Record};
use fanfare_e2e_tests::Random;

use self::hand_on::Task;
use self::reading::Stage;
use super::log::{Fault, Log};
use super::platform::bounds;
use super::rule::Rules;
use super::shard::{SimulatedShard, View};
use super::witness::Witness;
use crate::groups::Groups;
use crate::pipeline::{Recent, Window};
use crate::projection::{Consequence, Place, Projection};

/// What a node is made with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) shards: usize,
    pub(super) window: Window,
    /// The most bytes of the newest records that it keeps in memory.
    pub(super) recent_bytes: usize,
    pub(super) rules: Rules,
}

/// The records that a node has learnt from, each with how many it had learnt from before. Of a compacted log a position
/// covers what never came.
pub(super) type Learnt = HashMap<(u64, u32, u64), usize>;

/// One node.
pub(super) struct SimulatedNode {
    pub(super) number: usize,
    pub(super) up: bool,
    /// Whether it cannot reach the log.
    pub(super) cut_off: bool,
    pub(super) groups: Arc<Groups>,
    pub(super) shards: Vec<SimulatedShard>,
    pub(super) letters: Vec<Place>,
    learnt: Learnt,
    /// How many records of the log it has folded that were no duplicates.
    folded: usize,
    recent: Recent,
    settings: Settings,
    stage: Stage,
    /// Whether it has followed the log: then connections may be open.
    has_worked: bool,
    /// Whether it takes connections.
    ready: bool,
    /// How far a new stream went when the reading of it began.
    goal: Option<Position>,
    /// How far its reader has come; ahead of the projection by what is in `batch`.
    read: Position,
    batch: VecDeque<Record>,
    /// Whether the end of a batch is still to be noted.
    ends_batch: bool,
    task: Option<Task>,
    /// What connections have to feel before the next record is taken.
    consequences: VecDeque<Consequence>,
    /// Whether shards are at one of them.
    applying: bool,
    /// Whether cursors may be told of its position once they have felt all of it.
    passes_then: bool,
    /// Whether it takes connections then.
    ready_then: bool,
    /// The record that was handed on last, until that is noted.
    handed_on: Option<Record>,
    known: Arc<Witness>,
}

impl SimulatedNode {
    pub(super) fn new(number: usize, settings: Settings) -> Self {
        Self {
            number,
            up: true,
            cut_off: false,
            groups: Groups::new(Projection::new(Position::start(0), &bounds(settings.window)), Vec::new()),
            shards: (0..settings.shards).map(SimulatedShard::new).collect(),
            letters: Vec::new(),
            learnt: HashMap::new(),
            folded: 0,
            recent: Recent::new(settings.recent_bytes),
            settings,
            stage: Stage::Start,
            has_worked: false,
            ready: false,
            goal: None,
            read: Position::start(0),
            batch: VecDeque::new(),
            ends_batch: false,
            task: None,
            consequences: VecDeque::new(),
            applying: false,
            passes_then: false,
            ready_then: false,
            handed_on: None,
            known: Arc::default(),
        }
    }

    /// Dies: nothing is left of it.
    pub(super) fn crash(&mut self) {
        let letters = std::mem::take(&mut self.letters);
        *self = Self { letters, up: false, cut_off: self.cut_off, ..Self::new(self.number, self.settings) };
    }

    pub(super) fn start(&mut self) {
        self.up = true;
    }

    /// Whether it takes connections.
    pub(super) fn is_ready(&self) -> bool {
        self.up && self.ready
    }

    /// Whether it has read everything and done everything about it.
    pub(super) fn is_idle(&self, log: &Log) -> bool {
        let is_read = |head: &Position| head.offsets().iter().all(|(p, o)| self.position().covers(*p, *o));
        let read_all =
            log.head().is_ok_and(|head| head.incarnation() == self.position().incarnation() && is_read(&head));
        self.is_ready() && read_all && self.goal.is_none() && self.is_resting()
    }

    /// Whether nothing of what it has read is still on its way to the shards.
    pub(super) fn is_resting(&self) -> bool {
        !self.is_busy() && self.batch.is_empty() && !self.ends_batch
    }

    /// Whether a folded record still has to be felt by connections.
    pub(super) fn is_busy(&self) -> bool {
        self.task.is_some() || self.applying || !self.consequences.is_empty()
    }

    pub(super) fn learnt(&self) -> &Learnt {
        &self.learnt
    }

    pub(super) fn position(&self) -> Position {
        self.groups.read(|known| known.position().clone())
    }

    /// One step of the pipeline.
    pub(super) fn step(&mut self, log: &Log, now: i64, random: &mut Random) {
        if self.is_busy() {
            return self.hand_on();
        }
        if let Some(record) = self.handed_on.take() {
            self.groups.pass_record(&record);
        }
        if std::mem::take(&mut self.passes_then) {
            let position = self.position();
            self.groups.pass(&position);
        }
        if std::mem::take(&mut self.ready_then) {
            self.groups.fold(Projection::settle);
            self.ready = true;
        }
        if let Some(record) = self.batch.pop_front() {
            self.ends_batch = self.batch.is_empty();
            return self.take(record);
        }
        if std::mem::take(&mut self.ends_batch) {
            return self.pass();
        }
        if self.cut_off {
            self.meet(Fault::Unavailable);
        } else if let Err(fault) = self.read_on(log, now, random) {
            self.meet(fault);
        }
    }

    /// What a shard sees, and the shard.
    pub(super) fn shard<'a>(&'a mut self, number: usize, log: &'a Log, now: i64) -> (&'a mut SimulatedShard, View<'a>) {
        let Self { groups, recent, learnt, settings, shards, .. } = self;
        let (window, rules, learnt) = (settings.window, settings.rules, learnt.len());
        (&mut shards[number], View { groups, log, recent, window, now, rules, learnt })
    }
}
