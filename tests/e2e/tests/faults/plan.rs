//! The faults of a run, drawn from its seed before it starts.

use std::time::Duration;

use fanfare_e2e_tests::backplane::Kind;
use fanfare_e2e_tests::follower::{Return, TabPlan};
use fanfare_e2e_tests::{Random, Transport};

/// The orgs, and the users of each.
pub(crate) const ORGS: [&str; 3] = ["acme", "globex", "initech"];
pub(crate) const USERS: [&str; 2] = ["alice", "bob"];

/// A fault; nodes are identified by number.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// `kill -9`, and a restart after a while.
    KillNode { node: usize, down: Duration },
    /// Every node in turn: SIGTERM, drain, start.
    RollingRestart,
    /// All connections between proxy and node are reset and refused for a while.
    CutNode { node: usize, time: Duration },
    /// Traffic between proxy and node is held for a while.
    HoldNode { node: usize, time: Duration },
    /// Every tab loses its connection at once.
    DropTabs,
    /// `kill -9` of the proxy, and an immediate restart.
    KillProxy,
    /// `kill -9` of the broker, and a restart after a while.
    KillBroker { down: Duration },
    /// The broker is paused by SIGSTOP for a while.
    FreezeBroker { time: Duration },
    /// All connections between a node and the broker are reset and refused for a while.
    CutBroker { node: usize, time: Duration },
    /// Traffic between a node and the broker is held for a while.
    HoldBroker { node: usize, time: Duration },
    /// All traffic between the nodes and the broker is delayed.
    SlowBroker { delay: Duration, time: Duration },
}

/// One run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) tabs: Vec<TabPlan>,
    pub(crate) producers: usize,
    /// The number of events between the end of one fault and the next.
    pub(crate) steps: Vec<(usize, Fault)>,
}

impl Plan {
    /// The plan of a seed.
    pub(crate) fn draw(seed: u64, kind: Kind, nodes: usize) -> Self {
        let mut random = Random::seeded(seed);
        let tabs = (0..18).map(|number| tab(number, &mut random)).collect();
        // Some faults are in every run, the others are drawn; the order is random.
        let mut faults = vec![
            Fault::KillNode { node: random.below(nodes), down: random.milliseconds(0, 1000) },
            Fault::RollingRestart,
        ];
        if kind != Kind::Embedded {
            faults.push(Fault::KillBroker { down: random.milliseconds(0, 1500) });
        }
        for _ in 0..3 {
            faults.push(fault(kind, nodes, &mut random));
        }
        let mut steps = Vec::new();
        while !faults.is_empty() {
            let next = faults.swap_remove(random.below(faults.len()));
            steps.push((20 + random.below(60), next));
        }
        Self { seed, tabs, producers: 4, steps }
    }
}

/// Every transport and every audience occurs, whatever the seed.
fn tab(number: usize, random: &mut Random) -> TabPlan {
    TabPlan {
        org: ORGS[number % ORGS.len()],
        user: USERS[number / ORGS.len() % USERS.len()],
        transport: match number {
            0..3 => Transport::ALL[number],
            _ => *random.pick(&Transport::ALL),
        },
        how: if random.chance(25) { Return::ByCall } else { Return::WithCursor },
    }
}

fn fault(kind: Kind, nodes: usize, random: &mut Random) -> Fault {
    let node = random.below(nodes);
    let time = random.milliseconds(200, 2000);
    match random.below(if kind == Kind::Embedded { 5 } else { 9 }) {
        0 => Fault::KillNode { node, down: time },
        1 => Fault::CutNode { node, time },
        2 => Fault::HoldNode { node, time },
        3 => Fault::DropTabs,
        4 => Fault::KillProxy,
        5 => Fault::FreezeBroker { time },
        6 => Fault::CutBroker { node, time },
        7 => Fault::HoldBroker { node, time },
        _ => Fault::SlowBroker { delay: random.milliseconds(1, 40), time },
    }
}
