//! Decodes and routes one event many times: `fanfare-decode-route CONFIG COUNT`.
//!
//! It prints nanoseconds per event. A separate program, so that its instructions can be counted from outside.

use std::hint::black_box;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use fanfare_broker::Record;
use fanfare_event::vocabulary::system::{Alert, Severity};
use fanfare_event::{Attributes, Id, Timestamp, TypeName};
use fanfare_fanout::config::Loaded;
use fanfare_fanout::pipeline::{Written, decode, to_message};

/// Any time will do: 2026-01-02T03:04:05Z.
const TIME: i64 = 1_767_323_045_000;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(config), Some(count)) = (arguments.next(), arguments.next()) else {
        bail!("usage: fanfare-decode-route CONFIG COUNT");
    };
    let count: u32 = count.to_str().and_then(|text| text.parse().ok()).context("COUNT is not a number")?;
    let loaded = Loaded::load(&PathBuf::from(config)).map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        anyhow::anyhow!(lines.join("\n"))
    })?;
    let record = record(&loaded)?;
    let begun = Instant::now();
    for _ in 0..count {
        let event = decode(loaded.registry(), black_box(&record), &Written::Own)?.context("a tombstone")?;
        let matches = loaded.routes.resolve(&event)?;
        ensure!(black_box(&matches).len() == 1, "{} routes take the event", matches.len());
    }
    let nanos = begun.elapsed().as_nanos() as f64 / f64::from(count.max(1));
    writeln!(std::io::stdout(), "{nanos:.1}").context("nobody reads the result")
}

/// An alert to a whole org, as stored in the log.
fn record(loaded: &Loaded) -> anyhow::Result<Record> {
    let org = Id::parse("acme")?;
    let attributes = Attributes {
        id: "01JGZX0000".to_owned(),
        source: "/bench".to_owned(),
        event_type: TypeName::parse("system.Alert")?,
        time: Timestamp(TIME),
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
    let encoded = loaded.registry().encode(attributes, &alert)?;
    Ok(Record { partition: 0, offset: 1, time: TIME, message: to_message(encoded, None) })
}
