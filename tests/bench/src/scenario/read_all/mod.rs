//! Following the whole stream without interest in any of it: the cost of every event on every node.

mod feed;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use self::feed::{EVENTS, Feed, PER_SECOND};
use super::pairs::{alone, interleave};
use crate::backplane::{Backplane, Kind};
use crate::bare::Follower;
use crate::measure::CpuTime;
use crate::node::{Node, Settings, write_settings};
use crate::report::{Figure, Readings};
use crate::stage::Stage;

/// How long a node may take to read the rest after all is published.
const PATIENCE: Duration = Duration::from_secs(30);

/// Producers for the embedded log, each with one event in flight: enough for the rate, as one sync serves many.
const PRODUCERS: usize = 96;

/// The number of events that a node has read.
const READ: &str = "fanfare_events_read_total{type=\"system.Alert\"}";

/// With a server between producer and node. The floor follows the same stream and drops its records.
pub(super) fn remote(stage: &Stage, name: &'static str, kind: Kind) -> Result<Vec<Figure>> {
    let Some(backplane) = Backplane::start(kind, stage.folder(), |words| stage.say(words))? else {
        return Ok(Vec::new());
    };
    let settings = Settings { broker: &backplane.url, ..Settings::default() };
    let config = write_settings(backplane.folder(), stage.mint.key_file(), &settings)?;
    let feed = Feed::open(&backplane, &config)?;
    let floor = || {
        let follower = Follower::start(stage, &config, EVENTS)?;
        feed.publish()?;
        Ok(vec![("cpu_us_per_event", follower.finish()?.cpu_us / EVENTS as f64)])
    };
    let node = || {
        let node = Node::start_in(&stage.program("fanfare")?, backplane.folder(), &stage.mint, &stage.cpus, settings)?;
        watch(&node, || feed.publish())
    };
    interleave(stage, name, "stream", floor, node)
}

/// On the embedded log, which the node also writes: accepting and storing the events is in its figure.
pub(super) fn embedded(stage: &Stage, name: &'static str) -> Result<Vec<Figure>> {
    alone(stage, name, || {
        let node = stage.node()?;
        let mut load = node.load(&stage.mint, &[], PRODUCERS)?;
        watch(&node, || load.publish_elsewhere(EVENTS as usize, PER_SECOND))
    })
}

/// Publishes, and measures a node until it has read everything.
fn watch(node: &Node, publish: impl FnOnce() -> Result<Duration>) -> Result<Readings> {
    // A type that was not read yet has no count.
    let known = node.metric(READ).unwrap_or(0.0);
    let before = CpuTime::of(node.pid())?;
    let took = publish()?;
    let begun = Instant::now();
    // Each check costs the node something.
    while node.metric(READ)? < known + EVENTS as f64 {
        ensure!(begun.elapsed() < PATIENCE, "the node has not read all events after {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
    let cpu = CpuTime::of(node.pid())?.micros_since(&before);
    Ok(vec![
        ("cpu_us_per_event", cpu / EVENTS as f64),
        ("events_per_second", EVENTS as f64 / took.as_secs_f64()),
        ("behind_ms", begun.elapsed().as_secs_f64() * 1e3),
    ])
}
