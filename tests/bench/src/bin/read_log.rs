//! Reads what a node reads at its start, and does nothing with it: `fanfare-read-log CONFIG`.
//!
//! The compacted state from its first record, then the replay window up to the end of the log. It prints the number of
//! records, the milliseconds since it began, and its CPU time so far in milliseconds. This is the floor of reading back.

use std::fs;
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use fanfare_broker::{Broker, Position};
use fanfare_fanout::config::Loaded;
use fanfare_fanout::embed::open_log;

/// A clock tick of `/proc/self/stat`, in milliseconds.
const TICK_MS: u64 = 10;

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(config), None) = (arguments.next(), arguments.next()) else {
        bail!("usage: fanfare-read-log CONFIG");
    };
    let begun = Instant::now();
    let loaded = Loaded::load(Path::new(&config)).map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        anyhow!(lines.join("\n"))
    })?;
    // As many threads as a node has.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let records = runtime.block_on(async {
        let log = open_log(&loaded)?;
        let records = read(&*log, &loaded).await?;
        anyhow::Ok(records)
    })?;
    let (took, cpu) = (begun.elapsed().as_secs_f64() * 1e3, cpu_ms()?);
    writeln!(std::io::stdout(), "{records} {took:.1} {cpu}").context("nobody reads the result")
}

async fn read(log: &dyn Broker, loaded: &Loaded) -> Result<u64> {
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

fn is_read(position: &Position, head: &Position) -> bool {
    head.offsets().iter().all(|(partition, offset)| position.covers(*partition, *offset))
}

/// User and system time of all threads, ended ones too.
fn cpu_ms() -> Result<u64> {
    let text = fs::read_to_string("/proc/self/stat")?;
    let (_, rest) = text.rsplit_once(") ").context("/proc/self/stat: not what proc(5) says")?;
    // The 14th and 15th field, of which two are cut off.
    let mut fields = rest.split(' ').skip(11);
    let mut field = || fields.next().and_then(|field| field.parse::<u64>().ok()).context("no time in /proc/self/stat");
    Ok((field()? + field()?) * TICK_MS)
}
