//! One run: nodes behind a proxy, tabs, producers, and the plan's faults.

use std::time::Duration;

use fanfare_e2e_tests::backplane::{Backplane, Kind};
use fanfare_e2e_tests::follower::Follower;
use fanfare_e2e_tests::wait::Deadline;
use fanfare_e2e_tests::{Cluster, Relay, Request, Settings};

use crate::load::{Door, Load};
use crate::plan::{Fault, Plan};
use crate::report::Report;

/// Nodes ping often, so that a tab notices a dead connection soon; these tabs do not ping. A node that takes a poll for
/// the first of its connection, because another node had the earlier ones, does not wait long.
const LIMITS: &str = "[limits]\nkeepalive_seconds = 2\nclient_timeout_seconds = 3600\nhandshake_seconds = 5\n";

/// Runs the plan of a seed; none if this machine lacks a server.
pub(crate) async fn run(kind: Kind, seed: u64) -> Option<Report> {
    let mut backplane = Backplane::start(kind).await?;
    let plan = Plan::draw(seed, kind, kind.nodes());
    let settings = (0..kind.nodes()).map(|node| settings(&backplane, node));
    let mut cluster = Cluster::prepare(settings).await?;
    cluster.start().await;
    let mut followers = Vec::new();
    for tab in &plan.tabs {
        followers.push(Follower::start(*tab, cluster.address()).await);
    }
    let load = Load::start(doors(&plan, &cluster, &backplane), seed);
    for (events, fault) in &plan.steps {
        load.more(*events).await;
        eprintln!("seed {seed} {}: {fault:?}", kind.name());
        apply(fault, &mut cluster, &mut backplane).await;
    }
    load.more(30).await;
    let sent = load.end().await;
    let report = Report::of(&plan, kind.name(), &sent, &followers).await;
    followers.into_iter().for_each(Follower::end);
    Some(report)
}

/// The settings of a node.
pub(crate) fn settings(backplane: &Backplane, node: usize) -> Settings {
    limited(backplane, node, "")
}

/// The same with additional limits.
pub(crate) fn limited(backplane: &Backplane, node: usize, more: &str) -> Settings {
    Settings::default().broker(&backplane.config(node)).section(&format!("{LIMITS}{more}"))
}

/// Producers use nodes and the proxy in turn; the last one publishes directly to the broker, if there is one.
pub(crate) fn doors(plan: &Plan, cluster: &Cluster, backplane: &Backplane) -> Vec<Door> {
    let mut addresses = vec![cluster.proxy.address()];
    addresses.extend(cluster.nodes.iter().map(fanfare_e2e_tests::Node::address));
    let mut doors = vec![Door::Nodes(addresses); plan.producers];
    if let (Some(last), Some(direct)) = (doors.last_mut(), backplane.direct()) {
        *last = Door::Broker(direct);
    }
    doors
}

/// Runs the plan's faults, and undoes them.
pub(crate) async fn apply(fault: &Fault, cluster: &mut Cluster, backplane: &mut Backplane) {
    match *fault {
        Fault::KillNode { node, down } => {
            cluster.nodes[node].kill();
            tokio::time::sleep(down).await;
            cluster.nodes[node].start().await;
        }
        Fault::RollingRestart => {
            for node in &mut cluster.nodes {
                let status = node.stop().await;
                assert!(status.success(), "a node that is asked to stop ends with {status}");
                node.start().await;
            }
        }
        Fault::CutNode { node, time } => during(&[&cluster.lines[node]], Relay::cut, time).await,
        Fault::HoldNode { node, time } => during(&[&cluster.lines[node]], Relay::hold, time).await,
        Fault::DropTabs => cluster.front.reset(),
        Fault::KillProxy => cluster.proxy.kill_and_restart(),
        Fault::KillBroker { down } => {
            backplane.kill();
            tokio::time::sleep(down).await;
            backplane.restart().await;
        }
        Fault::FreezeBroker { time } => {
            backplane.freeze();
            tokio::time::sleep(time).await;
            backplane.thaw();
        }
        Fault::CutBroker { node, time } => during(&[backplane.line(node)], Relay::cut, time).await,
        Fault::HoldBroker { node, time } => during(&[backplane.line(node)], Relay::hold, time).await,
        Fault::SlowBroker { delay, time } => during(&backplane.lines(), |line| line.slow(delay), time).await,
    }
    // Every node has recovered before the next fault: two that overlap are different faults.
    for (number, node) in (1..).zip(&mut cluster.nodes) {
        let deadline = Deadline::new(&format!("node {number} to be ready after {fault:?}"));
        loop {
            // If the node has ended, its exit is reported; otherwise its answer, or why there is none.
            node.expect_running();
            let said = match Request::get("/readyz").send(node.admin_address()).await {
                Ok(answer) if answer.status == 200 => break,
                Ok(answer) => format!("{} {}", answer.status, answer.text()),
                Err(error) => error.to_string(),
            };
            deadline.pause_after(&said).await;
        }
    }
}

async fn during(lines: &[&Relay], worsen: impl Fn(&Relay), time: Duration) {
    lines.iter().for_each(|line| worsen(line));
    tokio::time::sleep(time).await;
    lines.iter().for_each(|line| line.mend());
}
