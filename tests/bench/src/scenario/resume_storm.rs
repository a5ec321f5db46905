//! All tabs lose their connection and reconnect at once with a cursor: each gets what it missed.

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

/// What each tab misses.
const OWN: usize = 30;

/// With this many events of other orgs in between: none, and most of the log, as on a platform with many orgs.
const ALONE: Missed = Missed { own: OWN, others: 0 };
const AMONG_OTHERS: Missed = Missed { own: OWN, others: 99 };

/// Who publishes does not matter to the tabs; concurrently, so that a storm need not wait for it.
const PRODUCERS: usize = 16;

const DEADLINE: Duration = Duration::from_secs(120);

/// The last event before the storm, whose cursor the tabs return with.
const LAST: Plan = Plan { bursts: 1, burst: 1, audience: Audience::Everybody, pause: Duration::ZERO };

/// What the floor sends instead of a replay.
const SENT: Plan = Plan { bursts: 1, burst: OWN, audience: Audience::Everybody, pause: Duration::ZERO };

pub(super) fn run(stage: &Stage, name: &'static str) -> Result<Vec<Figure>> {
    let count = stage.tabs(TABS);
    let node = stage.node()?;
    let mut load = node.load(&stage.mint, &stage.mint.users(count)?, PRODUCERS)?;
    load.connect_all(MODERATE)?;
    load.run(&LAST)?;
    let bytes = load.finish().bytes;
    ensure!(bytes > 0, "nothing was delivered");
    let mut floor = stage.floor(count)?;
    floor.load.set_frame(bytes)?;
    let turn = || {
        let alone = storm(stage, &node, &mut load, &ALONE)?;
        let among = storm(stage, &node, &mut load, &AMONG_OTHERS)?;
        let foreign = (count * OWN * AMONG_OTHERS.others) as f64;
        let mut readings = times(&among, count);
        readings.extend([
            ("cpu_us_per_connection_alone", alone.cpu_us / count as f64),
            ("cpu_us_per_record_of_another_org", (among.cpu_us - alone.cpu_us).max(0.0) / foreign),
        ]);
        readings.extend(counts(&[alone, among]));
        Ok(readings)
    };
    interleave(stage, name, "storm", || bare(&mut floor, count), turn)
}

/// The result of a storm.
struct Outcome {
    back: Duration,
    told: Duration,
    cpu_us: f64,
    replayed: usize,
    missing: usize,
    failures: usize,
    overflows: u64,
    connections: usize,
}

/// This many connections accepted, and this many frames sent to each.
fn bare(floor: &mut Floor, count: usize) -> Result<Readings> {
    let (begun, before) = (Instant::now(), CpuTime::of(floor.pid())?);
    let storm = floor.connect(count, count)?;
    floor.load.run(&SENT)?;
    let told = begun.elapsed();
    let cpu_us = CpuTime::of(floor.pid())?.micros_since(&before);
    floor.load.finish();
    floor.disconnect()?;
    let back = storm.took;
    let outcome =
        Outcome { back, told, cpu_us, replayed: 0, missing: 0, failures: 0, overflows: 0, connections: count };
    let mut readings = times(&outcome, count);
    readings.push(("cpu_us_per_connection_alone", cpu_us / count as f64));
    Ok(readings)
}

fn storm(stage: &Stage, node: &Node, load: &mut Load, missed: &Missed) -> Result<Outcome> {
    load.run(&LAST)?;
    let count = load.miss(missed)?;
    node.wait_for_connections(0)?;
    let (overflows, before) = (listen_overflows()?, CpuTime::of(node.pid())?);
    let begun = Instant::now();
    let storm = load.connect(0..count, count, DEADLINE)?;
    if storm.failures > 0 {
        stage.say(&format!("{} tabs failed: {}", storm.failures, storm.reasons.join("; ")));
    }
    let missing = load.wait_for_missed(DEADLINE)?;
    let told = begun.elapsed();
    Ok(Outcome {
        back: storm.took,
        told,
        cpu_us: CpuTime::of(node.pid())?.micros_since(&before),
        replayed: load.finish().each.len(),
        missing,
        failures: storm.failures,
        overflows: listen_overflows()?.saturating_sub(overflows),
        connections: storm.each.len(),
    })
}

fn times(outcome: &Outcome, count: usize) -> Readings {
    vec![
        ("all_back_ms", outcome.back.as_secs_f64() * 1e3),
        ("all_told_ms", outcome.told.as_secs_f64() * 1e3),
        ("cpu_us_per_connection", outcome.cpu_us / count as f64),
    ]
}

/// The sum of both storms; for connections the smaller number.
fn counts(storms: &[Outcome]) -> Readings {
    let sum = |what: fn(&Outcome) -> usize| storms.iter().map(what).sum::<usize>() as f64;
    vec![
        ("replayed", sum(|storm| storm.replayed)),
        ("missed", sum(|storm| storm.missing)),
        ("failures", sum(|storm| storm.failures)),
        ("listen_overflows", sum(|storm| storm.overflows as usize)),
        ("connections", storms.iter().map(|storm| storm.connections).min().unwrap_or_default() as f64),
    ]
}
