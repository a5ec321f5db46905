//! One run: a world is made of a seed, lives for a while, is let come to rest, and is judged.

use fanfare_broker::Record;
use fanfare_e2e_tests::Random;

use super::check::History;
use super::log::{Log, Shape};
use super::node::{Settings, SimulatedNode};
use super::platform::window;
use super::producer::{Producers, Theme};
use super::shard::{BEGIN, SimulatedShard};
use super::tab::{Habits, Surroundings, Tab};
use crate::pipeline::letters::replay_message;

/// How many steps a run has before it comes to rest.
const STEPS: usize = 2_500;

/// How many rounds coming to rest may take.
const ROUNDS: usize = 4_000;

/// Everything of one run.
pub(super) struct World {
    pub(super) random: Random,
    pub(super) now: i64,
    pub(super) settings: Settings,
    pub(super) log: Log,
    pub(super) producers: Producers,
    pub(super) nodes: Vec<SimulatedNode>,
    pub(super) tabs: Vec<Tab>,
    pub(super) history: History,
    /// How often the streams may still be recreated.
    anew: usize,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::seeded(seed);
        let shape = Shape::ALL[(seed % 3) as usize];
        let seconds = 10 + random.below(90) as u64;
        let window = window(seconds, 40 + random.below(400) as u64);
        let log = Log::new(shape, seconds as i64 * 1000 + random.below(40_000) as i64, &mut random);
        // No memory, little, and enough.
        let recent_bytes = *random.pick(&[0, 20 << 10, 10 << 20]);
        let settings = Settings { shards: 1 + random.below(2), window, recent_bytes };
        let nodes = (0..1 + random.below(3)).map(|number| SimulatedNode::new(number, settings));
        // During a rollout: the second node lacks a schema until it is started again.
        let nodes = nodes.map(|node| if node.number == 1 { node.without_items() } else { node }).collect();
        // Runs differ in what is frequent, so that each rare thing meets each other one in some of them.
        let habits = Habits {
            drops: *random.pick(&[2, 4, 12]),
            joins: *random.pick(&[3, 10, 20]),
            asks: *random.pick(&[2, 10]),
            reads: 80,
        };
        let tabs = (0..1 + random.below(11)).map(|number| Tab::new(number, habits, &mut random)).collect();
        let anew = random.below(8).saturating_sub(4);
        let themes = [Theme::Anything, Theme::Flags, Theme::Lists, Theme::People, Theme::Orgs, Theme::Counts];
        let theme = *random.pick(&themes);
        let (producers, history) = (Producers::new(theme), History::default());
        Self { random, now: BEGIN, settings, log, producers, nodes, tabs, history, anew }
    }

    pub(super) fn run(mut self) -> Result<(), String> {
        let outcome = self.live();
        outcome.map_err(|fault| format!("{fault} (the log is in the shape of {:?})", self.log.shape))
    }

    fn live(&mut self) -> Result<(), String> {
        for _ in 0..STEPS {
            self.step()?;
        }
        self.come_to_rest()?;
        self.judge()
    }

    fn step(&mut self) -> Result<(), String> {
        match self.random.below(1000) {
            0..60 => self.now += self.random.below(700) as i64,
            60..110 => self.act(),
            110..210 => self.relay(),
            210..520 => {
                let at = self.random.below(self.nodes.len());
                self.step_node(at);
            }
            520..690 => {
                let at = self.random.below(self.nodes.len());
                self.step_shard(at);
            }
            690..985 => {
                let at = self.random.below(self.tabs.len());
                self.step_tab(at)?;
            }
            _ => self.fault(),
        }
        self.verify()
    }

    fn relay(&mut self) {
        let Some((relay, message)) = self.producers.in_flight(&mut self.random) else { return };
        if !self.log.available {
            return;
        }
        if let Some(record) = self.log.publish(message, self.now, &mut self.random) {
            self.history.note(&record, self.log.incarnation());
        }
        // Else the answer is lost, or the relay dies before it notes it: the same again.
        if !self.random.chance(6) {
            self.producers.published(relay);
        }
    }

    fn step_node(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        if !node.up {
            return;
        }
        node.step(&self.log, self.now, &mut self.random);
    }

    fn step_shard(&mut self, at: usize) {
        let number = self.random.below(self.settings.shards);
        let (shard, view) = self.nodes[at].shard(number, &self.log, self.now);
        shard.step(view, &mut self.random);
    }

    fn step_tab(&mut self, at: usize) -> Result<(), String> {
        let Self { nodes, log, producers, history, now, .. } = self;
        let mut around = Surroundings { nodes, log, producers, history, now: *now };
        self.tabs[at].step(&mut around, &mut self.random)
    }

    fn fault(&mut self) {
        match self.random.below(100) {
            0..25 => {
                let at = self.random.below(self.nodes.len());
                if self.nodes[at].up {
                    for tab in &mut self.tabs {
                        tab.lose_node(at, &self.nodes);
                    }
                    self.nodes[at].crash();
                } else {
                    self.nodes[at].start();
                }
            }
            25..35 => self.log.available = !self.log.available,
            35..45 => {
                let node = self.random.below(self.nodes.len());
                self.nodes[node].cut_off = !self.nodes[node].cut_off;
            }
            45..60 => self.log.trim(self.now),
            60..65 => self.log.cut(self.random.below(25)),
            65..78 => self.log.compact(),
            78..85 => self.replay_letters(),
            85..90 => self.now += self.random.below(15_000) as i64,
            90..93 => self.pass_time(),
            _ if self.anew > 0 => {
                self.anew -= 1;
                // Longer than the clocks of two partitions differ.
                self.now += 1_000 + self.random.below(20_000) as i64;
                self.log.recreate(&mut self.random);
                self.producers.publish_state_again();
                if self.random.chance(60) {
                    self.pass_time();
                }
            }
            _ => {}
        }
    }

    /// An operator publishes letters again, of records that some node had no schema for.
    fn replay_letters(&mut self) {
        let incarnation = self.log.incarnation();
        let of_this_log = |(of, record): (u64, Record)| (of == incarnation).then_some(record);
        let Some(at) = self.nodes.iter().position(|node| !node.unknown.is_empty()) else { return };
        let letters: Vec<Record> = self.nodes[at].unknown.drain(..).filter_map(of_this_log).collect();
        if !self.log.available {
            return;
        }
        for (number, letter) in letters.into_iter().enumerate() {
            // One may be published twice.
            for again in 0..1 + self.random.below(2) {
                let id = format!("replay-{}-{number}-{again}-{}", self.now, letter.message.id);
                let message = replay_message(letter.clone(), id);
                if let Some(record) = self.log.publish(message, self.now, &mut self.random) {
                    self.history.note(&record, incarnation);
                }
            }
        }
    }

    fn act(&mut self) {
        let sessions: Vec<String> = self.tabs.iter().filter_map(Tab::session).collect();
        self.producers.act(self.now, &sessions, &mut self.random);
    }

    /// Much happens while no node gets to read.
    fn pass_time(&mut self) {
        let pace = *self.random.pick(&[500, 2_500, 8_000]);
        for _ in 0..10 + self.random.below(40) {
            self.now += self.random.below(pace) as i64;
            self.act();
            self.relay();
            self.relay();
        }
    }

    /// Everybody is back and everything is read.
    fn come_to_rest(&mut self) -> Result<(), String> {
        self.log.available = true;
        for node in &mut self.nodes {
            (node.up, node.cut_off) = (true, false);
        }
        // The newest record of all, which every node reads: by its time they forget.
        self.now += 1_000;
        self.producers.end(self.now);
        while let Some((relay, message)) = self.producers.next() {
            if let Some(record) = self.log.publish(message, self.now, &mut self.random) {
                self.history.note(&record, self.log.incarnation());
            }
            self.producers.published(relay);
        }
        for _ in 0..ROUNDS {
            // Tabs that say nothing are waited for.
            self.now += 10;
            for at in 0..self.nodes.len() {
                self.step_node(at);
                for number in 0..self.settings.shards {
                    let (shard, view) = self.nodes[at].shard(number, &self.log, self.now);
                    shard.step(view, &mut self.random);
                }
            }
            let Self { nodes, log, producers, history, now, tabs, random, .. } = self;
            let mut around = Surroundings { nodes, log, producers, history, now: *now };
            for tab in tabs {
                tab.come_to_rest(&mut around, random)?;
            }
            self.verify()?;
            let nodes = self.nodes.iter().all(|node| node.is_idle(&self.log));
            let shards = self.nodes.iter().flat_map(|node| &node.shards).all(SimulatedShard::is_idle);
            if nodes && shards && self.tabs.iter().all(|tab| tab.is_at_rest() || self.is_shut_out(tab)) {
                return Ok(());
            }
        }
        let nodes: Vec<usize> =
            self.nodes.iter().filter(|node| !node.is_idle(&self.log)).map(|node| node.number).collect();
        let shards = self.nodes.iter().flat_map(|node| &node.shards).filter(|shard| !shard.is_idle()).count();
        let tabs: Vec<&Tab> = self.tabs.iter().filter(|tab| !tab.is_at_rest()).collect();
        let tabs: Vec<_> =
            tabs.iter().map(|tab| format!("tab {} ({:?}, {:?})", tab.number, tab.order, tab.manner)).collect();
        Err(format!("the run does not come to rest: nodes {nodes:?}, {shards} shards, {tabs:?}"))
    }
}
