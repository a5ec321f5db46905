//! `GET /events/{id}` on the operator's port: what became of an event on all nodes.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use fanfare_event::Timestamp;
use futures_util::future::join_all;
use http::Uri;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::connections::{Refused, query};
use super::peers::Question;
use super::state::App;
use crate::connection::ConnectionId;
use crate::nodes::Alive;
use crate::operator::events::{
    EventPaths, Memory, NodesEvents, NotTaken, Notification, OnNode, Outcome as Said, RecordHead, Slowest,
};
use crate::pipeline::{EventPath, Notified, Outcome};

/// The largest answer of one node: so many records with so many groups and routes, of any length.
const MOST_BYTES: usize = 4 << 20;

/// What became of an event, by its id or the place of its record.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Json<EventPaths>, Refused> {
    query::none(&uri)?;
    let others = app.peers.others();
    let answers = join_all(others.iter().map(|node| of(&app, node, &id))).await;
    let (mut known, mut missing) = (vec![own(&app, &id).await], Vec::new());
    for (node, answer) in others.iter().zip(answers) {
        match answer {
            Ok(events) => known.push(events),
            Err(reason) => {
                if app.edge.may_say("a node does not report an event") {
                    tracing::warn!(node = %node.id, address = node.address, reason, "a node does not report an event");
                }
                missing.push(node.id.to_string());
            }
        }
    }
    Ok(Json(EventPaths::of(id, known, missing)))
}

/// The same of this node, for another that asks.
pub(super) async fn show_own(State(app): State<Arc<App>>, Path(id): Path<String>) -> Json<NodesEvents> {
    Json(own(&app, &id).await)
}

async fn of(app: &App, node: &Alive, id: &str) -> Result<NodesEvents, String> {
    let _turn = app.listings.asking().acquire().await.map_err(|error| error.to_string())?;
    let path = format!("/node/events/{}", utf8_percent_encode(id, NON_ALPHANUMERIC));
    let (status, body) = app.peers.ask(&app.seal, node, Question::Get(&path), MOST_BYTES).await?;
    if !status.is_success() {
        return Err(format!("it answers {status}"));
    }
    let known: NodesEvents =
        serde_json::from_slice(&body).map_err(|error| format!("its answer is none of this version: {error}"))?;
    let is_its_own = known.memory.node == node.id.as_str();
    if is_its_own { Ok(known) } else { Err(format!("{} answers in its place", known.memory.node)) }
}

async fn own(app: &App, id: &str) -> NodesEvents {
    let node = app.nodes.own().to_string();
    let (events, since) = app.paths.memory();
    let records = app.paths.find(id).await.iter().map(|path| (head(path), on_node(path, &node))).collect();
    NodesEvents { memory: Memory { node, events, since: since.map(time) }, records }
}

fn head(path: &EventPath) -> RecordHead {
    RecordHead {
        stored: time(path.place.time),
        place: path.place_text(),
        id: path.id.to_string(),
        source: path.source.to_string(),
        event_type: path.event_type.to_string(),
        org: path.org.as_deref().map(str::to_owned),
        trace_id: path.trace_id.as_deref().map(str::to_owned),
    }
}

fn on_node(path: &EventPath, node: &str) -> OnNode {
    let (outcome, reason) = match &path.outcome {
        Outcome::New => (Said::New, None),
        Outcome::Duplicate => (Said::Duplicate, None),
        Outcome::Stale => (Said::Stale, None),
        Outcome::DeadLetter(reason) => (Said::DeadLetter, Some(reason.to_string())),
    };
    let not_taken = path
        .not_taken
        .iter()
        .map(|(route, why)| NotTaken { route: route.name().to_owned(), reason: route.explain_refusal(*why) });
    OnNode {
        node: node.to_owned(),
        read_ms: path.read_at.saturating_sub(path.place.time).max(0).unsigned_abs(),
        outcome,
        reason,
        notifications: path.notified.iter().map(|notified| notification(notified, node)).collect(),
        not_taken: not_taken.collect(),
        more_not_taken: path.more_not_taken,
    }
}

fn notification(notified: &Notified, node: &str) -> Notification {
    let reached = notified.reached;
    let slowest = |(connection, ms): (ConnectionId, u64)| Slowest {
        connection: connection.to_string(),
        node: node.to_owned(),
        ms,
    };
    Notification {
        route: notified.route.name().to_owned(),
        hub: notified.route.hub().to_owned(),
        target: notified.route.target().to_owned(),
        groups: notified.groups.iter().map(ToString::to_string).collect(),
        more_groups: notified.more_groups,
        throttled: !reached.is_sent,
        sent: reached.at_once,
        later: reached.later,
        waiting: reached.waiting,
        waits: reached.waits.map(|connection| connection.to_string()),
        slowest: reached.slowest.map(slowest),
    }
}

fn time(millis: i64) -> String {
    Timestamp(millis).to_rfc3339()
}
