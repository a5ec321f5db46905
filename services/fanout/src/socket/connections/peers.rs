//! Asking the other nodes, over HTTP at their operator's ports.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Client;
use reqwest::redirect::Policy;
use tokio::sync::Semaphore;

use super::super::state::App;
use super::query::Asked;
use super::{Refused, ask};
use crate::clock::unix_seconds;
use crate::connection::ConnectionId;
use crate::nodes::Alive;
use crate::operator::connections::{Listed, NodesPage};
use crate::operator::{self, Role};

/// How long another node may take.
const DEADLINE: Duration = Duration::from_secs(2);

/// The largest answer of one node: a page with as many groups as are named, of any length.
const MOST_BYTES: usize = 16 << 20;

/// How many questions a node answers at a time; others wait for their turn.
const AT_ONCE: usize = 4;

/// How many nodes are asked at a time.
const NODES_AT_ONCE: usize = 16;

/// How connections are asked for: the way to the other nodes, and how much of it goes on at a time.
#[derive(Debug)]
pub struct Listings {
    client: Client,
    turns: Semaphore,
    asking: Semaphore,
}

impl Listings {
    /// A way to ask them.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn new() -> Result<Self, reqwest::Error> {
        let client = Client::builder().redirect(Policy::none()).timeout(DEADLINE).connect_timeout(DEADLINE).no_proxy();
        Ok(Self { client: client.build()?, turns: Semaphore::new(AT_ONCE), asking: Semaphore::new(NODES_AT_ONCE) })
    }

    pub(super) fn turns(&self) -> &Semaphore {
        &self.turns
    }
}

/// The connections of all nodes that are asked for.
pub(super) async fn of_all(app: &Arc<App>, asked: Asked) -> Result<Listed, Refused> {
    let own = app.nodes.own();
    let others: Vec<Alive> = app.nodes.alive().into_iter().filter(|node| node.id != own).collect();
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
                tracing::warn!(node = %node.id, address = node.address, reason, "a node does not tell its connections");
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
    let address = node.address.as_deref().ok_or("its address is not known")?;
    let _turn = app.listings.asking.acquire().await.map_err(|error| error.to_string())?;
    let page = tokio::time::timeout(DEADLINE, fetch(app, address, asked)).await;
    let page = page.map_err(|_| "no answer in time".to_owned())??;
    if page.node != node.id.as_str() {
        return Err(format!("{} answers in its place", page.node));
    }
    // What comes from elsewhere is held to what was asked for.
    let is_behind = |id: &str| ConnectionId::parse(id).is_some_and(|id| asked.after.is_none_or(|after| id > after));
    if page.connections.len() > asked.limit || !page.connections.iter().all(|connection| is_behind(&connection.id)) {
        return Err("its answer is none to this question".to_owned());
    }
    Ok(page)
}

async fn fetch(app: &App, address: &str, asked: &Asked) -> Result<NodesPage, String> {
    let bearer = operator::bearer(&app.seal, Role::Node, unix_seconds());
    let url = format!("http://{address}/node/connections?{}", asked.to_query());
    let mut answer =
        app.listings.client.get(url).bearer_auth(bearer).send().await.map_err(|error| error.to_string())?;
    if !answer.status().is_success() {
        return Err(format!("it answers {}", answer.status()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| error.to_string())? {
        if body.len() + chunk.len() > MOST_BYTES {
            return Err("its answer is too long".to_owned());
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).map_err(|error| format!("its answer is none of this version: {error}"))
}
