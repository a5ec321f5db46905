//! `GET /connections/round-trips`: how long clients take to answer, measured by the nodes that have them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use futures_util::future::join_all;
use http::Uri;
use tokio::sync::oneshot;

use super::super::peers::Question;
use super::super::shard::Command;
use super::super::state::App;
use super::Refused;
use super::query::{self, BadQuestion};
use crate::connection::ConnectionId;
use crate::nodes::Alive;
use crate::operator::connections::{MOST_MEASURED, NodesRoundTrips, RoundTrips};

/// How long a question waits for those before it.
const TURN: Duration = Duration::from_secs(1);

/// How long another node may take: its clients, and a turn.
const DEADLINE: Duration = Duration::from_secs(4);

/// The largest answer of one node: so many ids and numbers.
const MOST_BYTES: usize = 64 * 1024;

/// The round trips of connections, wherever they are.
pub(in crate::socket) async fn list(State(app): State<Arc<App>>, uri: Uri) -> Result<Json<RoundTrips>, Refused> {
    let ids = asked(&uri)?;
    let others = app.peers.others();
    let theirs = join_all(others.iter().map(|node| of(&app, node, &ids)));
    let (mine, theirs) = tokio::join!(own(&app, &ids), theirs);
    let (mut round_trips, mut missing) = (mine?.round_trips, Vec::new());
    for (node, told) in others.iter().zip(theirs) {
        match told {
            Ok(told) => round_trips.extend(told.round_trips),
            Err(reason) => {
                if app.edge.may_say("a node does not measure its round trips") {
                    tracing::warn!(node = %node.id, address = node.address, reason, "a node does not measure its round trips");
                }
                missing.push(node.id.to_string());
            }
        }
    }
    Ok(Json(RoundTrips { round_trips, missing }))
}

/// Those of this node, for another that asks.
pub(in crate::socket) async fn list_own(
    State(app): State<Arc<App>>,
    uri: Uri,
) -> Result<Json<NodesRoundTrips>, Refused> {
    Ok(Json(own(&app, &asked(&uri)?).await?))
}

fn asked(uri: &Uri) -> Result<Vec<ConnectionId>, BadQuestion> {
    let [ids] = query::only(uri, ["ids"])?;
    let ids = ids.unwrap_or_default();
    let mut ids: Vec<ConnectionId> =
        ids.split(',').map(ConnectionId::parse).collect::<Option<_>>().ok_or(BadQuestion::Ids)?;
    ids.sort_unstable();
    ids.dedup();
    if ids.len() > MOST_MEASURED { Err(BadQuestion::Ids) } else { Ok(ids) }
}

async fn own(app: &App, ids: &[ConnectionId]) -> Result<NodesRoundTrips, Refused> {
    let turn = tokio::time::timeout(TURN, app.listings.measuring().acquire()).await;
    let _turn = turn.map_err(|_| Refused::Busy)?.map_err(|_| Refused::Busy)?;
    let shards = app.shards.len();
    let measured = app.shards.iter().enumerate().filter_map(|(index, shard)| {
        let ids: Vec<ConnectionId> = ids.iter().copied().filter(|id| id.shard(shards) == index).collect();
        (!ids.is_empty()).then_some(async move {
            let (answer, measured) = oneshot::channel();
            shard.send(Command::Measure { ids, answer }).await.map_err(|_| Refused::Busy)?;
            measured.await.map_err(|_| Refused::Busy)
        })
    });
    let mut round_trips = BTreeMap::new();
    for measured in join_all(measured).await {
        round_trips.extend(measured?.into_iter().map(|(id, took)| (id.to_string(), millis(took))));
    }
    Ok(NodesRoundTrips { node: app.nodes.own().to_string(), round_trips })
}

/// To a tenth of a millisecond.
fn millis(took: Duration) -> f64 {
    (took.as_secs_f64() * 10_000.0).round() / 10.0
}

async fn of(app: &App, node: &Alive, ids: &[ConnectionId]) -> Result<NodesRoundTrips, String> {
    let _turn = app.listings.asking().acquire().await.map_err(|error| error.to_string())?;
    let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let path = format!("/node/round-trips?ids={}", names.join(","));
    let (status, body) = app.peers.ask(&app.seal, node, Question::Wait(&path, DEADLINE), MOST_BYTES).await?;
    if !status.is_success() {
        return Err(format!("it answers {status}"));
    }
    let told: NodesRoundTrips =
        serde_json::from_slice(&body).map_err(|error| format!("its answer is none of this version: {error}"))?;
    if told.node != node.id.as_str() {
        return Err(format!("{} answers in its place", told.node));
    }
    // An answer from elsewhere is checked against the question.
    if told.round_trips.keys().all(|id| names.contains(id)) {
        Ok(told)
    } else {
        Err("its answer is none to this question".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(query: &str) -> Result<usize, BadQuestion> {
        asked(&format!("/connections/round-trips?{query}").parse().expect("a URI")).map(|ids| ids.len())
    }

    #[test]
    fn so_many_ids_are_asked_for_and_nothing_else() {
        let id = |bits: usize| ConnectionId::from_random(bits as u128).to_string();
        let some = |count: usize| (0..count).map(id).collect::<Vec<_>>().join(",");
        assert_eq!(ids(&format!("ids={}", some(MOST_MEASURED))), Ok(MOST_MEASURED));
        assert_eq!(ids(&format!("ids={},{}", id(7), id(7))), Ok(1), "each once");
        for wrong in [format!("ids={}", some(MOST_MEASURED + 1)), format!("ids={},x", id(1)), String::new()] {
            assert_eq!(ids(&wrong), Err(BadQuestion::Ids), "{wrong}");
        }
        assert!(matches!(ids(&format!("id={}", id(1))), Err(BadQuestion::Unknown { .. })));
        assert_eq!(millis(Duration::from_micros(12_345)).to_string(), "12.3");
    }
}
