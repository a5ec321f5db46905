//! What runs on a node beside its shards, and in which order it is stopped.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fanfare_broker::{Broker, BrokerError};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::ending::{drained, telling, until_ended};
use super::memory;
use super::node::{Node, StartError};
use super::reached::Reached;
use crate::nodes::{Driver, News, Nodes};
use crate::pipeline::{DeadLetterWriter, Listener};
use crate::roster::Rosters;
use crate::socket::{self, App};

/// How long the dead letters that wait may take at the end.
const LETTERS: Duration = Duration::from_secs(2);

/// How long a stopping node takes at most to say that it is gone.
const LEASE: Duration = Duration::from_secs(2);

/// How long the last requests may take at the end.
const REQUESTS: Duration = Duration::from_secs(3);

/// A node that serves.
pub(super) struct Serving {
    app: Arc<App>,
    broker: Arc<dyn Broker>,
    nodes: Nodes,
    rosters: Option<Arc<Rosters>>,
    letters: DeadLetterWriter,
    shards: Vec<std::thread::JoinHandle<()>>,
    pipeline: JoinHandle<Result<(), BrokerError>>,
    public: Part,
    operator: Part,
    lease: Part,
    drain: Duration,
}

/// A task that ends once it is asked to.
struct Part {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Part {
    fn spawn<F: Future<Output = ()> + Send + 'static>(run: impl FnOnce(CancellationToken) -> F) -> Self {
        let stop = CancellationToken::new();
        Self { task: tokio::spawn(run(stop.clone())), stop }
    }

    /// Waits at most so long until it has ended.
    async fn end(self, most: Duration) {
        self.stop.cancel();
        let _ = timeout(most, self.task).await;
    }
}

impl Serving {
    /// Opens the ports and begins to read the log; `drain` is how long the connections may take at the end.
    pub(super) async fn begin(
        node: Node,
        [public, operator]: [TcpListener; 2],
        reached: Reached,
        drain: Duration,
    ) -> Self {
        let Node { app, pipeline, broker, shards, nodes, listener, .. } = node;
        let public = Part::spawn(|stop| socket::serve_public(public, Arc::clone(&app), stop));
        let operator = Part::spawn(|stop| socket::serve_operator(operator, Arc::clone(&app), stop));
        let waits = reached.may_wait();
        let told = reached.tell(nodes.clone(), Arc::clone(&app));
        if waits {
            drop(tokio::spawn(told))
        } else {
            told.await
        }
        let rosters = listener.rosters();
        let driver = Driver::new(nodes.clone(), Arc::clone(&broker));
        let lease = Part::spawn(|stop| driver.run(stop, hearing(&app, listener)));
        tokio::spawn(memory::watch(Arc::clone(&app), Arc::clone(&pipeline.recent)));
        let letters = pipeline.letters.clone();
        let pipeline = tokio::spawn(pipeline.run());
        Self { app, broker, nodes, rosters, letters, shards, pipeline, public, operator, lease, drain }
    }

    /// Serves until the node is told to stop or cannot go on, and stops it.
    ///
    /// # Errors
    /// What ended by itself.
    pub(super) async fn run(mut self, told: impl Future<Output = ()>) -> Result<(), StartError> {
        let outcome = until_ended(told, &mut self.pipeline, &self.app.shards).await;
        let has_others = self.nodes.alive().len() > 1;
        let connections = self.app.groups.connections();
        let over = telling(self.drain, has_others, connections);
        match &outcome {
            Ok(()) => tracing::info!(connections, telling_ms = over.as_millis(), "stopping"),
            Err(StartError::Read(_)) => {
                self.broker.close().await;
                return outcome;
            }
            // Those whom the rest of the node serves are sent elsewhere as ever.
            Err(error) => tracing::error!(%error, "stopping"),
        }
        self.stop(over, has_others).await;
        tracing::info!("stopped");
        outcome
    }

    /// Sends all connections elsewhere, then ends one part after the other.
    async fn stop(self, over: Duration, has_others: bool) {
        self.app.draining.store(true, Ordering::Release);
        // The listener stays open meanwhile: a polling client learns of the end by its next poll, and one that negotiates
        // is sent elsewhere instead of finding nobody.
        let last_told = Instant::now() + over;
        drained(&self.app, self.shards, self.drain, over).await;
        if let Some(rosters) = self.rosters.filter(|_| has_others) {
            // Its members are on their way to other nodes: with its lease they would leave, and come at once again.
            let lingers = rosters.core().lingers();
            tokio::time::sleep(lingers.saturating_sub(last_told.elapsed())).await;
        }
        self.public.stop.cancel();
        self.pipeline.abort();
        self.letters.flush(LETTERS).await;
        // Nothing waits for a node that is gone anyway: others end its lease, only later.
        self.lease.end(LEASE).await;
        tokio::join!(self.public.end(REQUESTS), self.operator.end(REQUESTS));
        // Else the next start has to check the whole file of the embedded log.
        self.broker.close().await;
    }
}

/// Takes records of other nodes. The node takes no connections until those of the start have been read.
fn hearing(app: &App, listener: Listener) -> impl FnMut(News) + Send + use<> {
    let status = Arc::clone(&app.status);
    status.set_awaits_nodes(true);
    move |news| {
        listener.hear(&news);
        if news == News::CaughtUp {
            status.set_awaits_nodes(false);
        }
    }
}
