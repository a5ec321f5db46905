//! A node within another program, whose hubs call that program's code.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use fanfare_broker::{Broker, BrokerError};
use fanfare_signalr::{Outcome, Value};
use tokio::sync::oneshot;

use crate::command::node::Node;
use crate::command::{StartError, drained, watch_memory};
use crate::config::Loaded;
use crate::connection::ConnectionId;
use crate::method::Methods;
use crate::socket::shard::{Command, Question};
use crate::socket::{self, App};

/// A node without listeners of its own.
pub struct EmbeddedNode {
    app: Arc<App>,
    shards: Vec<JoinHandle<()>>,
    pipeline: tokio::task::JoinHandle<Result<(), BrokerError>>,
    memory: tokio::task::JoinHandle<()>,
    broker: Arc<dyn Broker>,
    drain: Duration,
}

impl EmbeddedNode {
    /// Opens the log and starts the shards; `methods` is the code behind the hubs.
    ///
    /// Must be called inside a tokio runtime, which the node then runs on.
    ///
    /// # Errors
    /// [`StartError`] in a plain sentence.
    pub fn start(loaded: Loaded, methods: Methods) -> Result<Self, StartError> {
        let drain = loaded.config.node.drain;
        let Node { app, pipeline, shards, broker, .. } = Node::start(loaded, methods)?;
        let memory = tokio::spawn(watch_memory(Arc::clone(&app), Arc::clone(&pipeline.recent)));
        Ok(Self { app, shards, pipeline: tokio::spawn(pipeline.run()), memory, broker, drain })
    }

    /// The public port's service. WebSockets need the listener of [`socket::serve`].
    pub fn public(&self) -> Router {
        socket::public(Arc::clone(&self.app))
    }

    /// The room for TCP connections on the public port, as [`socket::serve`] needs it.
    #[must_use]
    pub fn port(&self) -> Arc<socket::Port> {
        self.app.edge.public_port()
    }

    /// The way to the clients of this node.
    #[must_use]
    pub fn clients(&self) -> Clients {
        Clients { app: Arc::clone(&self.app) }
    }

    /// Closes every connection so that it reconnects elsewhere, and waits for the configured time until all have gone.
    pub async fn stop(self) {
        self.app.draining.store(true, Ordering::Release);
        drained(&self.app, self.shards, self.drain, Duration::ZERO).await;
        self.pipeline.abort();
        self.memory.abort();
        self.broker.close().await;
    }
}

/// The clients that are connected to a node.
#[derive(Debug, Clone)]
pub struct Clients {
    app: Arc<App>,
}

impl Clients {
    /// Calls a client's method and waits for its answer; nothing if there is no such connection, or it ends.
    pub async fn ask(
        &self,
        connection_id: &str,
        target: &str,
        arguments: Vec<Value<'static>>,
    ) -> Option<Outcome<'static>> {
        let id = ConnectionId::parse(connection_id)?;
        let (answer, answered) = oneshot::channel();
        self.app.send(id, Command::Ask(Question { id, target: target.to_owned(), arguments, answer })).await;
        answered.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::document::Source;

    /// What a node gives up when memory is short rests on it.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_memory_of_an_embedded_node_is_watched() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let route = "hub = \"/h\"\n[[route]]\nname = \"alert\"\nevent = \"system.Alert\"\ngroups = [\"org:{org}\"]\nsend = true\n";
        std::fs::write(at("routes.toml"), route).expect("written");
        let text = format!(
            "[node]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\ndata = {:?}\n[broker]\nurl = \"embedded:log\"\n\
             [routes]\npath = \"routes.toml\"\n[development]\nsigning_key = \"key\"\n[hub.\"/h\"]\n",
            at("data")
        );
        let config = Config::parse(&Source { path: at("fanfare.toml"), text });
        let config = config.unwrap_or_else(|faults| panic!("{}", faults[0]));
        let loaded = Loaded::of(config).unwrap_or_else(|faults| panic!("{}", faults[0]));
        let node = EmbeddedNode::start(loaded, Methods::default()).expect("starts");
        let limit = || {
            let text = node.app.metrics_text();
            let line = text.lines().find_map(|line| line.strip_prefix("fanfare_memory_limit_bytes "));
            line.and_then(|value| value.parse::<f64>().ok()).unwrap_or(0.0)
        };
        let seen = async {
            while limit() < 1.0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), seen).await.expect("the limit is known");
        node.stop().await;
    }
}
