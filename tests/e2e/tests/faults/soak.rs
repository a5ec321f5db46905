//! Minutes of connection churn and broker faults, with the nodes' memory before and after.
//!
//! Nodes are not killed here: the test measures what a process retains.

use std::time::Duration;

use fanfare_e2e_tests::backplane::{Backplane, Kind};
use fanfare_e2e_tests::follower::{Follower, Return, TabPlan};
use fanfare_e2e_tests::{Cluster, Random, Transport};
use tokio::time::Instant;

use crate::load::Load;
use crate::plan::{Fault, ORGS, Plan, USERS};
use crate::report::Report;
use crate::run::{apply, doors, limited};

const TABS: usize = 60;
/// After this time a node has made its one-time allocations.
const WARM_UP: Duration = Duration::from_secs(30);
/// The newest records must fill their part of the memory before a node is warm; otherwise they would hide a leak.
const LITTLE: &str = "resume_memory_bytes = 4194304\n";
/// How much more a node may use at the end than when it was warm: the ids of the replay window, and the 64 MiB page
/// cache of the embedded log.
const GROWTH: u64 = 96 << 20;

pub(crate) async fn soak(kind: Kind, time: Duration, seed: u64) {
    let Some(mut backplane) = Backplane::start(kind).await else { return };
    let settings = (0..kind.nodes()).map(|node| limited(&backplane, node, LITTLE));
    let Some(mut cluster) = Cluster::prepare(settings).await else { return };
    cluster.start().await;
    let mut random = Random::seeded(seed);
    let plan = Plan { seed, tabs: tabs(&mut random), producers: 4, steps: Vec::new() };
    let mut followers = Vec::new();
    for tab in &plan.tabs {
        followers.push(Follower::start(*tab, cluster.address()).await);
    }
    let load = Load::start(doors(&plan, &cluster, &backplane), seed);
    let begun = Instant::now();
    let mut before = resident(&cluster);
    let mut warm = false;
    while begun.elapsed() < time {
        if !warm && begun.elapsed() > WARM_UP.min(time / 3) {
            (before, warm) = (resident(&cluster), true);
        }
        let fault = fault(kind, &mut random);
        eprintln!("seed {seed} {} after {} s: {fault:?}", kind.name(), begun.elapsed().as_secs());
        apply(&fault, &mut cluster, &mut backplane).await;
        // The rhythm of the churn.
        tokio::time::sleep(random.milliseconds(500, 4000)).await;
    }
    let sent = load.end().await;
    tell_resumes(kind, seed, &cluster).await;
    let report = Report::of(&plan, kind.name(), &sent, &followers).await;
    crate::say(&report.to_string());
    for (node, (before, after)) in before.iter().zip(resident(&cluster)).enumerate() {
        let mib = |bytes: u64| bytes / (1 << 20);
        let seconds = begun.elapsed().as_secs();
        crate::say(&format!(
            "seed {seed} {} node {}: {} MiB resident before, {} MiB after {seconds} s",
            kind.name(),
            node + 1,
            mib(*before),
            mib(after)
        ));
        assert!(after < before + GROWTH, "node {} grew from {before} to {after} bytes", node + 1);
    }
    report.expect_good();
    followers.into_iter().for_each(Follower::end);
}

/// Prints how resumes ended and how many tabs were slow: the first questions about a failed run.
async fn tell_resumes(kind: Kind, seed: u64, cluster: &Cluster) {
    for (node, at) in cluster.nodes.iter().enumerate() {
        let mut told = format!("seed {seed} {} node {}:", kind.name(), node + 1);
        for outcome in ["complete", "incomplete", "cut", "too_slow", "unknown_cursor"] {
            let count = at.metric("fanfare_resumes_total", &format!("\"{outcome}\"")).await;
            told.push_str(&format!(" {count} resumes {outcome},"));
        }
        let slow = at.metric("fanfare_slow_consumers_total", "").await;
        crate::say(&format!("{told} {slow} slow tabs"));
    }
}

fn tabs(random: &mut Random) -> Vec<TabPlan> {
    let tabs = (0..TABS).map(|number| TabPlan {
        org: ORGS[number % ORGS.len()],
        user: USERS[number / ORGS.len() % USERS.len()],
        transport: *random.pick(&Transport::ALL),
        how: if random.chance(20) { Return::ByCall } else { Return::WithCursor },
    });
    tabs.collect()
}

fn fault(kind: Kind, random: &mut Random) -> Fault {
    let node = random.below(kind.nodes());
    let time = random.milliseconds(200, 3000);
    match random.below(if kind == Kind::Embedded { 5 } else { 10 }) {
        0..3 => Fault::DropTabs,
        3 => Fault::CutNode { node, time },
        4 => Fault::KillProxy,
        5 => Fault::KillBroker { down: time },
        6 => Fault::FreezeBroker { time },
        7 => Fault::CutBroker { node, time },
        8 => Fault::HoldBroker { node, time },
        _ => Fault::SlowBroker { delay: random.milliseconds(1, 30), time },
    }
}

/// The memory of each node.
fn resident(cluster: &Cluster) -> Vec<u64> {
    cluster.nodes.iter().map(fanfare_e2e_tests::Node::resident).collect()
}
