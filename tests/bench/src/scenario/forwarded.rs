//! Event streams and polls that reach another node than their connection's.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::pairs::interleave;
use crate::backplane::{Backplane, Kind};
use crate::load::{RequestProducer, RequestTab, Requests};
use crate::measure::{CpuTime, percentile_ms};
use crate::node::{HUB, Node, ORG, Settings};
use crate::report::{Figure, Readings};
use crate::stage::Stage;

const TABS: usize = 50;
const EVENTS: usize = 60;

/// The pause between two events: polls are sent again meanwhile.
const PAUSE: Duration = Duration::from_millis(15);

/// A new connection is live once it has been quiet for a moment.
const QUIET: Duration = Duration::from_secs(2);

pub(super) fn run(stage: &Stage, name: &'static str) -> Result<Vec<Figure>> {
    let Some(backplane) = Backplane::start(Kind::Nats, stage.folder(), |words| stage.say(words))? else {
        return Ok(Vec::new());
    };
    let settings = Settings { broker: &backplane.url, ..Settings::default() };
    let nodes = [stage.node_with(settings)?, stage.node_with(settings)?];
    let mut figures = Vec::new();
    for (kind, names) in [
        (Requests::EventStream, ["stream_latency_p50_ms", "stream_cpu_us_per_delivery"]),
        (Requests::Polls, ["poll_latency_p50_ms", "poll_cpu_us_per_delivery"]),
    ] {
        let here = || deliver(stage, &nodes, 0, kind, names);
        let elsewhere = || deliver(stage, &nodes, 1, kind, names);
        figures.extend(interleave(stage, name, names[1], here, elsewhere)?);
    }
    Ok(figures)
}

/// Tabs of the first node, whose requests go to this one of them.
fn deliver(
    stage: &Stage,
    nodes: &[Node; 2],
    asked: usize,
    kind: Requests,
    names: [&'static str; 2],
) -> Result<Readings> {
    let (home, asked) = (nodes[0].address(), nodes[asked].address());
    let tickets = stage.mint.users(TABS)?;
    let mut tabs =
        tickets.iter().map(|ticket| RequestTab::connect(home, asked, HUB, ticket, kind)).collect::<Result<Vec<_>>>()?;
    let mut producer = RequestProducer::new(home, ORG, &stage.mint.producer()?)?;
    std::thread::sleep(QUIET);
    let cpu = || nodes.iter().map(|node| CpuTime::of(node.pid())).collect::<Result<Vec<_>>>();
    let before = cpu()?;
    let mut times = Vec::new();
    for _ in 0..EVENTS {
        if kind == Requests::Polls {
            tabs.iter_mut().try_for_each(RequestTab::ask)?;
        }
        std::thread::sleep(PAUSE);
        let begun = Instant::now();
        let words = producer.publish()?;
        tabs.iter_mut().try_for_each(|tab| tab.hears(&words))?;
        times.push(u64::try_from(begun.elapsed().as_nanos())?);
    }
    let used: f64 = cpu()?.iter().zip(&before).map(|(now, before)| now.micros_since(before)).sum();
    Ok(vec![(names[0], percentile_ms(&times, 50)), (names[1], used / (EVENTS * TABS) as f64)])
}
