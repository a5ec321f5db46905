//! What it takes a node to read back a million retained values, before it is ready.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use fanfare_broker::Broker;
use fanfare_broker::embedded::{Embedded, Options};
use fanfare_event::vocabulary::license::FlagToggled;
use fanfare_event::{Attributes, Id, Timestamp, TypeName};
use fanfare_fanout::pipeline::to_message;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use time::OffsetDateTime;

use super::pairs::alone;
use crate::measure::resident_bytes;
use crate::node::Node;
use crate::report::{Figure, Readings};
use crate::stage::Stage;

/// How many flags are retained, and how many of them each org has.
const FLAGS: u64 = 1_000_000;
const FLAGS_OF_ORG: u64 = 1_000;

/// How many are published at the same time.
const AHEAD: usize = 2_000;

const ROUTE: &str = r#"
[[route]]
name = "flag"
event = "license.FlagToggled"
groups = ["org:{org}"]
featureFlag = { flag = "{flag}", enabled = "{enabled}" }
retain = true
"#;

pub(super) fn embedded(stage: &Stage, name: &'static str) -> Result<Vec<Figure>> {
    let folder = tempfile::tempdir_in(stage.folder())?;
    stage.say("publishing a million flags");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let log = folder.path().join("log");
    let filled: Result<()> = runtime.block_on(async {
        let broker: Arc<dyn Broker> = Arc::new(Embedded::open(&log, Options::default())?);
        let filled = fill(&broker).await;
        broker.close().await;
        filled
    });
    filled?;
    alone(stage, name, || start(stage, folder.path()))
}

/// Starts a node on what is there, and measures until it is ready.
fn start(stage: &Stage, folder: &Path) -> Result<Readings> {
    let begun = Instant::now();
    let node = Node::start_in(&stage.program("fanfare")?, folder, &stage.mint, &stage.cpus, ROUTE)?;
    let took = begun.elapsed().as_secs_f64();
    let told = node.metric("fanfare_projection_bytes")?;
    anyhow::ensure!(node.metric("fanfare_retained_values")? == FLAGS as f64, "the node does not know all flags");
    Ok(vec![
        ("ready_ms", took * 1000.0),
        ("records_per_second", node.metric("fanfare_read_back_records")? / took),
        ("rss_bytes", resident_bytes(node.pid())? as f64),
        ("projection_bytes", told),
        ("records", FLAGS as f64),
    ])
}

async fn fill(broker: &Arc<dyn Broker>) -> Result<()> {
    let now = OffsetDateTime::now_utc().unix_timestamp() * 1000;
    let published = stream::iter(0..FLAGS).map(|number| async move {
        let message = to_message(flag(number, now)?, None);
        broker.publish(message).await.map_err(|error| anyhow!(error)).map(drop)
    });
    published.buffer_unordered(AHEAD).try_collect().await
}

fn flag(number: u64, now: i64) -> Result<fanfare_event::Encoded> {
    let org = Id::parse(&format!("org-{}", number / FLAGS_OF_ORG))?;
    let attributes = Attributes {
        id: format!("flag-{number}"),
        source: "/bench".to_owned(),
        event_type: TypeName::parse("license.FlagToggled")?,
        time: Timestamp(now),
        subject: None,
        org: Some(org.clone()),
        data_version: None,
        traceparent: None,
    };
    let flag = FlagToggled {
        org,
        flag: format!("flag-{}", number % FLAGS_OF_ORG),
        enabled: number.is_multiple_of(2),
        changed_by: String::new(),
        revision: Some(1),
    };
    fanfare_event::encode(attributes, &flag).context("encodes")
}
