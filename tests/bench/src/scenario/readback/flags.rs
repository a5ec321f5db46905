//! A million flags in a log.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use fanfare_broker::Broker;
use fanfare_broker::embedded::{Embedded, Options};
use fanfare_event::vocabulary::license::FlagToggled;
use fanfare_event::{Attributes, Encoded, Id, Timestamp, TypeName};
use fanfare_fanout::command::open_log;
use fanfare_fanout::config::Loaded;
use fanfare_fanout::pipeline::to_message;
use futures_util::{StreamExt as _, stream};
use time::OffsetDateTime;

use crate::backplane::{Backplane, Kind};
use crate::stage::Stage;

/// The number of retained flags, and of flags per org.
pub(super) const FLAGS: u64 = 1_000_000;
const FLAGS_OF_ORG: u64 = 1_000;

/// The number of concurrent publishes.
const AHEAD: usize = 8_000;

/// How often the progress is printed.
const TELL: Duration = Duration::from_secs(10);

/// Publishes all flags to a broker, through its trait.
pub(super) fn publish(stage: &Stage, backplane: &Backplane, config: &Path) -> Result<()> {
    stage.say("publishing a million flags");
    backplane.runtime.block_on(async {
        let broker = open(backplane, config)?;
        let filled = fill(stage, &broker).await;
        broker.close().await;
        filled
    })
}

fn open(backplane: &Backplane, config: &Path) -> Result<Arc<dyn Broker>> {
    if backplane.kind() == Kind::Embedded {
        // Larger groups per fsync and more memory than a node has by default. The stored data is the same.
        let options = Options {
            queue_records: 2 * AHEAD,
            group_records: AHEAD,
            group_bytes: 32 << 20,
            cache_bytes: 1 << 30,
            ..Options::default()
        };
        return Ok(Arc::new(Embedded::open(&backplane.folder().join("log"), options)?));
    }
    let loaded = Loaded::load(config).map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        anyhow!(lines.join("\n"))
    })?;
    Ok(open_log(&loaded)?)
}

async fn fill(stage: &Stage, broker: &Arc<dyn Broker>) -> Result<()> {
    let now = OffsetDateTime::now_utc().unix_timestamp() * 1000;
    let published = stream::iter(0..FLAGS).map(|number| async move {
        let message = to_message(flag(number, now)?, None);
        broker.publish(message).await.map(drop).map_err(|error| anyhow!(error))
    });
    let mut published = published.buffer_unordered(AHEAD);
    let (begun, mut told, mut stored) = (Instant::now(), Instant::now(), 0u64);
    while let Some(outcome) = published.next().await {
        outcome?;
        stored += 1;
        if told.elapsed() >= TELL {
            told = Instant::now();
            stage.say(&format!("{stored} flags after {} s", begun.elapsed().as_secs()));
        }
    }
    stage.say(&format!("{stored} flags in {:.1} s", begun.elapsed().as_secs_f64()));
    Ok(())
}

fn flag(number: u64, now: i64) -> Result<Encoded> {
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
