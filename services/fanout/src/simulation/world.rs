//! One run: a world is made of a seed, lives for a while, is let come to rest, and is judged.

use std::sync::Arc;

use fanfare_e2e_tests::Random;
use fanfare_event::Event;

use super::check::{Account, History, retained_flags, true_flags};
use super::log::{Log, Shape};
use super::node::SimulatedNode;
use super::platform::{platform, window};
use super::producer::{ORGS, Producers, USERS};
use super::shard::{SimulatedShard, View};
use super::tab::{Surroundings, Tab};
use crate::groups::name::{GroupName, GroupTemplate};
use crate::pipeline::Window;

/// How many steps a run has before it comes to rest.
const STEPS: usize = 2_500;

/// How many rounds coming to rest may take.
const ROUNDS: usize = 4_000;

/// Everything of one run.
pub(super) struct World {
    random: Random,
    now: i64,
    window: Window,
    log: Log,
    producers: Producers,
    nodes: Vec<SimulatedNode>,
    tabs: Vec<Tab>,
    history: History,
    makes_anew: bool,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::seeded(seed);
        let shape = *random.pick(&[Shape::Embedded, Shape::Nats, Shape::Kafka]);
        let seconds = 20 + random.below(100) as u64;
        let window = window(seconds, 60 + random.below(400) as u64);
        let log = Log::new(shape, seconds as i64 * 1000 + random.below(40_000) as i64, &mut random);
        let shards = 1 + random.below(2);
        let nodes = (0..1 + random.below(3)).map(|number| SimulatedNode::new(number, shards, window)).collect();
        let mut tabs = Vec::new();
        for number in 0..4 + random.below(8) {
            let (user, org) = (*random.pick(&USERS), *random.pick(&ORGS));
            tabs.push(Tab::new(number, user, org, &mut random));
        }
        let makes_anew = false;
        let (producers, history) = (Producers::default(), History::default());
        Self { random, now: 1_800_000_000_000, window, log, producers, nodes, tabs, history, makes_anew }
    }

    pub(super) fn run(mut self) -> Result<(), String> {
        for _ in 0..STEPS {
            self.step()?;
        }
        self.come_to_rest()?;
        self.judge()
    }

    fn step(&mut self) -> Result<(), String> {
        match self.random.below(1000) {
            0..60 => self.now += self.random.below(700) as i64,
            60..110 => {
                let sessions: Vec<String> = self.tabs.iter().filter_map(Tab::session).collect();
                self.producers.act(self.now, &sessions, &mut self.random);
            }
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
        if std::mem::take(&mut node.skipped) {
            let position = node.position();
            for tab in self.tabs.iter_mut().filter(|tab| tab.link.is_some_and(|link| link.node == at)) {
                tab.owed_from = Some(position.clone());
                tab.refetch(&self.producers);
            }
        }
    }

    fn step_shard(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let shard = self.random.below(node.shards.len());
        let view = View { groups: &node.groups, log: &self.log, window: self.window, now: self.now };
        node.shards[shard].step(view);
    }

    fn step_tab(&mut self, at: usize) -> Result<(), String> {
        let (nodes, log, producers) = (&mut self.nodes[..], &self.log, &self.producers);
        let mut around =
            Surroundings { nodes, log, producers, history: &self.history, window: self.window, now: self.now };
        self.tabs[at].step(&mut around, &mut self.random)
    }

    fn fault(&mut self) {
        match self.random.below(100) {
            0..25 => {
                let at = self.random.below(self.nodes.len());
                if self.nodes[at].up {
                    self.nodes[at].crash();
                    self.tabs.iter_mut().for_each(|tab| tab.lose_node(at));
                } else {
                    self.nodes[at].start();
                }
            }
            25..45 => self.log.available = !self.log.available,
            45..65 => self.log.trim(self.now),
            65..85 => self.log.compact(),
            85..95 => self.now += self.random.below(15_000) as i64,
            _ if self.makes_anew => {
                self.makes_anew = false;
                self.log.make_anew(&mut self.random);
                self.producers.publish_state_again();
            }
            _ => {}
        }
    }

    fn verify(&mut self) -> Result<(), String> {
        for shard in self.nodes.iter_mut().flat_map(|node| &mut node.shards) {
            let told = shard.told.drain(..).find_map(|told| self.history.too_early(&told));
            if let Some(fault) = shard.broken.pop().or(told) {
                return Err(fault);
            }
        }
        self.verify_logouts()
    }

    /// After a logout was read and felt, no tab of the user is left on the node (SEMANTICS 1.3, 1.5).
    fn verify_logouts(&self) -> Result<(), String> {
        for node in self.nodes.iter().filter(|node| node.is_ready() && !node.is_busy()) {
            for shard in node.shards.iter().filter(|shard| !shard.is_opening()) {
                let live = shard.tabs.values().filter(|tab| tab.ended.is_none() && tab.hearing.live_from.is_some());
                for tab in live {
                    if let Some(out) = self.history.ended_by(&tab.identity, |out| node.has_read(out)) {
                        return Err(format!("node {} keeps a tab beyond {out:?}", node.number));
                    }
                }
            }
        }
        Ok(())
    }

    /// Everybody is back and everything is read.
    fn come_to_rest(&mut self) -> Result<(), String> {
        self.log.available = true;
        self.nodes.iter_mut().for_each(SimulatedNode::start);
        while let Some((relay, message)) = self.producers.next() {
            if let Some(record) = self.log.publish(message, self.now, &mut self.random) {
                self.history.note(&record, self.log.incarnation());
            }
            self.producers.published(relay);
        }
        for _ in 0..ROUNDS {
            for at in 0..self.nodes.len() {
                self.step_node(at);
                for shard in 0..self.nodes[at].shards.len() {
                    let node = &mut self.nodes[at];
                    let view = View { groups: &node.groups, log: &self.log, window: self.window, now: self.now };
                    node.shards[shard].step(view);
                }
            }
            let (nodes, log, producers) = (&mut self.nodes[..], &self.log, &self.producers);
            let mut around =
                Surroundings { nodes, log, producers, history: &self.history, window: self.window, now: self.now };
            for tab in &mut self.tabs {
                tab.settle(&mut around, &mut self.random)?;
            }
            self.verify()?;
            let nodes = self.nodes.iter().all(|node| node.is_idle(&self.log));
            let shards = self.nodes.iter().flat_map(|node| &node.shards).all(SimulatedShard::is_idle);
            if nodes && shards && self.tabs.iter().all(|tab| tab.is_settled(&self.nodes)) {
                return Ok(());
            }
        }
        Err("the run does not come to rest".to_owned())
    }

    fn judge(&self) -> Result<(), String> {
        self.judge_nodes()?;
        let incarnation = self.log.incarnation();
        for tab in &self.tabs {
            let (Some(identity), Some(owed_from)) = (tab.identity(), &tab.owed_from) else { continue };
            let account = Account { identity: &identity, owed_from, got: &tab.got };
            let is_stored = |place: crate::projection::Place| self.log.holds(place.partition, place.offset);
            let missing = self.history.missing(&account, incarnation, &is_stored);
            if !missing.is_empty() {
                let (user, org) = (&identity.claims().user, tab.org());
                return Err(format!(
                    "{user} of {org} has missed {missing:#?} since {owed_from:?} ({:?})",
                    self.log.shape
                ));
            }
            let shown: std::collections::BTreeMap<String, bool> =
                tab.flags.iter().filter(|(_, (on, _))| *on).map(|(flag, (on, _))| (flag.clone(), *on)).collect();
            let mut wanted = true_flags(&self.producers, tab.org());
            wanted.retain(|_, on| *on);
            if shown != wanted {
                return Err(format!("a tab of {} shows {shown:?}, and {wanted:?} is true", tab.org()));
            }
        }
        Ok(())
    }

    /// All nodes know the same, and what they know is what the producers know.
    fn judge_nodes(&self) -> Result<(), String> {
        let age = self.window.age.as_millis() as i64;
        let oldest = self.log.window(age, self.window.records, self.now).map_err(|fault| format!("{fault:?}"))?;
        for node in &self.nodes {
            for org in ORGS {
                let group = org_group(org);
                let hub = &platform().hub.path;
                let values: Vec<Arc<Event>> = node.groups.read(|known| {
                    known.retained().for_groups(hub, std::iter::once(&group)).into_iter().map(|v| v.event).collect()
                });
                let (found, wanted) = (retained_flags(&values), true_flags(&self.producers, org));
                if found != wanted {
                    return Err(format!("node {} retains {found:?} for {org}, and {wanted:?} is true", node.number));
                }
            }
            for (incarnation, place) in &self.history.poison {
                let owed = *incarnation == oldest.incarnation() && !place.is_within(&oldest);
                let written = self.nodes.iter().any(|node| node.letters.contains(place));
                if owed && !written {
                    return Err(format!("no letter of the record at {place:?}"));
                }
            }
        }
        Ok(())
    }
}

fn org_group(org: &str) -> GroupName {
    GroupTemplate::parse("org:{org}").expect("a template").name(&[org]).expect("a name")
}
