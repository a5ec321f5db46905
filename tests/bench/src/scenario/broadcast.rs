//! Events to everybody, as fast as the node can deliver them.

use std::time::Duration;

use anyhow::Result;

use super::pairs::interleave;
use super::phase::{Names, Rig, measure};
use crate::load::{Audience, Plan};
use crate::report::Figure;
use crate::stage::Stage;

const TABS: usize = 1000;

/// The number of events per turn.
const EVENTS: usize = 160;

const NAMES: Names = Names { p50: "latency_p50_ms", p99: "latency_p99_ms", cpu: "cpu_us_per_delivery" };

pub(super) fn run(stage: &Stage, name: &'static str, burst: usize) -> Result<Vec<Figure>> {
    let plan = Plan { bursts: EVENTS / burst, burst, audience: Audience::Everybody, pause: Duration::ZERO };
    let Rig { node, mut load, mut floor } = Rig::raise(stage, TABS, &Plan { bursts: 5, ..plan })?;
    let floor_pid = floor.pid();
    let floor_turn = || {
        let phase = measure(&mut floor.load, floor_pid, &plan)?;
        Ok([phase.readings(&NAMES), phase.last_client()].concat())
    };
    let node_turn = || {
        let phase = measure(&mut load, node.pid(), &plan)?;
        Ok([phase.readings(&NAMES), phase.last_client()].concat())
    };
    let mut figures = interleave(stage, name, "broadcast", floor_turn, node_turn)?;
    // The scenario's main figure comes first.
    figures.sort_by_key(|figure| figure.figure != NAMES.cpu);
    Ok(figures)
}
