//! The cost for a node to read back a million retained values, before it is ready.

mod flags;

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};

use self::flags::FLAGS;
use super::pairs::interleave;
use crate::backplane::{Backplane, Kind};
use crate::bare;
use crate::measure::{CpuTime, resident_bytes};
use crate::node::{Node, Settings, write_settings};
use crate::report::{Figure, Readings};
use crate::stage::Stage;

const ROUTE: &str = r#"
[[route]]
name = "flag"
event = "license.FlagToggled"
groups = ["org:{org}"]
featureFlag = { flag = "{flag}", enabled = "{enabled}" }
retain = true
"#;

pub(super) fn run(stage: &Stage, name: &'static str, kind: Kind) -> Result<Vec<Figure>> {
    let Some(backplane) = Backplane::start(kind, stage.folder(), |words| stage.say(words))? else {
        return Ok(Vec::new());
    };
    let settings = Settings { broker: &backplane.url, routes: ROUTE, ..Settings::default() };
    let config = write_settings(backplane.folder(), stage.mint.key_file(), &settings)?;
    flags::publish(stage, &backplane, &config)?;
    interleave(stage, name, "start", || read(stage, &config), || start(stage, backplane.folder(), settings))
}

/// Starts a node on the existing log, and measures until it is ready.
fn start(stage: &Stage, folder: &Path, settings: Settings<'_>) -> Result<Readings> {
    let begun = Instant::now();
    let node = Node::start_in(&stage.program("fanfare")?, folder, &stage.mint, &stage.cpus, settings)?;
    let took = begun.elapsed().as_secs_f64();
    let cpu = CpuTime::since_start(node.pid())?.as_secs_f64();
    let records = node.metric("fanfare_read_back_records")?;
    ensure!(node.metric("fanfare_retained_values")? == FLAGS as f64, "the node does not know all flags");
    Ok(vec![
        ("ready_ms", took * 1e3),
        ("cpu_ms", cpu * 1e3),
        ("records_per_second", records / took),
        ("rss_bytes", resident_bytes(node.pid())? as f64),
        ("projection_bytes", node.metric("fanfare_projection_bytes")?),
        ("retained_values", FLAGS as f64),
        ("records_read", records),
    ])
}

/// The same records read and dropped, by a separate program on the node's processors.
fn read(stage: &Stage, config: &Path) -> Result<Readings> {
    let read = bare::start(stage, config)?;
    Ok(vec![("ready_ms", read.took_ms), ("cpu_ms", read.cpu_us / 1e3), ("records_read", read.records)])
}
