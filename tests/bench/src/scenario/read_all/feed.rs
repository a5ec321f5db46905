//! Events of many orgs, published to a broker at a steady rate.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use fanfare_broker::Broker;
use fanfare_event::vocabulary::system::{Alert, Severity};
use fanfare_event::{Attributes, Encoded, Id, Timestamp, TypeName};
use fanfare_fanout::command::open_log;
use fanfare_fanout::config::Loaded;
use fanfare_fanout::pipeline::to_message;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep_until};

use crate::backplane::Backplane;

/// Events per turn, and their rate per second.
pub(super) const EVENTS: u64 = 50_000;
pub(super) const PER_SECOND: f64 = 10_000.0;

/// Their orgs, in turn.
const ORGS: u64 = 5_000;

/// The largest number of unanswered events.
const AHEAD: usize = 4_000;

/// A separate producer, directly to the broker.
pub(super) struct Feed<'b> {
    backplane: &'b Backplane,
    broker: Arc<dyn Broker>,
    /// How many it has published; ids are never reused.
    published: Cell<u64>,
}

impl<'b> Feed<'b> {
    pub(super) fn open(backplane: &'b Backplane, config: &Path) -> Result<Self> {
        let loaded = Loaded::load(config).map_err(|faults| {
            let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
            anyhow!(lines.join("\n"))
        })?;
        let _inside = backplane.runtime.enter();
        let broker = open_log(&loaded)?;
        // The first call creates the streams; a reader must find them.
        backplane.runtime.block_on(broker.head())?;
        Ok(Self { backplane, broker, published: Cell::new(0) })
    }

    /// Publishes the events of one turn; returns how long it took.
    pub(super) fn publish(&self) -> Result<Duration> {
        let first = self.published.replace(self.published.get() + EVENTS);
        let now = OffsetDateTime::now_utc().unix_timestamp() * 1000;
        self.backplane.runtime.block_on(async {
            let begun = Instant::now();
            let paced = stream::iter(0..EVENTS).then(|number| async move {
                sleep_until(begun + Duration::from_secs_f64(number as f64 / PER_SECOND)).await;
                first + number
            });
            let published = paced.map(|number| async move {
                let message = to_message(event(number, now)?, None);
                self.broker.publish(message).await.map(drop).map_err(|error| anyhow!(error))
            });
            published.buffer_unordered(AHEAD).try_for_each(|()| async { Ok(()) }).await?;
            Ok(begun.elapsed())
        })
    }
}

/// An alert to a whole org.
fn event(number: u64, now: i64) -> Result<Encoded> {
    let org = Id::parse(&format!("org-{}", number % ORGS))?;
    let attributes = Attributes {
        id: format!("event-{number}"),
        source: "/bench".to_owned(),
        event_type: TypeName::parse("system.Alert")?,
        time: Timestamp(now),
        subject: None,
        org: Some(org.clone()),
        data_version: None,
        traceparent: None,
    };
    let alert = Alert {
        org: Some(org),
        user: None,
        severity: Severity::Info,
        title: "Benchmark".to_owned(),
        message: "An alert of the usual length, to everybody in the organisation.".to_owned(),
        raised_by: "bench".to_owned(),
        link: None,
    };
    fanfare_event::encode(attributes, &alert).context("encodes")
}
