//! Prints how fast the embedded broker appends: with 1, 32 and 256 publishers that each wait for
//! their answer, so that about as many messages share one fsync.
//!
//! `cargo run --release -p fanfare-broker --example append_rate [seconds per group] [folder]`

// What it prints is its result.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fanfare_broker::embedded::{Embedded, Options};
use fanfare_broker::{Broker, Message, Stream};

const GROUPS: [usize; 3] = [1, 32, 256];
const BODY: usize = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let seconds: f64 = arguments.next().map_or(Ok(1.0), |s| s.parse())?;
    let folder = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = folder.join(format!("fanfare-append-rate-{}", std::process::id()));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(measure(&folder, Duration::from_secs_f64(seconds)));
    std::fs::remove_dir_all(&folder)?;
    result
}

async fn measure(folder: &std::path::Path, span: Duration) -> Result<(), Box<dyn Error>> {
    let log = Arc::new(Embedded::open(folder, Options::default())?);
    println!("{:>6} {:>12} {:>10} {:>10} {:>12}", "group", "appends/s", "p50 ms", "p99 ms", "wake p50 us");
    for group in GROUPS {
        let began = Instant::now();
        let publishers: Vec<_> =
            (0..group).map(|n| tokio::spawn(publish(Arc::clone(&log), group, n, began + span))).collect();
        let mut latencies = Vec::new();
        for publisher in publishers {
            latencies.extend(publisher.await?);
        }
        let rate = latencies.len() as f64 / began.elapsed().as_secs_f64();
        let wake = wake_time(&log, group).await?;
        latencies.sort_unstable();
        let ms = |share: f64| percentile(&latencies, share).as_secs_f64() * 1e3;
        println!("{group:>6} {rate:>12.0} {:>10.2} {:>10.2} {:>12.0}", ms(0.5), ms(0.99), wake.as_secs_f64() * 1e6);
    }
    log.close().await;
    Ok(())
}

/// Publishes one message after another until the end and returns the latency of each.
async fn publish(log: Arc<Embedded>, group: usize, publisher: usize, end: Instant) -> Vec<Duration> {
    let mut latencies = Vec::new();
    for n in 0.. {
        let began = Instant::now();
        if began >= end || log.publish(message(&format!("{group}-{publisher}-{n}"))).await.is_err() {
            break;
        }
        latencies.push(began.elapsed());
    }
    latencies
}

/// The time from a publish's answer until a waiting reader has the record.
async fn wake_time(log: &Arc<Embedded>, group: usize) -> Result<Duration, Box<dyn Error>> {
    let mut times = Vec::new();
    for n in 0..100 {
        let mut reader = log.read(&log.head().await?).await?;
        let waiting = tokio::spawn(async move { reader.next().await.map(|_| Instant::now()) });
        log.publish(message(&format!("wake-{group}-{n}"))).await?;
        let answered = Instant::now();
        times.push(waiting.await??.saturating_duration_since(answered));
    }
    times.sort_unstable();
    Ok(percentile(&times, 0.5))
}

fn percentile(sorted: &[Duration], share: f64) -> Duration {
    let at = (sorted.len() as f64 * share) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

fn message(id: &str) -> Message {
    Message {
        stream: Stream::Events,
        org: Some("acme".into()),
        topic: "export.ExportProgress".into(),
        key: None,
        id: id.into(),
        headers: vec![("ce-id".into(), id.into()), ("ce-type".into(), "export.ExportProgress".into())],
        body: Bytes::from(vec![7; BODY]),
    }
}
