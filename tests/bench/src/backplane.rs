//! The broker under a node: a log in the node itself, or a real server of its own.

use std::future::Future;
use std::path::Path;

use anyhow::{Result, bail};
use fanfare_test_servers::StartError;
use fanfare_test_servers::kafka::KafkaServer;
use fanfare_test_servers::nats::{NatsServer, Version};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Which broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Embedded,
    Nats,
    Kafka,
}

/// A broker that runs, and what programs beside it need to use it.
pub(crate) struct Backplane {
    kind: Kind,
    /// What a configuration calls it.
    pub(crate) url: String,
    /// For what this process does with it.
    pub(crate) runtime: Runtime,
    /// Where an embedded log is, and the settings that name it.
    folder: TempDir,
    _server: Server,
}

// Held for its end alone.
enum Server {
    InNode,
    Nats(#[expect(dead_code)] NatsServer),
    Kafka(#[expect(dead_code)] KafkaServer),
}

impl Backplane {
    /// Starts it with nothing in it; says why not if this machine does not have it.
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

    /// Which one it is.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The folder of a node on it: an embedded log is in there.
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
