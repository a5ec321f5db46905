//! `fanfare serve`: one node, until it is told to stop.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fanfare_telemetry::Guard;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::check::report;
use super::node::{Node, StartError};
use super::reached::Reached;
use super::reload::Reload;
use super::serving::Serving;
use super::{Exit, descriptors, fail};
use crate::config::Loaded;
use crate::method::Methods;
use crate::socket;

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
        tracing::warn!(%warning, "the configuration is valid, but part of it is probably a mistake");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(Exit::Wrong, format_args!("the async runtime cannot be started: {error}")),
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
    let app = Arc::clone(&node.app);
    telemetry.push_metrics(move || app.metrics_text())?;
    tracing::info!(address = %address(&public), hubs = node.hubs, routes = node.routes.now().digest(), "listening");
    tracing::info!(address = %address(&operator), "operator's port");
    let serving = Serving::begin(node, [public, operator], reached, drain).await;
    serving.run(wait(&mut terminate, &mut interrupt)).await
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
