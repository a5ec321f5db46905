//! Against a real server, and against librdkafka's mock for faults that are easier to stage there.

#[path = "contract.rs"]
mod contract;
#[path = "encryption.rs"]
mod encryption;
#[path = "logins.rs"]
mod logins;
#[path = "mock.rs"]
mod mock;
#[path = "restart.rs"]
mod restart;
#[path = "rights.rs"]
mod rights;
#[path = "standstill.rs"]
mod standstill;
#[path = "topics.rs"]
mod topics;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fanfare_test_servers::StartError;
use fanfare_test_servers::kafka::KafkaServer;
use tokio::sync::OnceCell;

use super::{Kafka, Options};
use crate::broker::Reader;
use crate::message::{Message, Record, Stream};

/// How long something that must happen may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The server shared by all tests that do not stop it, or why there is none.
static SHARED: OnceCell<Result<String, String>> = OnceCell::const_new();

/// Its address.
async fn shared() -> Result<String, String> {
    let start = || async {
        match KafkaServer::start().await {
            Ok(server) => Ok(server.live_with_this_process()),
            Err(StartError::Missing(what)) => Err(what),
            Err(failed) => panic!("{failed}"),
        }
    };
    SHARED.get_or_init(start).await.clone()
}

/// Options with topics of their own.
fn options(server: &str) -> Options {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let services = ["license", "auth", "export"].map(String::from);
    Options {
        prefix: format!("p{n}"),
        events: format!("events{n}"),
        state: format!("state{n}"),
        partitions: 2,
        look_interval: Duration::from_millis(500),
        request_timeout: Duration::from_secs(3),
        delivery_timeout: Duration::from_secs(5),
        ..Options::new(vec![server.to_owned()], services.to_vec())
    }
}

/// The shared server's options, or a line that reports the skipped test.
async fn options_or_skip(test: &str) -> Option<Options> {
    match shared().await {
        Ok(server) => Some(options(&server)),
        Err(why) => {
            crate::contract::skip(&format!("kafka::{test}"), &why);
            None
        }
    }
}

/// An event of acme.
fn event(id: &str) -> Message {
    Message {
        stream: Stream::Events,
        org: Some("acme".into()),
        topic: "license.LicenseUpdated".into(),
        key: None,
        id: id.into(),
        headers: vec![("ce-org".into(), "acme".into())],
        body: Bytes::from_static(b"body"),
    }
}

/// Reads until this many records have arrived.
async fn take(reader: &mut Box<dyn Reader>, count: usize) -> Vec<Record> {
    let mut records = Vec::new();
    while records.len() < count {
        let batch = tokio::time::timeout(PATIENCE, reader.next()).await;
        records.extend(batch.expect("in time").expect("a batch"));
    }
    records
}

fn open(options: &Options) -> Kafka {
    Kafka::open(options.clone()).expect("the options are right")
}
