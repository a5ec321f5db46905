//! Reads records of a log as a node does, and drops them: the floor for the cost of reading.
//!
//! | arguments | reads |
//! |---|---|
//! | `start CONFIG` | what a node reads at its start: the compacted state, then the replay window |
//! | `follow CONFIG COUNT` | so many records that come from now on; a line `ready` says from when on |
//!
//! At the end it prints the number of records, and milliseconds and CPU time in microseconds since the start or since
//! `ready`.

use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, io};

use anyhow::{Context, Result, anyhow, bail};
use fanfare_broker::{Broker, Position};
use fanfare_fanout::command::open_log;
use fanfare_fanout::config::Loaded;

fn main() -> Result<()> {
    let begun = Instant::now();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // As many threads as a node.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (records, took, cpu) = runtime.block_on(async {
        match arguments[..] {
            ["start", config] => {
                let loaded = load(config)?;
                let records = start(&*open_log(&loaded)?, &loaded).await?;
                anyhow::Ok((records, begun.elapsed(), cpu_time()?))
            }
            ["follow", config, count] => {
                let loaded = load(config)?;
                follow(&*open_log(&loaded)?, count.parse().context("COUNT is not a number")?).await
            }
            _ => bail!("usage: fanfare-read-log start CONFIG | follow CONFIG COUNT"),
        }
    })?;
    let (took, cpu) = (took.as_secs_f64() * 1e3, cpu.as_secs_f64() * 1e6);
    writeln!(io::stdout(), "{records} {took:.1} {cpu:.0}").context("nobody reads the result")
}

fn load(config: &str) -> Result<Loaded> {
    Loaded::load(Path::new(config)).map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        anyhow!(lines.join("\n"))
    })
}

async fn start(log: &dyn Broker, loaded: &Loaded) -> Result<u64> {
    let broker = &loaded.config.broker;
    let head = log.head().await?;
    let start = log.window(broker.window, broker.window_events).await?;
    let mut read = 0;
    let mut state = log.state().await?;
    loop {
        let batch = state.next().await?;
        if batch.is_empty() {
            break;
        }
        read += black_box(batch).len() as u64;
    }
    let mut window = log.read(&start).await?;
    while !is_read(window.position(), &head) {
        read += black_box(window.next().await?).len() as u64;
    }
    Ok(read)
}

async fn follow(log: &dyn Broker, count: u64) -> Result<(u64, Duration, Duration)> {
    let mut reader = log.read(&log.head().await?).await?;
    writeln!(io::stdout(), "ready").context("nobody waits")?;
    let (begun, before) = (Instant::now(), cpu_time()?);
    let mut read = 0;
    while read < count {
        read += black_box(reader.next().await?).len() as u64;
    }
    Ok((read, begun.elapsed(), cpu_time()? - before))
}

fn is_read(position: &Position, head: &Position) -> bool {
    head.offsets().iter().all(|(partition, offset)| position.covers(*partition, *offset))
}

/// The time of all existing threads, to the nanosecond; those of this program end with it.
fn cpu_time() -> Result<Duration> {
    let mut sum = Duration::ZERO;
    for thread in fs::read_dir("/proc/self/task")? {
        let text = fs::read_to_string(thread?.path().join("schedstat"))?;
        let nanos = text.split(' ').next().and_then(|field| field.parse().ok()).context("schedstat: no number")?;
        sum += Duration::from_nanos(nanos);
    }
    Ok(sum)
}
