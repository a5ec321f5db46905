//! One run: chance, faults, rest, and what must hold.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use fanfare_broker::NodeTable;
use fanfare_e2e_tests::Random;

use super::node::Node;
use super::tab::{LISTS, Tab};
use crate::connection::ConnectionId;
use crate::nodes::NodeId;
use crate::roster::Time;
use crate::scene::claims;
use crate::vocabulary::Identity;

const STEPS: usize = 3_000;

/// How long it takes until a lease has run out and all is told, in milliseconds of the run.
const REST: i64 = 60_000;

pub(super) struct World {
    random: Random,
    now: i64,
    stream: NodeTable,
    nodes: Vec<Option<Node>>,
    tabs: Vec<Tab>,
    started: u64,
    capacity: usize,
    /// How often of a hundred times a fault happens that may: in some runs tabs live long.
    faults: usize,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::seeded(seed);
        let users = 2 + random.below(8);
        let tabs = (0..2 + random.below(12)).map(|number| Tab::new(number, users)).collect();
        let capacity = *random.pick(&[200, 1_000, 64 << 10]);
        let nodes = (0..1 + random.below(3)).map(|_| None).collect();
        let faults = *random.pick(&[10, 40, 100]);
        Self { random, now: 0, stream: NodeTable::default(), nodes, tabs, started: 0, capacity, faults }
    }

    fn time(&self) -> Time {
        static START: OnceLock<Instant> = OnceLock::new();
        let instant = *START.get_or_init(Instant::now) + Duration::from_millis(self.now.unsigned_abs());
        Time { instant, unix: self.now }
    }

    pub(super) fn run(mut self) -> Result<(), String> {
        for _ in 0..STEPS {
            self.step()?;
        }
        self.come_to_rest()?;
        self.judge()
    }

    fn step(&mut self) -> Result<(), String> {
        match self.random.below(100) {
            0..12 => self.now += self.random.below(1_500) as i64,
            12..62 => {
                let at = self.random.below(self.nodes.len());
                let what = self.random.below(3);
                self.step_node(at, what);
            }
            62..97 => {
                let at = self.random.below(self.tabs.len());
                self.step_tab(at)?;
            }
            _ if self.random.chance(self.faults) => self.fault(),
            _ => {}
        }
        Ok(())
    }

    fn step_node(&mut self, at: usize, what: usize) {
        let now = self.time();
        let Some(node) = self.nodes[at].as_mut().filter(|node| !node.stopped) else { return };
        match what {
            0 => node.exchange(&mut self.stream, now),
            1 => node.drive(now),
            _ => node.take(now),
        }
    }

    fn fault(&mut self) {
        let at = self.random.below(self.nodes.len());
        match self.random.below(10) {
            0..3 => {
                if self.nodes[at].take().is_none() {
                    self.start(at);
                } else {
                    self.lose(at);
                }
            }
            3..5 => {
                if let Some(node) = &mut self.nodes[at] {
                    node.stopped = !node.stopped;
                }
            }
            5 => self.now += self.random.below(8_000) as i64,
            _ => {
                if self.nodes[at].is_none() {
                    self.start(at);
                }
            }
        }
    }

    fn start(&mut self, at: usize) {
        self.started += 1;
        let now = self.time();
        let mut node = Node::new(NodeId::new(&format!("node{at}"), self.started), now, self.capacity);
        node.exchange(&mut self.stream, now);
        self.nodes[at] = Some(node);
    }

    /// The tabs of a node that died.
    fn lose(&mut self, at: usize) {
        for tab in self.tabs.iter_mut().filter(|tab| tab.link.is_some_and(|(node, _)| node == at)) {
            tab.begin(None);
        }
    }

    fn step_tab(&mut self, at: usize) -> Result<(), String> {
        let now = self.time();
        let Some((number, key)) = self.tabs[at].link else {
            self.connect(at);
            return Ok(());
        };
        let chance = self.random.below(100);
        let (node, tab) = (self.nodes[number].as_mut().expect("a node that lives"), &mut self.tabs[at]);
        if node.stopped {
            return Ok(());
        }
        let list = *self.random.pick(&LISTS);
        match chance {
            // What it is answered would fill the link of one that does not read.
            0..12 if !tab.is_slow() || tab.lists.is_empty() => {
                tab.lists.insert(list);
                let call = tab.call("Join", list);
                node.receive(key, call, now);
            }
            12..16 if tab.lists.remove(list) => {
                let call = tab.call("Leave", list);
                node.receive(key, call, now);
            }
            16..19 => {
                node.hang_up(key, now);
                tab.begin(None);
            }
            19..70 if !tab.is_slow() || chance < 21 => return tab.hear(&node.read(key, now)),
            _ => {}
        }
        Ok(())
    }

    fn connect(&mut self, at: usize) {
        let up: Vec<usize> = (0..self.nodes.len())
            .filter(|number| self.nodes[*number].as_ref().is_some_and(|node| !node.stopped))
            .collect();
        if up.is_empty() {
            return;
        }
        let (number, now) = (*self.random.pick(&up), self.time());
        let id = ConnectionId::from_random(u128::from(self.random.bits()) << 64 | u128::from(self.random.bits()));
        let tab = &mut self.tabs[at];
        let claims = claims(&tab.user, tab.org, &[], "s", 1);
        let identity = Identity::new(Arc::new(claims), None, |_| false).expect("an identity");
        let node = self.nodes[number].as_mut().expect("it is up");
        let key = node.accept(identity, id, now);
        node.receive(key, Tab::handshake(), now);
        tab.begin(Some((number, key)));
    }

    fn come_to_rest(&mut self) -> Result<(), String> {
        for at in 0..self.nodes.len() {
            match &mut self.nodes[at] {
                Some(node) => node.stopped = false,
                None => self.start(at),
            }
        }
        let end = self.now + REST;
        while self.now < end {
            self.now += 200;
            let now = self.time();
            for node in self.nodes.iter_mut().flatten() {
                node.exchange(&mut self.stream, now);
                node.drive(now);
                while !node.is_idle() {
                    node.take(now);
                }
            }
            for at in 0..self.tabs.len() {
                let Some((number, key)) = self.tabs[at].link else {
                    self.connect(at);
                    continue;
                };
                let node = self.nodes[number].as_mut().expect("it is up");
                self.tabs[at].hear(&node.read(key, now))?;
            }
        }
        Ok(())
    }

    /// Every tab is told of everybody who is there, and of nobody else.
    fn judge(&self) -> Result<(), String> {
        for tab in &self.tabs {
            for list in &tab.lists {
                let others = self.tabs.iter().filter(|other| other.org == tab.org && other.lists.contains(list));
                let there: BTreeSet<String> = others.map(|other| other.user.clone()).collect();
                let told = tab.told.get(*list).cloned().unwrap_or_default();
                if told != there {
                    let Tab { number, user, org, link, .. } = tab;
                    let nodes = self.nodes.iter().flatten();
                    let known: Vec<_> =
                        nodes.map(|node| (node.directory.own().to_string(), node.known(list, org))).collect();
                    return Err(format!(
                        "tab {number} ({user} of {org}, {link:?}) is told of {told:?} in {list}, and {there:?} are \
                         there; nodes know {known:?}"
                    ));
                }
            }
        }
        Ok(())
    }
}
