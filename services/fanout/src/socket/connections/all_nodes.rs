//! The connections of all nodes: this node's, and those that the other nodes answer.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Semaphore;

use super::super::peers::Question;
use super::super::state::App;
use super::query::Asked;
use super::{Refused, ask};
use crate::connection::ConnectionId;
use crate::nodes::Alive;
use crate::operator::connections::{Listed, NodesPage};

/// How long another node may take.
const DEADLINE: Duration = Duration::from_secs(2);

/// The largest answer of one node: a page with as many groups as are named, of any length.
const MOST_BYTES: usize = 16 << 20;

/// How many questions a node answers at a time; others wait for their turn.
const AT_ONCE: usize = 4;

/// How many nodes are asked at a time.
const NODES_AT_ONCE: usize = 16;

/// How many questions for connections run at a time.
#[derive(Debug)]
pub struct Listings {
    turns: Semaphore,
    asking: Semaphore,
    measuring: Semaphore,
}

impl Default for Listings {
    fn default() -> Self {
        let [turns, measuring] = [AT_ONCE; 2].map(Semaphore::new);
        Self { turns, asking: Semaphore::new(NODES_AT_ONCE), measuring }
    }
}

impl Listings {
    /// Turns of those who ask other nodes.
    pub(in crate::socket) fn asking(&self) -> &Semaphore {
        &self.asking
    }

    /// Turns of those who wait for clients.
    pub(super) fn measuring(&self) -> &Semaphore {
        &self.measuring
    }

    pub(super) fn turns(&self) -> &Semaphore {
        &self.turns
    }
}

/// The connections of all nodes that are asked for.
pub(super) async fn of_all(app: &Arc<App>, asked: Asked) -> Result<Listed, Refused> {
    let others = app.peers.others();
    let (mine, theirs) = tokio::join!(ask::own(app, &asked), join_all(others.iter().map(|node| of(app, node, &asked))));
    let NodesPage { mut connections, mut more, .. } = mine?;
    let mut missing = Vec::new();
    for (node, page) in others.iter().zip(theirs) {
        match page {
            Ok(page) => {
                connections.extend(page.connections);
                more |= page.more;
            }
            Err(reason) => {
                tracing::warn!(node = %node.id, address = node.address, reason, "a node does not list its connections");
                missing.push(node.id.to_string());
            }
        }
    }
    more |= ask::in_order(&mut connections, asked.limit);
    let next = connections.last().map(|last| last.id.clone()).filter(|_| more);
    Ok(Listed { connections, next, missing })
}

/// The connections of one other node.
async fn of(app: &App, node: &Alive, asked: &Asked) -> Result<NodesPage, String> {
    let _turn = app.listings.asking().acquire().await.map_err(|error| error.to_string())?;
    let path = format!("/node/connections?{}", asked.to_query());
    let answer = tokio::time::timeout(DEADLINE, app.peers.ask(&app.seal, node, Question::Get(&path), MOST_BYTES));
    let (status, body) = answer.await.map_err(|_| "no answer in time".to_owned())??;
    if !status.is_success() {
        return Err(format!("it answers {status}"));
    }
    let page: NodesPage =
        serde_json::from_slice(&body).map_err(|error| format!("its answer is none of this version: {error}"))?;
    if page.node != node.id.as_str() {
        return Err(format!("{} answers in its place", page.node));
    }
    // An answer from elsewhere is checked against the question.
    let is_behind = |id: &str| ConnectionId::parse(id).is_some_and(|id| asked.after.is_none_or(|after| id > after));
    if page.connections.len() > asked.limit || !page.connections.iter().all(|connection| is_behind(&connection.id)) {
        return Err("its answer is none to this question".to_owned());
    }
    Ok(page)
}
