//! Thousands of tabs that open at once.

use std::time::Duration;

use anyhow::Result;

use super::pairs::interleave;
use crate::load::{Load, Storm};
use crate::measure::{CpuTime, listen_overflows};
use crate::report::{Figure, Readings};
use crate::stage::Stage;

const TABS: usize = 5000;

/// The number of concurrent connects.
const AT_ONCE: usize = 1000;

const DEADLINE: Duration = Duration::from_secs(60);

pub(super) fn run(stage: &Stage, name: &'static str) -> Result<Vec<Figure>> {
    let count = stage.tabs(TABS);
    let tickets = stage.mint.users(count)?;
    let mut floor = stage.floor(count)?;
    let floor_turn = || {
        let before = CpuTime::of(floor.pid())?;
        let storm = floor.connect(count, AT_ONCE)?;
        let cpu = CpuTime::of(floor.pid())?.micros_since(&before) / count as f64;
        floor.disconnect()?;
        Ok(vec![
            ("cpu_us_per_connection", cpu),
            ("cpu_us_per_connection_new_token", cpu),
            ("connections_per_second", per_second(&storm)),
            ("connections_per_second_new_token", per_second(&storm)),
        ])
    };
    let node_turn = || {
        let node = stage.node()?;
        let mut load = node.load(&stage.mint, &tickets, 1)?;
        let overflows = listen_overflows()?;
        let new = storm(&mut load, node.pid(), count)?;
        load.drop_all();
        node.wait_for_connections(0)?;
        load.settle(Duration::from_millis(300))?;
        let known = storm(&mut load, node.pid(), count)?;
        Ok(readings(stage, &known, &new, listen_overflows()?.saturating_sub(overflows)))
    };
    interleave(stage, name, "storm", floor_turn, node_turn)
}

/// A storm, and the CPU time per tab in microseconds.
fn storm(load: &mut Load, pid: u32, count: usize) -> Result<(Storm, f64)> {
    let before = CpuTime::of(pid)?;
    let storm = load.connect(0..count, AT_ONCE, DEADLINE)?;
    let cpu = CpuTime::of(pid)?.micros_since(&before) / count as f64;
    Ok((storm, cpu))
}

fn readings(
    stage: &Stage,
    (known, known_cpu): &(Storm, f64),
    (new, new_cpu): &(Storm, f64),
    overflows: u64,
) -> Readings {
    let failures = known.failures + new.failures;
    if failures > 0 {
        stage.say(&format!("{failures} tabs failed: {}", [&known.reasons[..], &new.reasons].concat().join("; ")));
    }
    vec![
        ("cpu_us_per_connection", *known_cpu),
        ("cpu_us_per_connection_new_token", *new_cpu),
        ("connections_per_second", per_second(known)),
        ("connections_per_second_new_token", per_second(new)),
        ("failures", failures as f64),
        ("listen_overflows", overflows as f64),
        ("connections", known.each.len() as f64),
    ]
}

fn per_second(storm: &Storm) -> f64 {
    storm.each.len() as f64 / storm.took.as_secs_f64()
}
