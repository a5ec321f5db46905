//! Computes the tables of `docs/scale.md` from the figures of the last benchmarks: `fanfare-scale [FOLDER]`.
//!
//! FOLDER is where `make bench` wrote its lines of JSON, `target/bench` by default. Measured figures are read from
//! there; assumptions are named below.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The goal: open tabs, and events of the whole platform per second.
const TABS: f64 = 1e6;
const EVENTS: f64 = 1e5;
/// Tabs that receive one event: those of its user, or the open ones of an org.
const TABS_PER_EVENT: f64 = 10.0;
/// The size of one record as a broker sends it, with its headers.
const RECORD_BYTES: f64 = 600.0;
/// Processors of one node for tabs; one more reads the log.
const SHARDS: f64 = 7.0;
/// The planned utilisation of a processor.
const USED: f64 = 0.6;
/// How long all tabs of one lost node may take to reconnect to the others, in seconds.
const BACK_SECONDS: f64 = 30.0;
/// The bandwidth of one broker server in bytes per second: 10 Gbit/s, half of it used.
const BROKER_EGRESS: f64 = 10e9 / 8.0 / 2.0;
/// How many seconds all tabs of a lost node were away.
const AWAY_SECONDS: f64 = 10.0;
/// The largest number of records after a cursor, as the window ends there.
const WINDOW_EVENTS: f64 = 1e5;

/// The cost of one of each.
struct Costs {
    tab_bytes: f64,
    delivery_us: f64,
    event_us: f64,
    connect_us: f64,
    /// A returning tab and its missed notifications, if nothing else follows its cursor.
    resume_us: f64,
    /// Each record of another org after a cursor.
    passed_over_us: f64,
}

impl Costs {
    fn read(folder: &Path) -> Result<Self> {
        let figure = |scenario: &str, name: &str| figure(folder, scenario, name);
        Ok(Self {
            tab_bytes: figure("idle_memory", "rss_bytes_per_connection_after_traffic")?,
            delivery_us: figure("broadcast_1k", "cpu_us_per_delivery")?,
            event_us: figure("read_all_nats", "cpu_us_per_event")?,
            connect_us: figure("connect_storm_5k", "cpu_us_per_connection_new_token")?,
            resume_us: figure("resume_storm", "cpu_us_per_connection_alone")?,
            passed_over_us: figure("resume_storm", "cpu_us_per_record_of_another_org")?,
        })
    }
}

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("target/bench"), PathBuf::from);
    let costs = Costs::read(&folder)?;
    std::io::stdout().write_all(report(&costs).as_bytes()).context("nobody reads the result")
}

/// The value of a figure in the lines of a scenario.
fn figure(folder: &Path, scenario: &str, name: &str) -> Result<f64> {
    let path = folder.join(format!("{scenario}.jsonl"));
    let shown = path.display();
    let text =
        fs::read_to_string(&path).with_context(|| format!("{shown} is missing: make bench SCENARIO={scenario}"))?;
    let lines = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut values = lines.filter(|line| line["figure"] == name).filter_map(|line| line["value"].as_f64());
    values.next().with_context(|| format!("{shown}: no figure {name}"))
}

fn report(costs: &Costs) -> String {
    let mut out = String::from("| unit cost | measured |\n|---|---|\n");
    for (what, value) in [
        ("memory of an open tab", format!("{:.1} KB", costs.tab_bytes / 1000.0)),
        ("one delivery", format!("{:.2} us", costs.delivery_us)),
        ("one event read from NATS as it comes, understood, and of interest to nobody", us(costs.event_us)),
        ("one connect with a new token", us(costs.connect_us)),
        ("one return with a cursor, and 30 notifications", us(costs.resume_us)),
        ("one record of another org behind a cursor", format!("{:.3} us", costs.passed_over_us)),
    ] {
        out.push_str(&format!("| {what} | {value} |\n"));
    }
    out.push_str("\n| nodes | tabs each | memory | reads: of one processor | deliveries: of 7 processors ");
    out.push_str("| a lost node's tabs are back in | and told what they missed in | broker sends |\n");
    out.push_str("|---|---|---|---|---|---|---|---|\n");
    for (nodes, parts) in [(5.0, 1.0), (10.0, 1.0), (20.0, 1.0), (40.0, 1.0), (20.0, 4.0), (40.0, 8.0)] {
        out.push_str(&row(costs, nodes, parts));
    }
    out
}

fn us(value: f64) -> String {
    format!("{value:.0} us")
}

/// A row for this many nodes, of which each reads one of this many parts of the stream.
fn row(costs: &Costs, nodes: f64, parts: f64) -> String {
    let tabs = TABS / nodes;
    let read = EVENTS / parts * costs.event_us / 1e6;
    let delivered = EVENTS * TABS_PER_EVENT / nodes * costs.delivery_us / 1e6 / SHARDS;
    // Its tabs reconnect to the other nodes that read the same part.
    let each = tabs / (nodes / parts - 1.0);
    let seconds = |us: f64| each * us / 1e6 / (SHARDS * USED);
    let back = seconds(costs.connect_us);
    let behind = (EVENTS / parts * AWAY_SECONDS).min(WINDOW_EVENTS);
    let told = seconds(costs.resume_us + behind * costs.passed_over_us);
    let egress = nodes * EVENTS / parts * RECORD_BYTES;
    let mark = |over: bool| if over { " (too much)" } else { "" };
    let groups = if parts > 1.0 { format!(" in {parts:.0} groups") } else { String::new() };
    format!(
        "| {nodes:.0}{groups} | {tabs:.0} | {:.2} GB | {:.0}%{} | {:.0}%{} | {back:.1} s{} | {}{} | {:.1} Gbit/s{} |\n",
        tabs * costs.tab_bytes / 1e9,
        read * 100.0,
        mark(read > USED),
        delivered * 100.0,
        mark(delivered > USED),
        mark(back > BACK_SECONDS),
        duration(told),
        mark(told > BACK_SECONDS),
        egress * 8.0 / 1e9,
        mark(egress > BROKER_EGRESS),
    )
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s >= 7200.0 => format!("{:.0} h", s / 3600.0),
        s if s >= 120.0 => format!("{:.0} min", s / 60.0),
        s => format!("{s:.1} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_follows_from_the_unit_costs() {
        let costs = Costs {
            tab_bytes: 5000.0,
            delivery_us: 7.0,
            event_us: 4.0,
            connect_us: 200.0,
            resume_us: 400.0,
            passed_over_us: 0.1,
        };
        let row = row(&costs, 20.0, 1.0);
        assert!(row.starts_with("| 20 | 50000 | 0.25 GB | 40% | 5% | 0.1 s | 6.5 s |"), "{row}");
        assert!(row.contains("| 9.6 Gbit/s (too much) |"), "{row}");
    }

    #[test]
    fn a_missing_figure_names_the_command_to_run() {
        let error = figure(Path::new("nowhere"), "decode_route", "ns_per_event").expect_err("missing");
        assert!(error.to_string().contains("make bench SCENARIO=decode_route"), "{error}");
    }
}
