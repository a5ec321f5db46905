//! One server for one test, and an operator's actions on it.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use fanfare_test_servers::StartError;
use fanfare_test_servers::nats::{NatsServer, Version};
use tokio::sync::{Mutex, MutexGuard};

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
        Self::start_with(version, change, |_| String::new()).await
    }

    /// A current server with additional configuration; none, and a line that says so, if there is no server.
    pub(super) async fn configured(test: &str, more: impl Fn(&Path) -> String) -> Option<Self> {
        let server = Self::start_with(Version::Current, |_| {}, more).await;
        if let Some(why) = server.missing() {
            fanfare_test_servers::skip(test, &why);
            return None;
        }
        Some(server)
    }

    /// A current server without logins.
    pub(super) async fn current(test: &str) -> Option<Self> {
        Self::configured(test, |_| String::new()).await
    }

    async fn start_with(version: Version, change: fn(&mut Options), more: impl Fn(&Path) -> String) -> Self {
        let started = match NatsServer::start_with(version, more).await {
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

    pub(super) async fn process(&self) -> MutexGuard<'_, NatsServer> {
        self.server().lock().await
    }

    pub(super) fn address(&self) -> String {
        self.started.as_ref().expect("started").1.clone()
    }

    pub(super) fn options(&self) -> Options {
        let mut options = Options::new([self.address()]);
        (self.change)(&mut options);
        options
    }

    /// A broker with other options.
    pub(super) fn nats(&self, change: impl FnOnce(&mut Options)) -> Nats {
        let mut options = self.options();
        change(&mut options);
        Nats::open(options).expect("opens")
    }

    /// Another client's connection.
    pub(super) async fn stranger(&self) -> async_nats::Client {
        async_nats::connect(self.address()).await.expect("connected")
    }

    /// Sends a request to the JetStream API, as an operator's tool would.
    pub(super) async fn operate(&self, subject: &str, payload: &str) -> String {
        let client = self.stranger().await;
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
        for stream in ["events", "state", "nodes"] {
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
