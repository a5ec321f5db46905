//! Tabs over TLS, and as many over plain TCP: the cost of encryption for a node that only delivers.

use std::time::{Duration, Instant};

use anyhow::Result;
use fanfare_test_servers::certificates::Certificates;

use super::pairs::interleave;
use crate::backplane::{Backplane, Kind};
use crate::load::{RequestProducer, SocketTab, Speech};
use crate::measure::{CpuTime, percentile_ms, resident_bytes};
use crate::node::{HUB, Node, ORG, Settings};
use crate::report::{Figure, Readings};
use crate::stage::Stage;

const TABS: usize = 200;
const EVENTS: usize = 200;

/// A new connection is live once it has been quiet for a moment.
const QUIET: Duration = Duration::from_secs(2);

pub(super) fn run(stage: &Stage, name: &'static str) -> Result<Vec<Figure>> {
    let Some(backplane) = Backplane::start(Kind::Nats, stage.folder(), |words| stage.say(words))? else {
        return Ok(Vec::new());
    };
    let certificates = Certificates::write(stage.folder());
    let (ca, (certificate, key)) = (&certificates.ca, &certificates.server);
    let sections =
        format!("[node.tls]\ncert_file = {certificate:?}\nkey_file = {key:?}\n[node.peers]\nca_file = {ca:?}\n");
    let settings = Settings { broker: &backplane.url, ..Settings::default() };
    let publisher = stage.node_with(settings)?;
    let speech = Speech::tls(ca)?;
    let plain = || deliver(stage, &publisher, &stage.node_with(settings)?, &Speech::Plain);
    let within =
        || deliver(stage, &publisher, &stage.node_with(Settings { sections: &sections, ..settings })?, &speech);
    interleave(stage, name, "tabs within TLS", plain, within)
}

/// Tabs of one node, which receive what is published at another.
fn deliver(stage: &Stage, publisher: &Node, node: &Node, speech: &Speech) -> Result<Readings> {
    let tickets = stage.mint.users(TABS)?;
    let (empty, begun) = (resident_bytes(node.pid())?, CpuTime::of(node.pid())?);
    let connected = tickets.iter().map(|ticket| SocketTab::connect(node.address(), HUB, ticket, speech));
    let mut tabs = connected.collect::<Result<Vec<_>>>()?;
    std::thread::sleep(QUIET);
    let opened = CpuTime::of(node.pid())?.micros_since(&begun);
    let held = resident_bytes(node.pid())?.saturating_sub(empty);
    let mut producer = RequestProducer::new(publisher.address(), ORG, &stage.mint.producer()?)?;
    let before = CpuTime::of(node.pid())?;
    let mut times = Vec::new();
    for _ in 0..EVENTS {
        let begun = Instant::now();
        let words = producer.publish()?;
        tabs.iter_mut().try_for_each(|tab| tab.hears(&words))?;
        times.push(u64::try_from(begun.elapsed().as_nanos())?);
    }
    let used = CpuTime::of(node.pid())?.micros_since(&before);
    Ok(vec![
        ("cpu_us_per_delivery", used / (EVENTS * TABS) as f64),
        ("latency_p50_ms", percentile_ms(&times, 50)),
        ("connect_cpu_us", opened / TABS as f64),
        ("memory_kb_per_tab", held as f64 / 1024.0 / TABS as f64),
    ])
}
