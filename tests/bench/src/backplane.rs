//! The broker under a node: an embedded log, or a real server.

use std::future::Future;
use std::path::Path;

use anyhow::{Result, bail};
use fanfare_test_servers::StartError;
use fanfare_test_servers::kafka::KafkaServer;
use fanfare_test_servers::nats::{NatsServer, Version};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The kind of broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Embedded,
    Nats,
    Kafka,
}

/// A running broker, and what programs need to use it.
pub(crate) struct Backplane {
    kind: Kind,
    /// The configuration's `[broker]` lines.
    pub(crate) url: String,
    /// The broker for this process's own use.
    pub(crate) runtime: Runtime,
    /// The folder of an embedded log, and the settings that name it.
    folder: TempDir,
    _server: Server,
}

// Held only so that it ends with this value.
enum Server {
    InNode,
    Nats(#[expect(dead_code)] NatsServer),
    Kafka(#[expect(dead_code)] KafkaServer),
}

impl Backplane {
    /// Starts it empty; returns the reason if this machine lacks it.
    pub(crate) fn start(kind: Kind, below: &Path, say: impl Fn(&str)) -> Result<Option<Self>> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let started = match kind {
            Kind::Embedded => Ok((Server::InNode, "embedded:log".to_owned())),
            Kind::Nats => run(&runtime, NatsServer::start(Version::Current), |server| {
                let url = format!("nats://{}", server.address());
                (Server::Nats(server), url)
            }),
            Kind::Kafka => run(&runtime, KafkaServer::start(), |server| {
                let url = format!("kafka://{}", server.address());
                (Server::Kafka(server), url)
            }),
        };
        let (server, url) = match started {
            Ok(started) => started,
            Err(StartError::Missing(what)) => {
                say(&format!("skipped: {what}"));
                return Ok(None);
            }
            Err(error) => bail!(error),
        };
        Ok(Some(Self { kind, url, runtime, folder: tempfile::tempdir_in(below)?, _server: server }))
    }

    /// The kind.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The folder of a node on it, with the embedded log.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn run<S>(
    runtime: &Runtime,
    start: impl Future<Output = Result<S, StartError>>,
    named: impl FnOnce(S) -> (Server, String),
) -> Result<(Server, String), StartError> {
    runtime.block_on(start).map(named)
}
