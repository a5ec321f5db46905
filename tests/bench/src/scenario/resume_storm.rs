//! All tabs lose their connection and come back at once with a cursor: each is told again what it missed.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::pairs::interleave;
use super::phase::MODERATE;
use crate::floor::Floor;
use crate::load::{Audience, Load, Missed, Plan};
use crate::measure::{CpuTime, listen_overflows};
use crate::node::Node;
use crate::report::{Figure, Readings};
use crate::stage::Stage;

const TABS: usize = 5000;

/// What each tab misses, and how much of the log is of no concern to it.
const MISSED: Missed = Missed { own: 30, others: 9 };

const DEADLINE: Duration = Duration::from_secs(120);

/// The last event before the storm, whose cursor the tabs return with.
const LAST: Plan = Plan { bursts: 1, burst: 1, audience: Audience::Everybody, pause: Duration::ZERO };

/// What the floor sends instead of a replay.
const SENT: Plan = Plan { bursts: 1, burst: MISSED.own, audience: Audience::Everybody, pause: Duration::ZERO };

pub(super) fn run(stage: &Stage, name: &'static str) -> Result<Vec<Figure>> {
    let count = stage.tabs(TABS);
    let node = stage.node()?;
    let mut load = node.load(&stage.mint, &stage.mint.users(count)?, 1)?;
    load.connect_all(MODERATE)?;
    load.run(&LAST)?;
    let bytes = load.finish().bytes;
    ensure!(bytes > 0, "nothing was delivered");
    let mut floor = stage.floor(count)?;
    floor.load.set_frame(bytes)?;
    interleave(stage, name, "storm", || bare(&mut floor, count), || storm(stage, &node, &mut load, count))
}

/// So many connections accepted, and so many frames sent to each.
fn bare(floor: &mut Floor, count: usize) -> Result<Readings> {
    let (begun, before) = (Instant::now(), CpuTime::of(floor.pid())?);
    let storm = floor.connect(count, count)?;
    floor.load.run(&SENT)?;
    let told = begun.elapsed();
    let cpu = CpuTime::of(floor.pid())?.micros_since(&before);
    floor.load.finish();
    floor.disconnect()?;
    Ok(times(storm.took, told, cpu, count))
}

fn storm(stage: &Stage, node: &Node, load: &mut Load, count: usize) -> Result<Readings> {
    load.run(&LAST)?;
    load.miss(&MISSED)?;
    node.wait_for_connections(0)?;
    let (overflows, before) = (listen_overflows()?, CpuTime::of(node.pid())?);
    let begun = Instant::now();
    let storm = load.connect(0..count, count, DEADLINE)?;
    if storm.failures > 0 {
        stage.say(&format!("{} tabs failed: {}", storm.failures, storm.reasons.join("; ")));
    }
    let missing = load.wait_for_missed(DEADLINE)?;
    let told = begun.elapsed();
    let cpu = CpuTime::of(node.pid())?.micros_since(&before);
    let samples = load.finish();
    let mut readings = times(storm.took, told, cpu, count);
    readings.extend([
        ("replayed", samples.each.len() as f64),
        ("missed", missing as f64),
        ("failures", storm.failures as f64),
        ("listen_overflows", listen_overflows()?.saturating_sub(overflows) as f64),
        ("connections", storm.each.len() as f64),
    ]);
    Ok(readings)
}

fn times(back: Duration, told: Duration, cpu_us: f64, count: usize) -> Readings {
    vec![
        ("all_back_ms", back.as_secs_f64() * 1e3),
        ("all_told_ms", told.as_secs_f64() * 1e3),
        ("cpu_us_per_connection", cpu_us / count as f64),
        ("cpu_us_per_notification", cpu_us / (count * MISSED.own) as f64),
    ]
}
