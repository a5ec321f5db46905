//! From publish to handler at low load.

use std::time::Duration;

use anyhow::Result;

use super::pairs::interleave;
use super::phase::{Names, Rig, measure};
use crate::load::{Audience, Plan};
use crate::report::Figure;
use crate::stage::Stage;

const TO_USER: Names = Names { p50: "latency_p50_ms", p99: "latency_p99_ms", cpu: "cpu_us_per_delivery" };
const TO_GROUP: Names =
    Names { p50: "group_latency_p50_ms", p99: "group_latency_p99_ms", cpu: "group_cpu_us_per_delivery" };

/// Low load: the node is idle in between.
const PAUSE: Duration = Duration::from_millis(2);

pub(super) fn run(stage: &Stage, name: &'static str, tabs: usize) -> Result<Vec<Figure>> {
    let to_user = Plan { bursts: 400, burst: 1, audience: Audience::EachInTurn, pause: PAUSE };
    let to_group = Plan { bursts: events(tabs), audience: Audience::Everybody, ..to_user };
    let Rig { node, mut load, mut floor } = Rig::raise(stage, tabs, &Plan { bursts: 20, ..to_group })?;
    let mut figures = Vec::new();
    for (what, plan, names) in [("to one user", to_user, TO_USER), ("to all tabs", to_group, TO_GROUP)] {
        let floor_pid = floor.pid();
        let floor_turn = || Ok(measure(&mut floor.load, floor_pid, &plan)?.readings(&names));
        let node_turn = || {
            let phase = measure(&mut load, node.pid(), &plan)?;
            let mut readings = phase.readings(&names);
            if plan.audience == Audience::EachInTurn {
                readings.extend(phase.accepted());
            }
            Ok(readings)
        };
        figures.extend(interleave(stage, name, what, floor_turn, node_turn)?);
    }
    Ok(figures)
}

/// How many events to a group: fewer where each has many deliveries.
fn events(tabs: usize) -> usize {
    if tabs >= 1000 { 100 } else { 300 }
}
