//! A node: the product's follower and intake, driven one small step at a time. It may die between any two of them.

mod driver;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fanfare_broker::{Position, Record};
use fanfare_e2e_tests::Random;

use super::log::Log;
use super::platform::bounds;
use super::shard::{BEGIN, SimulatedShard, View};
use super::witness::Witness;
use crate::groups::Groups;
use crate::pipeline::follower::Follower;
use crate::pipeline::intake::Effects;
use crate::pipeline::throttle::Throttles;
use crate::pipeline::{RecentRecords, Window};
use crate::projection::Projection;
use crate::vocabulary::Place;

/// What a node is made with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) shards: usize,
    pub(super) window: Window,
    /// The most bytes of the newest records that it keeps in memory.
    pub(super) recent_bytes: usize,
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
    /// Whether it has the schema of items: one that is started later does.
    knows_items: bool,
    pub(super) groups: Arc<Groups>,
    pub(super) shards: Vec<SimulatedShard>,
    pub(super) letters: Vec<Place>,
    /// Records that it has no schema for, with the log they are of: their letters wait for an operator.
    pub(super) unknown: Vec<(u64, Record)>,
    learnt: Learnt,
    /// The events, by id and source, that it could use when it read the log back, and told nobody of.
    untold: HashSet<String>,
    /// How many records of the log it has folded that were no duplicates.
    folded: usize,
    recent: RecentRecords,
    settings: Settings,
    follower: Follower,
    /// How far its reader of the log has come, if one is open.
    log_reader: Option<Position>,
    /// The same of the state.
    state_reader: Option<Position>,
    /// Whether it takes connections.
    ready: bool,
    /// When it began, and when it last let time pass for what is forgotten because of its age.
    lived: Option<(i64, i64)>,
    /// What still follows from the record that was taken last.
    effects: Option<Effects<'static>>,
    /// Whether shards are at an effect.
    applying: bool,
    known: Arc<Witness>,
    /// What waits for its turn.
    throttles: Mutex<Throttles>,
    /// When something of each throttled audience and key was told last.
    paced: HashMap<u64, i64>,
    now: i64,
}

impl SimulatedNode {
    pub(super) fn new(number: usize, settings: Settings) -> Self {
        let groups = Groups::new(Projection::new(Position::start(0), &bounds(settings.window)), Vec::new());
        let groups = Arc::new(groups);
        Self {
            number,
            up: true,
            cut_off: false,
            knows_items: true,
            shards: (0..settings.shards).map(|index| SimulatedShard::new(index, Arc::clone(&groups))).collect(),
            groups,
            letters: Vec::new(),
            unknown: Vec::new(),
            learnt: HashMap::new(),
            untold: HashSet::new(),
            folded: 0,
            recent: RecentRecords::new(settings.recent_bytes),
            settings,
            follower: Follower::new(settings.window),
            log_reader: None,
            state_reader: None,
            ready: false,
            lived: None,
            effects: None,
            applying: false,
            known: Arc::default(),
            throttles: Mutex::default(),
            paced: HashMap::new(),
            now: BEGIN,
        }
    }

    /// The same without the schema of items.
    pub(super) fn without_items(mut self) -> Self {
        self.knows_items = false;
        self
    }

    /// Dies: nothing is left of it but the letters that it wrote.
    pub(super) fn crash(&mut self) {
        let (letters, unknown) = (std::mem::take(&mut self.letters), std::mem::take(&mut self.unknown));
        let fresh = Self::new(self.number, self.settings);
        *self = Self { letters, unknown, up: false, cut_off: self.cut_off, ..fresh };
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
        let none_waits = self.throttles.lock().is_ok_and(|throttles| throttles.is_idle());
        self.is_ready() && read_all && none_waits && !self.is_busy() && self.follower.is_at_rest()
    }

    /// Whether a folded record still has to be felt by connections.
    pub(super) fn is_busy(&self) -> bool {
        self.effects.is_some() || self.applying
    }

    /// What it has read of roles, access and orgs, by revisions alone.
    pub(super) fn known(&self) -> &Witness {
        &self.known
    }

    pub(super) fn learnt(&self) -> &Learnt {
        &self.learnt
    }

    pub(super) fn position(&self) -> Position {
        self.groups.read(|known| known.position().clone())
    }

    /// One step of the pipeline.
    pub(super) fn step(&mut self, log: &Log, now: i64, random: &mut Random) {
        self.pass_time(now);
        self.now = now;
        if self.is_busy() {
            return self.carry_out();
        }
        if !self.tell_due() {
            self.follow(log, now, random);
        }
    }

    /// What is old enough is forgotten, as the watch of a node has it once the log has been read back.
    fn pass_time(&mut self, now: i64) {
        let (began, last) = *self.lived.get_or_insert((now, i64::MIN));
        if self.ready && now >= last.saturating_add(500) {
            self.lived = Some((began, now));
            let elapsed = Duration::from_millis((now - began).unsigned_abs());
            self.groups.fold(|known| known.pass_time(elapsed, now));
        }
    }

    /// What a shard sees, and the shard.
    pub(super) fn shard<'a>(&'a mut self, number: usize, log: &'a Log, now: i64) -> (&'a mut SimulatedShard, View<'a>) {
        let Self { recent, learnt, settings, shards, .. } = self;
        let (window, learnt) = (settings.window, learnt.len());
        (&mut shards[number], View { log, recent, window, now, learnt })
    }
}
