//! An example with many tabs: the cost to open and to keep them, and the latency of an update to all of them.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::pairs::interleave;
use super::phase::{MODERATE, Names, measure};
use crate::load::{Audience, Load, Plan, Storm};
use crate::measure::{open_files_limit, percentile_ms, resident_bytes};
use crate::node::{Platform, Settings};
use crate::report::{Figure, Readings};
use crate::stage::Stage;

const NAMES: Names = Names { p50: "latency_p50_ms", p99: "latency_p99_ms", cpu: "cpu_us_per_delivery" };

/// An update of the dashboards every 300 ms, more often than any of them needs.
const UPDATES: Plan = Plan { bursts: 50, burst: 1, audience: Audience::Everybody, pause: Duration::from_millis(300) };

/// The warm-up, which also determines the size of a frame.
const WARM_UP: Plan = Plan { bursts: 3, ..UPDATES };

const DEADLINE: Duration = Duration::from_secs(120);

/// How long a node may take to free what connecting used.
const SETTLE: Duration = Duration::from_secs(2);

/// A process's files besides its tabs.
const OTHER_FILES: usize = 1_000;

pub(super) fn run(stage: &Stage, name: &'static str, wanted: usize) -> Result<Vec<Figure>> {
    // Node and floor are never open at the same time, so each tab takes one file on both sides.
    let count = wanted.min(open_files_limit().saturating_sub(OTHER_FILES));
    if count < wanted {
        stage.say(&format!("{count} tabs instead of {wanted}: a process may open too few files (ulimit -n)"));
    }
    let settings = Settings { platform: Platform::Analytics, ..Settings::default() };
    let tickets = stage.mint.users_of(Platform::Analytics, count)?;
    let frame = {
        let node = stage.node_with(settings)?;
        let mut load = node.load(&stage.mint, &tickets[..1], 1)?;
        load.connect_all(1)?;
        load.run(&WARM_UP)?;
        load.finish().bytes
    };
    let mut floor = stage.floor(count)?;
    let floor_turn = || {
        let storm = floor.connect(count, MODERATE)?;
        floor.load.set_frame(frame)?;
        let pid = floor.pid();
        let readings = told(&mut floor.load, pid, &storm)?;
        floor.disconnect()?;
        Ok(readings)
    };
    let node_turn = || {
        let node = stage.node_with(settings)?;
        let mut load = node.load(&stage.mint, &tickets, 1)?;
        let before = resident_bytes(node.pid())?;
        let storm = load.connect(0..count, MODERATE, DEADLINE)?;
        ensure!(storm.failures == 0, "{} tabs failed: {}", storm.failures, storm.reasons.join("; "));
        load.settle(SETTLE)?;
        let each = |now: u64| now.saturating_sub(before) as f64 / count as f64;
        let idle = each(resident_bytes(node.pid())?);
        let mut readings = told(&mut load, node.pid(), &storm)?;
        readings.extend([
            ("rss_bytes_per_connection", idle),
            ("rss_bytes_per_connection_after_traffic", each(resident_bytes(node.pid())?)),
            ("connections", count as f64),
        ]);
        load.drop_all();
        node.wait_for_connections(0)?;
        Ok(readings)
    };
    interleave(stage, name, "updates to all", floor_turn, node_turn)
}

/// How long tabs took to open, and how soon updates reach them.
fn told(load: &mut Load, pid: u32, storm: &Storm) -> Result<Readings> {
    load.run(&WARM_UP)?;
    load.finish();
    // A few tabs show the tail in less than a minute.
    let bursts = if storm.each.len() < 1_000 { 10 } else { UPDATES.bursts };
    let phase = measure(load, pid, &Plan { bursts, ..UPDATES })?;
    let opened = vec![
        ("open_p50_ms", percentile_ms(&storm.each, 50)),
        ("open_p99_ms", percentile_ms(&storm.each, 99)),
        ("connections_per_second", storm.each.len() as f64 / storm.took.as_secs_f64()),
    ];
    Ok([phase.readings(&NAMES), phase.last_client(), opened].concat())
}
