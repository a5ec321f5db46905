//! Measures publishing and reading on a real Kafka: `cargo run --release --example kafka_rate --features kafka [RECORDS]`.

#![allow(clippy::print_stdout)]

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use fanfare_broker::kafka::{Kafka, Options};
use fanfare_broker::{Broker, Message, Position, Stream};
use fanfare_test_servers::kafka::KafkaServer;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The number of concurrent publishes.
const AT_ONCE: usize = 256;

fn message(n: usize) -> Message {
    Message {
        stream: Stream::Events,
        org: Some(format!("org-{}", n % 100)),
        topic: "license.LicenseUpdated".into(),
        key: None,
        id: format!("license/{n}"),
        headers: vec![("ce-id".into(), n.to_string()), ("ce-org".into(), format!("org-{}", n % 100))],
        body: Bytes::from(vec![7; 200]),
    }
}

async fn measure(name: &str, records: usize, work: impl Future<Output = Outcome<()>>) -> Outcome<()> {
    let began = Instant::now();
    work.await?;
    let took = began.elapsed();
    println!("{name}: {:.0}/s, {:.1?} each", records as f64 / took.as_secs_f64(), took / records.max(1) as u32);
    Ok(())
}

async fn publish_all(kafka: &Arc<Kafka>, records: usize) -> Outcome<()> {
    let publishers = (0..AT_ONCE).map(|first| {
        let kafka = Arc::clone(kafka);
        tokio::spawn(async move {
            for n in (first..records).step_by(AT_ONCE) {
                kafka.publish(message(n)).await?;
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
    let records = std::env::args().nth(1).map_or(Ok(100_000), |records| records.parse())?;
    let server = KafkaServer::start().await?;
    let kafka = Arc::new(Kafka::open(Options::new(vec![server.address()], vec!["license".into()]))?);
    let first = Position::start(kafka.head().await?.incarnation());
    let one_by_one = records / 100;
    measure("publish, one at a time", one_by_one, async {
        for n in 0..one_by_one {
            kafka.publish(message(n)).await?;
        }
        Ok(())
    })
    .await?;
    measure("publish, 256 at a time", records, publish_all(&kafka, records)).await?;
    let all = records + one_by_one;
    measure("read", all, async {
        let mut reader = kafka.read(&first).await?;
        let mut read = 0;
        while read < all {
            read += reader.next().await?.len();
        }
        Ok(())
    })
    .await?;
    measure("open a reader and read one record", 20, async {
        for _ in 0..20 {
            kafka.read(&first).await?.next().await?;
        }
        Ok(())
    })
    .await?;
    kafka.close().await;
    Ok(())
}
