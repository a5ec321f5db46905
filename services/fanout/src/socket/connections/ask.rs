//! Asks the shards of this node for their connections.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::oneshot;

use super::super::shard::Command;
use super::super::state::App;
use super::Refused;
use super::query::Asked;
use crate::connection::ConnectionId;
use crate::operator::connections::{Connection, NodesPage};
use crate::shard::Listing;

/// How long a shard may take: it looks in turns, between all else that it does.
const DEADLINE: Duration = Duration::from_millis(1500);

/// The connections of this node that are asked for.
pub(super) async fn own(app: &App, asked: &Asked) -> Result<NodesPage, Refused> {
    let turns = app.listings.turns();
    let looked = async {
        let _turn = turns.acquire().await.map_err(|_| Refused::Busy)?;
        from_shards(app, asked).await
    };
    tokio::time::timeout(DEADLINE, looked).await.unwrap_or(Err(Refused::Busy))
}

async fn from_shards(app: &App, asked: &Asked) -> Result<NodesPage, Refused> {
    let node = app.nodes.own().to_string();
    let pages = app.shards.iter().map(|shard| {
        let (answer, page) = oneshot::channel();
        let listing = Listing::new(asked.filter.clone(), asked.after, asked.limit);
        let command = Command::List { listing, node: node.clone(), answer };
        async move {
            shard.send(command).await.map_err(|_| Refused::Busy)?;
            page.await.map_err(|_| Refused::Busy)
        }
    });
    let (mut connections, mut more) = (Vec::new(), false);
    for page in join_all(pages).await {
        let (some, has_more) = page?;
        connections.extend(some);
        more |= has_more;
    }
    more |= in_order(&mut connections, asked.limit);
    Ok(NodesPage { node, connections, more })
}

/// The first `limit` by id, each once. True if there are more.
pub(super) fn in_order(connections: &mut Vec<Connection>, limit: usize) -> bool {
    connections.sort_by_cached_key(|connection| ConnectionId::parse(&connection.id));
    connections.dedup_by(|one, other| one.id == other.id);
    let more = connections.len() > limit;
    connections.truncate(limit);
    more
}
