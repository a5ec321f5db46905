//! `GET /nodes` on the operator's port: the state of all nodes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use axum::Json;
use axum::extract::{Extension, State};
use fanfare_event::Timestamp;
use fanfare_telemetry::metrics::{self, Samples, names};
use futures_util::future::join_all;

use super::peers::Question;
use super::state::App;
use crate::nodes::Alive;
use crate::operator::Pass;
use crate::operator::state::{Counters, Gone, LogState, Missing, NodeState, NodeStates, WhoAmI};
use crate::pipeline::NotReady;

/// The largest answer of one node: reasons are a few dozen words, and risks name streams.
const MOST_BYTES: usize = 256 * 1024;

/// How all nodes are.
pub(super) async fn list(State(app): State<Arc<App>>) -> Json<NodeStates> {
    let others = app.peers.others();
    let told = join_all(others.iter().map(|node| of(&app, node))).await;
    let (mut nodes, mut missing) = (vec![state(&app)], Vec::new());
    let now = Instant::now();
    let ago = |at: Instant| now.saturating_duration_since(at).as_secs();
    for (node, told) in others.iter().zip(told) {
        match told {
            Ok(state) => nodes.push(state),
            Err(reason) => {
                // A console asks every few seconds.
                if app.edge.may_say("a node does not report its state") {
                    tracing::warn!(node = %node.id, address = node.address, reason, "a node does not report its state");
                }
                let (id, address) = (node.id.to_string(), node.address.clone());
                missing.push(Missing { node: id, address, reason, lease_seconds: node.renewed.map(ago) });
            }
        }
    }
    nodes.sort_by(|one, other| one.node.cmp(&other.node));
    let gone = app.nodes.left().into_iter().map(|left| Gone {
        node: left.id.to_string(),
        lease_seconds: ago(left.renewed),
        ended_seconds: ago(left.at),
        died: left.was_silent(),
    });
    let gone: Vec<Gone> = gone.collect();
    // Its lease may have ended while it was asked.
    missing.retain(|missing| gone.iter().all(|gone| gone.node != missing.node));
    Json(NodeStates { asked: app.nodes.own().to_string(), nodes, missing, gone })
}

/// How this node is, for another that asks.
pub(super) async fn own(State(app): State<Arc<App>>) -> Json<NodeState> {
    Json(state(&app))
}

/// The caller, and what its token allows.
pub(super) async fn who_am_i(State(app): State<Arc<App>>, Extension(pass): Extension<Pass>) -> Json<WhoAmI> {
    let until = Timestamp(pass.until.saturating_mul(1000)).to_rfc3339();
    Json(WhoAmI { node: app.nodes.own().to_string(), rights: pass.rights, until })
}

/// How one other node is.
async fn of(app: &App, node: &Alive) -> Result<NodeState, String> {
    let _turn = app.listings.asking().acquire().await.map_err(|error| error.to_string())?;
    let (status, body) = app.peers.ask(&app.seal, node, Question::Get("/node/state"), MOST_BYTES).await?;
    if !status.is_success() {
        return Err(format!("it answers {status}"));
    }
    let state: NodeState =
        serde_json::from_slice(&body).map_err(|error| format!("its answer is none of this version: {error}"))?;
    if state.node == node.id.as_str() { Ok(state) } else { Err(format!("{} answers in its place", state.node)) }
}

pub(super) fn state(app: &App) -> NodeState {
    let connections = app.groups.connections();
    let draining = app.draining.load(Ordering::Acquire);
    let reason = app.not_ready().map(in_words);
    let text = metrics::encode(&app.registry);
    let samples = Samples::of(&text);
    let by_reason = |name| samples.counter_by(name, "reason").into_iter().map(|(reason, sum)| (reason, count(sum)));
    let transports = samples.gauge_by(names::CONNECTIONS, "transport");
    NodeState {
        node: app.nodes.own().to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_seconds: app.about.started.elapsed().as_secs(),
        ready: reason.is_none(),
        reason,
        degraded: app.degraded(),
        draining,
        connections: connections as u64,
        capacity: app.edge.capacity.connections as u64,
        transports: transports.into_iter().map(|(transport, open)| (transport, count(open))).collect(),
        closes: by_reason(names::CLOSES).collect(),
        refused: by_reason(names::CONNECTS_REFUSED).collect(),
        letters: by_reason(names::EVENTS_DEAD_LETTERED).collect(),
        memory_bytes: resident_bytes(),
        routes: app.routes.now().digest(),
        routes_refused: samples.gauge(names::ROUTES_REFUSED) > 0.0,
        log: log(app, samples),
        counters: counters(samples),
    }
}

fn log(app: &App, samples: Samples<'_>) -> LogState {
    LogState {
        broker: app.about.broker.to_owned(),
        connected: app.status.is_connected(),
        risks: app.status.risks(),
        disk: app.status.disk(),
        head: count(samples.gauge(names::READER_HEAD)),
        position: count(samples.gauge(names::READER_POSITION)),
        lag_records: count(samples.gauge(names::READER_LAG_RECORDS)),
        lag_seconds: samples.gauge(names::READER_LAG_SECONDS),
    }
}

fn counters(samples: Samples<'_>) -> Counters {
    let counter = |name| count(samples.counter(name));
    Counters {
        events_read: counter(names::EVENTS_READ),
        notifications: counter(names::NOTIFICATIONS),
        deliveries: counter(names::DELIVERIES),
        slow_consumers: counter(names::SLOW_CONSUMERS),
        dead_letters: counter(names::EVENTS_DEAD_LETTERED),
        isolation_drops: counter(names::ISOLATION_DROPS),
    }
}

fn in_words(NotReady { reason, fault, progress }: NotReady) -> String {
    match (fault, progress) {
        (Some(fault), _) => format!("{reason}: {fault}"),
        (None, Some((read, of))) => format!("{reason}: {read} of {of} records"),
        (None, None) => reason.to_owned(),
    }
}

/// A sum of samples, which are whole numbers.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count; what is below 0 is 0")]
fn count(sum: f64) -> u64 {
    sum as u64
}

/// How much memory this process uses, if the system tells.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}
