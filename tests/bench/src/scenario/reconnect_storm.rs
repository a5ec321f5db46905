//! All tabs lose their connection and reconnect at once, like the official clients: their first attempt waits 0 ms.

use std::time::Duration;

use anyhow::Result;

use super::pairs::interleave;
use super::phase::MODERATE;
use crate::load::Storm;
use crate::measure::{CpuTime, listen_overflows, percentile_ms};
use crate::report::{Figure, Readings};
use crate::stage::Stage;

const TABS: usize = 5000;

const DEADLINE: Duration = Duration::from_secs(60);

pub(super) fn run(stage: &Stage, name: &'static str) -> Result<Vec<Figure>> {
    let count = stage.tabs(TABS);
    let node = stage.node()?;
    let mut load = node.load(&stage.mint, &stage.mint.users(count)?, 1)?;
    load.connect_all(MODERATE)?;
    let mut floor = stage.floor(count)?;
    let floor_turn = || {
        let before = CpuTime::of(floor.pid())?;
        let storm = floor.connect(count, count)?;
        let cpu = CpuTime::of(floor.pid())?.micros_since(&before) / count as f64;
        floor.disconnect()?;
        Ok(times(&storm, cpu))
    };
    let node_turn = || {
        let overflows = listen_overflows()?;
        let before = CpuTime::of(node.pid())?;
        load.drop_all();
        let storm = load.connect(0..count, count, DEADLINE)?;
        let cpu = CpuTime::of(node.pid())?.micros_since(&before) / count as f64;
        // Exactly the dropped connections must be gone.
        node.wait_for_connections(count - storm.failures)?;
        if storm.failures > 0 {
            stage.say(&format!("{} tabs failed: {}", storm.failures, storm.reasons.join("; ")));
            load.connect_all(MODERATE)?;
        }
        let mut readings = times(&storm, cpu);
        readings.push(("failures", storm.failures as f64));
        readings.push(("listen_overflows", listen_overflows()?.saturating_sub(overflows) as f64));
        readings.push(("connections", storm.each.len() as f64));
        Ok(readings)
    };
    interleave(stage, name, "storm", floor_turn, node_turn)
}

fn times(storm: &Storm, cpu: f64) -> Readings {
    vec![
        ("all_back_ms", storm.took.as_secs_f64() * 1e3),
        ("back_p50_ms", percentile_ms(&storm.each, 50)),
        ("back_p99_ms", percentile_ms(&storm.each, 99)),
        ("cpu_us_per_connection", cpu),
    ]
}
