//! The contract and the rules about restarts, on a current server and on that of Debian 12.

use std::sync::Arc;

use async_trait::async_trait;
use fanfare_test_servers::StartError;
use fanfare_test_servers::nats::{NatsServer, Version};
use tokio::sync::Mutex;

use super::super::{Nats, Options};
use crate::broker::Broker;
use crate::contract::Fixture;
use crate::contract::restart::Faults;
use crate::position::Position;

/// A server of its own, or why there is none.
pub(super) struct Server {
    started: Result<(Mutex<NatsServer>, String), String>,
    change: fn(&mut Options),
}

impl Server {
    pub(super) async fn start(version: Version, change: fn(&mut Options)) -> Self {
        let started = match NatsServer::start(version).await {
            Ok(server) => {
                let address = server.address();
                Ok((Mutex::new(server), address))
            }
            Err(StartError::Missing(what)) => Err(what),
            Err(failed) => panic!("{failed}"),
        };
        Self { started, change }
    }

    fn server(&self) -> &Mutex<NatsServer> {
        &self.started.as_ref().expect("started").0
    }

    fn address(&self) -> String {
        self.started.as_ref().expect("started").1.clone()
    }

    fn options(&self) -> Options {
        let mut options = Options::new([self.address()]);
        (self.change)(&mut options);
        options
    }

    /// Asks the JetStream API as an operator's tool would.
    pub(super) async fn operate(&self, subject: &str, payload: &str) -> String {
        let client = async_nats::connect(self.address()).await.expect("connected");
        let answer = client.request(format!("$JS.API.{subject}"), payload.to_owned().into()).await.expect("answered");
        String::from_utf8_lossy(&answer.payload).into_owned()
    }
}

#[async_trait]
impl Fixture for Server {
    async fn open(&self) -> Arc<dyn Broker> {
        Arc::new(Nats::open(self.options()).expect("opens"))
    }

    async fn restart_server(&self) {
        let mut server = self.server().lock().await;
        server.kill();
        server.start_again().await.expect("starts again");
    }

    fn missing(&self) -> Option<String> {
        self.started.as_ref().err().cloned()
    }
}

#[async_trait]
impl Faults for Server {
    async fn kill_server(&self) {
        self.server().lock().await.kill();
    }

    async fn start_server(&self) {
        self.server().lock().await.start_again().await.expect("starts again");
    }

    async fn recreate(&self) {
        for stream in ["events", "state"] {
            let info = self.operate(&format!("STREAM.INFO.fanfare-{stream}"), "").await;
            let info: serde_json::Value = serde_json::from_str(&info).expect("an answer");
            let gone = self.operate(&format!("STREAM.DELETE.fanfare-{stream}"), "").await;
            assert!(gone.contains("\"success\":true"), "{gone}");
            let made = self.operate(&format!("STREAM.CREATE.fanfare-{stream}"), &info["config"].to_string()).await;
            assert!(!made.contains("\"error\""), "{made}");
        }
    }

    async fn purge(&self, through: &Position) {
        let first_kept = through.offset(0).expect("covers events") + 1;
        let purged = self.operate("STREAM.PURGE.fanfare-events", &format!("{{\"seq\":{first_kept}}}")).await;
        assert!(purged.contains("\"success\":true"), "{purged}");
    }

    async fn keep_files(&self) {
        self.server().lock().await.keep_files().await;
    }

    async fn restore_files(&self) {
        self.server().lock().await.restore_files().await;
    }
}

mod current {
    use super::*;

    crate::contract_suite!(Server::start(Version::Current, |_| {}).await);
    crate::restart_suite!(Server::start(Version::Current, |_| {}).await);
}

mod debian {
    use super::*;

    crate::contract_suite!(Server::start(Version::Debian, |_| {}).await);
    crate::restart_suite!(Server::start(Version::Debian, |_| {}).await);
}

/// Every batch is small, so that pulls end and begin all the time.
mod small_batches {
    use super::*;

    fn small(options: &mut Options) {
        (options.batch_records, options.batch_bytes) = (3, 1);
    }

    crate::contract_suite!(Server::start(Version::Current, small).await);
    crate::restart_suite!(Server::start(Version::Current, small).await);
}
