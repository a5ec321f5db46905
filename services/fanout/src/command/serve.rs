//! `fanfare serve`: one node, until it is told to stop.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fanfare_telemetry::Guard;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::check::report;
use super::ending::{drained, telling, until_ended};
use super::node::{Node, StartError};
use super::reached::Reached;
use super::reload::Reload;
use super::{Exit, descriptors, fail, memory};
use crate::config::Loaded;
use crate::method::Methods;
use crate::nodes::{Driver, News};
use crate::pipeline::Listener;
use crate::socket::{self, App};

/// How long the dead letters that wait may take at the end.
const LETTERS: Duration = Duration::from_secs(2);

/// How long a stopping node takes at most to say that it is gone.
const LEASE: Duration = Duration::from_secs(2);

/// Runs a node with this configuration until SIGTERM or Ctrl-C.
pub fn run(config: &Path) -> Exit {
    let loaded = match Loaded::load(config) {
        Ok(loaded) => loaded,
        Err(faults) => {
            report(&faults);
            return Exit::Wrong;
        }
    };
    let mut telemetry = match fanfare_telemetry::init("fanout", loaded.config.log) {
        Ok(guard) => guard,
        Err(error) => return fail(Exit::Wrong, error),
    };
    for warning in &loaded.config.warnings {
        tracing::warn!(%warning, "the configuration says what is hardly meant");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(Exit::Wrong, format_args!("no runtime: {error}")),
    };
    let outcome = runtime.block_on(serve(config.to_owned(), loaded, &mut telemetry));
    runtime.shutdown_timeout(Duration::from_secs(1));
    match outcome {
        Ok(()) => Exit::Done,
        Err(error) => fail(Exit::Wrong, error),
    }
}

async fn serve(file: PathBuf, loaded: Loaded, telemetry: &mut Guard) -> Result<(), StartError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Signals)?;
    // Without a handler this signal would end the node without a goodbye.
    let hang_up = signal(SignalKind::hangup()).map_err(StartError::Signals)?;
    descriptors::raise();
    // Ports first: a port in use must be reported before anything is written to disk.
    let public = socket::bind(loaded.config.node.listen)?;
    let operator = socket::bind(loaded.config.node.admin_listen)?;
    let reached = Reached::of(&loaded.config, &public, &operator);
    let drain = loaded.config.node.drain;
    let config = loaded.config.clone();
    let node = Node::start(loaded, Methods::default())?;
    tokio::spawn(Reload::new(file, config, &node).run(hang_up));
    let broker = Arc::clone(&node.broker);
    let (stop, stop_operator) = (CancellationToken::new(), CancellationToken::new());
    let app = Arc::clone(&node.app);
    let of = Arc::clone(&app);
    telemetry.push_metrics(move || of.metrics_text())?;
    tracing::info!(address = %address(&public), hubs = node.hubs, routes = node.routes.now().digest(), "listening");
    tracing::info!(address = %address(&operator), "operator's port");
    let public = tokio::spawn(socket::serve_public(public, Arc::clone(&app), stop.clone()));
    let operator = tokio::spawn(socket::serve_operator(operator, Arc::clone(&app), stop_operator.clone()));
    let letters = node.pipeline.letters.clone();
    let stop_lease = CancellationToken::new();
    let waits = reached.may_wait();
    let told = reached.tell(node.nodes.clone(), Arc::clone(&app));
    if waits {
        drop(tokio::spawn(told))
    } else {
        told.await
    }
    let listener = node.listener;
    let rosters = listener.rosters();
    let lease = Driver::new(node.nodes.clone(), Arc::clone(&broker));
    let lease = lease.run(stop_lease.clone(), hearing(&app, listener));
    let lease = tokio::spawn(lease);
    tokio::spawn(memory::watch(Arc::clone(&app), Arc::clone(&node.pipeline.recent)));
    let mut pipeline = tokio::spawn(node.pipeline.run());

    let outcome = until_ended(wait(&mut terminate, &mut interrupt), &mut pipeline, &app.shards).await;
    let has_others = node.nodes.alive().len() > 1;
    let connections = app.groups.connections();
    let over = telling(drain, has_others, connections);
    match &outcome {
        Ok(()) => tracing::info!(connections, telling_ms = over.as_millis(), "stopping"),
        Err(StartError::Read(_)) => {
            broker.close().await;
            return outcome;
        }
        // Those whom the rest of the node serves are sent elsewhere as ever.
        Err(error) => tracing::error!(%error, "stopping"),
    }
    app.draining.store(true, Ordering::Release);
    // The listener stays open meanwhile: a polling client learns of the end by its next poll, and one that negotiates
    // is sent elsewhere instead of finding nobody.
    let last_told = Instant::now() + over;
    drained(&app, node.shards, drain, over).await;
    if let Some(rosters) = rosters.filter(|_| has_others) {
        // Its members are on their way to other nodes: with its lease they would leave, and come at once again.
        let lingers = rosters.core().lingers();
        tokio::time::sleep(lingers.saturating_sub(last_told.elapsed())).await;
    }
    stop.cancel();
    pipeline.abort();
    letters.flush(LETTERS).await;
    // Nothing waits for a node that is gone anyway: others end its lease, only later.
    stop_lease.cancel();
    let _ = tokio::time::timeout(LEASE, lease).await;
    stop_operator.cancel();
    let _ = tokio::time::timeout(Duration::from_secs(3), async { tokio::join!(public, operator) }).await;
    // Else the next start has to check the whole file of the embedded log.
    broker.close().await;
    tracing::info!("stopped");
    outcome
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

async fn wait(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

fn address(listener: &tokio::net::TcpListener) -> String {
    listener.local_addr().map_or_else(|_| "?".to_owned(), |address| address.to_string())
}
