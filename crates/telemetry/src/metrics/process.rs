//! Metrics of every process: its build, and its use of the machine.
//!
//! The names are those of Prometheus' own clients, so that dashboards for any process show this one too.

use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::labels::BuildLabels;
use super::names;
use super::shape::{Gauges, registered};

/// The kernel's clock ticks per second for programs: `USER_HZ`, 100 on all supported machines.
const TICKS: f64 = 100.0;

/// The build of the program.
struct Build {
    info: Gauges<BuildLabels>,
}

impl Build {
    fn new(r: &mut Registry) -> Self {
        Self { info: registered(r, names::BUILD_INFO, "1, with version, commit and features of the program") }
    }
}

/// A registry with the metrics of every process. It names the features in the program.
#[must_use]
pub fn registry(features: &[(&str, bool)]) -> Registry {
    let mut registry = Registry::default();
    let features: Vec<&str> = features.iter().filter(|(_, is_in)| *is_in).map(|(name, _)| *name).collect();
    let labels = BuildLabels {
        version: env!("CARGO_PKG_VERSION"),
        // Set by the release script.
        commit: option_env!("FANFARE_COMMIT").filter(|commit| !commit.is_empty()).unwrap_or("unknown"),
        features: features.join(","),
    };
    Build::new(&mut registry).info.get_or_create(&labels).set(1);
    registry.register_collector(Box::new(OfThisProcess));
    registry
}

/// Reads this process's values on each scrape.
#[derive(Debug)]
struct OfThisProcess;

impl Collector for OfThisProcess {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        // Unreadable values are left out: a zero would be wrong.
        for Reading { name, help, is_counter, value } in readings() {
            let Some(value) = value else { continue };
            if is_counter {
                let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
                ConstCounter::new(value).encode(metric)?;
            } else {
                let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
                ConstGauge::new(value).encode(metric)?;
            }
        }
        Ok(())
    }
}

struct Reading {
    name: &'static str,
    help: &'static str,
    is_counter: bool,
    value: Option<f64>,
}

fn readings() -> [Reading; 7] {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let (stat, status) = (read("/proc/self/stat"), read("/proc/self/status"));
    let gauge = |name, help, value| Reading { name, help, is_counter: false, value };
    [
        Reading {
            name: "process_cpu_seconds",
            help: "Processor time that the process has used",
            is_counter: true,
            value: cpu_seconds(&stat),
        },
        gauge("process_resident_memory_bytes", "Resident memory of the process", kilobytes(&status, "VmRSS:")),
        gauge("process_virtual_memory_bytes", "Virtual memory of the process", kilobytes(&status, "VmSize:")),
        gauge("process_threads", "Threads of the process", value(&status, "Threads:")),
        gauge("process_open_fds", "Open files and sockets", open_files()),
        gauge("process_max_fds", "The limit of open files and sockets", most_files(&read("/proc/self/limits"))),
        gauge("process_start_time_seconds", "When the process started", began(&stat, &read("/proc/stat"))),
    ]
}

/// A field of `/proc/self/stat`, by its number in the manual. The second one is the program's name in parentheses,
/// which may contain anything.
fn field(stat: &str, number: usize) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

fn cpu_seconds(stat: &str) -> Option<f64> {
    Some((field(stat, 14)? + field(stat, 15)?) / TICKS)
}

/// When it started, after the machine's start.
fn began(stat: &str, machine: &str) -> Option<f64> {
    Some(value(machine, "btime")? + field(stat, 22)? / TICKS)
}

/// The number after a name.
fn value(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn kilobytes(status: &str, name: &str) -> Option<f64> {
    Some(value(status, name)? * 1024.0)
}

fn open_files() -> Option<f64> {
    // One of them is the folder being listed.
    let open = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    u32::try_from(open).ok().map(f64::from)
}

/// The soft limit, which is the one in force.
fn most_files(limits: &str) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(f64::INFINITY),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "4242 (a (b) c) S 1 4242 4242 0 -1 4194560 3000 0 10 0 250 50 0 0 20 0 9 0 123400 1 2 3";

    #[test]
    fn a_name_with_parentheses_moves_no_field() {
        assert_eq!(cpu_seconds(STAT), Some(3.0));
        assert_eq!(began(STAT, "cpu 1 2\nbtime 1700000000\nprocesses 9\n"), Some(1_700_001_234.0));
    }

    #[test]
    fn what_is_not_there_is_not_shown() {
        assert_eq!((cpu_seconds(""), began(STAT, "")), (None, None));
        assert_eq!(most_files("Max processes 1 1 processes\n"), None);
    }

    #[test]
    fn the_limit_of_files_is_the_soft_one() {
        let limits = "Limit   Soft Limit  Hard Limit  Units\nMax open files            1024   524288   files     \n";
        assert_eq!(most_files(limits), Some(1024.0));
        assert_eq!(most_files("Max open files   unlimited   unlimited  files"), Some(f64::INFINITY));
    }

    #[test]
    fn this_process_can_be_read() {
        for Reading { name, value, .. } in readings() {
            assert!(value.is_some_and(|value| value > 0.0) || name == "process_cpu_seconds", "{name}: {value:?}");
        }
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time").as_secs_f64();
        let began = readings()[6].value.expect("a time");
        assert!((since - 3600.0..=since + 2.0).contains(&began), "{began} at {since}");
    }
}
