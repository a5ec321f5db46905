//! Prints how many records per second a NATS server stores and delivers, and the CPU time that reading one costs: with
//! the client's ordered push consumer, with its ordered pull consumer, and with this crate's reader.
//!
//! ```sh
//! cargo run --release -p fanfare-broker --features nats --example nats_rate -- [RECORDS]
//! ```

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{DeliverPolicy, pull, push};
use bytes::Bytes;
use fanfare_broker::nats::{Nats, Options};
use fanfare_broker::{Broker, Message, Position, Stream};
use fanfare_test_servers::nats::{NatsServer, Version};
use futures_util::StreamExt;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Publishers that each wait for their answer.
const AT_ONCE: usize = 256;

fn message(n: usize) -> Message {
    let id = format!("license/{n:012}");
    Message {
        stream: Stream::Events,
        org: Some("acme".into()),
        topic: "license.LicenseUpdated".into(),
        key: None,
        headers: vec![
            ("ce-id".into(), id.clone()),
            ("ce-source".into(), "license".into()),
            ("ce-type".into(), "license.LicenseUpdated".into()),
            ("ce-time".into(), "2026-01-02T03:04:05.678Z".into()),
            ("ce-org".into(), "acme".into()),
        ],
        id,
        body: Bytes::from_static(&[7; 100]),
    }
}

/// The CPU time of this process: fields 14 and 15 of its stat line, in hundredths of a second.
fn cpu() -> Duration {
    let line = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = line.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

async fn measure(name: &str, records: usize, work: impl Future<Output = Outcome<()>>) -> Outcome<()> {
    let (began, before) = (Instant::now(), cpu());
    work.await?;
    let (took, spent) = (began.elapsed(), cpu().saturating_sub(before));
    let rate = records as f64 / took.as_secs_f64();
    let each = spent.as_secs_f64() * 1e6 / records as f64;
    println!("{name:<34} {rate:>9.0}/s {each:>8.2} us of CPU each");
    Ok(())
}

async fn publish_all(nats: &Arc<Nats>, records: usize) -> Outcome<()> {
    let publishers = (0..AT_ONCE).map(|first| {
        let nats = Arc::clone(nats);
        tokio::spawn(async move {
            for n in (first..records).step_by(AT_ONCE) {
                nats.publish(message(n)).await?;
            }
            Ok::<_, fanfare_broker::PublishError>(())
        })
    });
    for publisher in publishers.collect::<Vec<_>>() {
        publisher.await??;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let records = std::env::args().nth(1).map_or(Ok(200_000), |records| records.parse())?;
    for version in [Version::Current, Version::Debian] {
        println!("{version:?}, {records} records");
        if let Err(error) = run(version, records).await {
            println!("{error}");
        }
    }
    Ok(())
}

async fn run(version: Version, records: usize) -> Outcome<()> {
    let server = NatsServer::start(version).await?;
    let nats = Arc::new(Nats::open(Options::new([server.address()]))?);
    let head = nats.head().await?;
    let one_by_one = records / 100;
    measure("publish, one at a time", one_by_one, async {
        for n in 0..one_by_one {
            nats.publish(Message { id: format!("one/{n}"), ..message(n) }).await?;
        }
        Ok(())
    })
    .await?;
    measure("publish, 256 at a time", records, publish_all(&nats, records)).await?;
    let all = records + one_by_one;

    let client = async_nats::connect(server.address()).await?;
    let stream = async_nats::jetstream::new(client.clone()).get_stream("fanfare-events").await?;
    for round in 0..2 {
        measure("read, the client's ordered push", all, async {
            let config = push::OrderedConfig {
                deliver_subject: client.new_inbox(),
                deliver_policy: DeliverPolicy::All,
                ..Default::default()
            };
            let mut messages = stream.create_consumer(config).await?.messages().await?;
            for _ in 0..all {
                messages.next().await.ok_or("ended")??;
            }
            Ok(())
        })
        .await?;
        measure("read, the client's ordered pull", all, async {
            let config = pull::OrderedConfig { deliver_policy: DeliverPolicy::All, ..Default::default() };
            let mut messages = stream.create_consumer(config).await?.messages().await?;
            for _ in 0..all {
                messages.next().await.ok_or("ended")??;
            }
            Ok(())
        })
        .await?;
        measure("read, this crate's reader", all, async {
            let mut reader = nats.read(&Position::start(head.incarnation())).await?;
            let mut read = 0;
            while read < all {
                read += reader.next().await?.len();
            }
            Ok(())
        })
        .await?;
        if round == 0 {
            println!("and again:");
        }
    }
    recovery(server, &nats, &client).await
}

/// Measures how long each reader waits for the next record after the server was killed and restarted.
async fn recovery(mut server: NatsServer, nats: &Arc<Nats>, client: &async_nats::Client) -> Outcome<()> {
    let stream = async_nats::jetstream::new(client.clone()).get_stream("fanfare-events").await?;
    let new = DeliverPolicy::New;
    let config = push::OrderedConfig { deliver_subject: client.new_inbox(), deliver_policy: new, ..Default::default() };
    let mut pushed = stream.create_consumer(config).await?.messages().await?;
    let config = pull::OrderedConfig { deliver_policy: new, ..Default::default() };
    let mut pulled = stream.create_consumer(config).await?.messages().await?;
    let mut reader = nats.read(&nats.head().await?).await?;
    // Each reader is waiting once it has received a record.
    nats.publish(Message { id: "begin".into(), ..message(0) }).await?;
    pushed.next().await.ok_or("ended")??;
    pulled.next().await.ok_or("ended")??;
    reader.next().await?;
    server.kill();
    server.start_again().await?;
    let began = Instant::now();
    let publish = async {
        while nats.publish(Message { id: "end".into(), ..message(0) }).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let by_push = async {
        while !matches!(pushed.next().await, Some(Ok(_))) {}
        began.elapsed()
    };
    let by_pull = async {
        while !matches!(pulled.next().await, Some(Ok(_))) {}
        began.elapsed()
    };
    let by_reader = async {
        while !matches!(reader.next().await, Ok(batch) if !batch.is_empty()) {}
        began.elapsed()
    };
    let ((), by_push, by_pull, by_reader) = tokio::join!(publish, by_push, by_pull, by_reader);
    println!(
        "the next record after kill -9: push {by_push:.2?}, pull {by_pull:.2?}, this crate's reader {by_reader:.2?}"
    );
    Ok(())
}
