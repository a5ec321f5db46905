//! Readers that fall silent, and servers that are killed again and again under one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fanfare_test_servers::StartError;
use fanfare_test_servers::kafka::KafkaServer;

use super::{event, open, options, options_or_skip};
use crate::broker::{Broker, Reader};
use crate::error::BrokerError;
use crate::kafka::Options;
use crate::position::Position;
use crate::watched::tests::readers_that_fall_silent_are_reopened;
use crate::watched::{Patience, Watched};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_readers_are_reopened() {
    let Some(options) = options_or_skip("silent_readers_are_reopened").await else { return };
    let patience = Patience {
        quiet: Duration::from_millis(200),
        behind: Duration::from_secs(2),
        longest: Duration::from_secs(20),
    };
    readers_that_fall_silent_are_reopened(Arc::new(open(&options)), patience).await;
}

/// How often the server is killed.
const KILLS: usize = 50;

/// How long it may take until published records are read once the server is back.
const BACK: Duration = Duration::from_secs(30);

/// Pseudo-random numbers, the same in every run with the same seed.
struct Random(u64);

impl Random {
    fn seeded() -> Self {
        let seed = std::env::var("FANFARE_FAULT_SEED").ok().and_then(|seed| seed.parse::<u64>().ok()).unwrap_or(1);
        eprintln!("FANFARE_FAULT_SEED={seed}");
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, milliseconds: u64) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        Duration::from_millis((self.0 >> 33) % milliseconds)
    }
}

async fn opened(broker: &dyn Broker) -> (Box<dyn Reader>, Position) {
    loop {
        if let Ok(head) = broker.head().await
            && let Ok(reader) = broker.read(&head).await
        {
            return (reader, head);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// After a kill a client library may come back without its partitions; the reader must recover.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "fifty kills take minutes; make soak runs it"]
async fn a_reader_continues_after_each_of_many_kills() {
    let mut server = match KafkaServer::start().await {
        Ok(server) => server,
        Err(StartError::Missing(what)) => {
            return crate::contract::skip("kafka::a_reader_continues_after_each_of_many_kills", &what);
        }
        Err(failed) => panic!("{failed}"),
    };
    let options = Options { partitions: 6, look_interval: Duration::from_secs(4), ..options(&server.address()) };
    let broker: Arc<dyn Broker> = Arc::new(open(&options));
    let stuck = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&stuck);
    let watched = Watched::new(Arc::clone(&broker), move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    let (mut reader, _) = opened(&watched).await;
    let (stored, read) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (publishing, counted) = (Arc::clone(&broker), Arc::clone(&stored));
    let publisher = tokio::spawn(async move {
        for n in 0u64.. {
            let message = crate::message::Message { org: Some(format!("o{}", n % 17)), ..event(&format!("e{n}")) };
            if publishing.publish(message).await.is_ok() {
                counted.fetch_add(1, Ordering::SeqCst);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let seen = Arc::clone(&read);
    let reading = tokio::spawn(async move {
        loop {
            match reader.next().await {
                Ok(batch) => {
                    seen.fetch_add(batch.len(), Ordering::SeqCst);
                }
                Err(BrokerError::Unavailable(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    });
    let mut random = Random::seeded();
    for kill in 0..KILLS {
        server.kill();
        tokio::time::sleep(Duration::from_millis(200) + random.below(1_500)).await;
        server.start_again().await.expect("the server starts again");
        let (back, before) = (Instant::now(), stored.load(Ordering::SeqCst));
        // Some messages may be stored twice, so more than all are read.
        while read.load(Ordering::SeqCst) < before + 20 {
            assert!(back.elapsed() < BACK, "kill {kill}: nothing is read though the server is back");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::sleep(random.below(1_500)).await;
    }
    publisher.abort();
    reading.abort();
    eprintln!("{} readers stood still in {KILLS} kills", stuck.load(Ordering::SeqCst));
}
