//! Three nodes on NATS behind nginx: their cost compared with one node, and losses while they are restarted.

mod restart;

use std::time::Duration;

use anyhow::Result;
use fanfare_test_servers::nginx::Nginx;

use super::pairs::interleave;
use super::phase::MODERATE;
use crate::backplane::{Backplane, Kind};
use crate::load::{Audience, Load, Plan};
use crate::measure::{CpuTime, percentile_ms};
use crate::node::{Node, Settings, free_address};
use crate::report::{Figure, Readings};
use crate::stage::Stage;

const NODES: usize = 3;
const TABS: usize = 300;

/// Each event for all tabs.
const EVENTS: Plan = Plan { bursts: 200, burst: 1, audience: Audience::Everybody, pause: Duration::from_millis(5) };
const WARM_UP: Plan = Plan { bursts: 20, ..EVENTS };

pub(super) fn run(stage: &Stage, name: &'static str) -> Result<Vec<Figure>> {
    if Nginx::program().is_none() {
        stage.say("skipped: nginx is not installed");
        return Ok(Vec::new());
    }
    let Some(backplane) = Backplane::start(Kind::Nats, stage.folder(), |words| stage.say(words))? else {
        return Ok(Vec::new());
    };
    let settings = Settings { broker: &backplane.url, ..Settings::default() };
    // All read the same log. Producers use the first one, which also plays a platform with one node.
    let alone = stage.node_with(settings)?;
    let mut nodes: Vec<Node> = (0..NODES).map(|_| stage.node_with(settings)).collect::<Result<_>>()?;
    let addresses: Vec<_> = nodes.iter().map(Node::address).collect();
    let Some(nginx) = Nginx::start(free_address()?, &addresses) else { return Ok(Vec::new()) };
    let tickets = stage.mint.users(TABS)?;
    let mut direct = alone.load(&stage.mint, &tickets, 1)?;
    let mut proxied = alone.load_through(nginx.address(), &stage.mint, &tickets, 1)?;
    let floor = || {
        let readings = deliver(&mut direct, std::slice::from_ref(&alone))?;
        alone.wait_for_connections(0)?;
        Ok(readings)
    };
    let fleet = || {
        let mut readings = deliver(&mut proxied, &nodes)?;
        nodes.iter().try_for_each(|node| node.wait_for_connections(0))?;
        readings.push(("connections", TABS as f64));
        Ok(readings)
    };
    let mut figures = interleave(stage, name, "latency", floor, fleet)?;
    stage.say("restarting one node after the other");
    let restarted = restart::in_turn(stage, &mut proxied, &mut nodes)?;
    figures.extend(Figure::sum_up(name, &[restarted], &[]));
    Ok(figures)
}

/// Connects all tabs, publishes, and disconnects them.
fn deliver(load: &mut Load, nodes: &[Node]) -> Result<Readings> {
    let cpu = || nodes.iter().map(|node| CpuTime::of(node.pid())).collect::<Result<Vec<_>>>();
    load.connect_all(MODERATE)?;
    load.run(&WARM_UP)?;
    load.finish();
    let before = cpu()?;
    load.run(&EVENTS)?;
    let used: f64 = cpu()?.iter().zip(&before).map(|(now, before)| now.micros_since(before)).sum();
    let samples = load.finish();
    load.drop_all();
    Ok(vec![
        ("latency_p50_ms", percentile_ms(&samples.each, 50)),
        ("latency_p99_ms", percentile_ms(&samples.each, 99)),
        ("cpu_us_per_delivery", used / samples.each.len().max(1) as f64),
        ("cpu_us_per_event_and_node", used / (EVENTS.bursts * nodes.len()) as f64),
    ])
}
