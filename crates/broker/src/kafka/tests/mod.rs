//! Against a real server, and against librdkafka's mock where a fault is easier to stage there.

#[path = "contract.rs"]
mod contract;
#[path = "restart.rs"]
mod restart;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fanfare_test_servers::StartError;
use fanfare_test_servers::kafka::KafkaServer;
use tokio::sync::OnceCell;

use super::{Kafka, Options};

/// The server that all tests share which do not stop it, or why there is none.
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

fn open(options: &Options) -> Kafka {
    Kafka::open(options.clone()).expect("the options are right")
}
