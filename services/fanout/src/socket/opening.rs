//! From a request to a connection's opening, the same for all transports.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use tokio::sync::oneshot;

use super::answer::Refusal;
use super::bearer::{self, Ended};
use super::forward::Forwarded;
use super::negotiate::owner;
use super::query::Query;
use super::seat::{Hold, Seat};
use super::shard::{Arrival, Caller, Command, Denied, Opening};
use super::state::App;
use crate::clock::unix_seconds;
use crate::config::HubConfig;
use crate::connection::{ConnectionId, ConnectionToken, Home, Trail};
use crate::limit::Who;
use crate::vocabulary::Identity;

/// The longest cursor that is carried to the shard; a longer one was never issued.
const MAX_CURSOR_BYTES: usize = crate::seal::MAX_SEALED_BYTES;

/// The caller, and the connection of a hub that the request names.
pub(super) struct Asked {
    /// The token of negotiation; without one a WebSocket opens a connection of its own.
    pub token: Option<ConnectionToken>,
    /// The node that negotiated it, if known.
    home: Option<Home>,
    /// The identity of the caller.
    pub identity: Option<Identity>,
    /// Its ids in other systems.
    pub trail: Trail,
}

impl Asked {
    /// Reads token and identity of a request that opens a connection.
    pub(super) async fn of(app: &App, hub: &HubConfig, parts: &Parts) -> Result<Self, Refusal> {
        let asked = Self::within(app, hub, parts, 0, Ended::Refused).await?;
        bearer::check_org(app, hub, asked.identity.as_ref())?;
        Ok(asked)
    }

    /// The same for a bearer token that expired at most so many seconds ago.
    async fn within(app: &App, hub: &HubConfig, parts: &Parts, late: u32, ended: Ended) -> Result<Self, Refusal> {
        let id = Query::of(&parts.uri).one("id")?.filter(|id| !id.is_empty());
        let mut trail = Trail::of(&parts.headers);
        let (token, home) = match id {
            None => (None, None),
            Some(id) => {
                let token = ConnectionToken::open_with(&app.seal, &id).ok_or(Denied::Unknown);
                let (token, home, of_negotiation) = token.map_err(|denied| refused(app, denied))?;
                trail = trail.after(of_negotiation);
                (Some(token), home)
            }
        };
        let identity = bearer::identify_within(app, hub, parts, late, ended).await?;
        if token.is_some_and(|token| token.owner != owner(hub, identity.as_ref())) {
            return Err(refused(app, Denied::OtherUser));
        }
        Ok(Self { token, home, identity, trail })
    }

    /// The same, for requests that must name a connection. One that outlives its token takes them for as long.
    pub(super) async fn named(app: &App, hub: &HubConfig, parts: &Parts) -> Result<(ConnectionToken, Self), Refusal> {
        Self::named_within(app, hub, parts, Ended::Refused).await
    }

    /// The same, for requests that fetch what a connection was sent, including its end.
    pub(super) async fn fetching(
        app: &App,
        hub: &HubConfig,
        parts: &Parts,
    ) -> Result<(ConnectionToken, Self), Refusal> {
        Self::named_within(app, hub, parts, Ended::Told).await
    }

    async fn named_within(
        app: &App,
        hub: &HubConfig,
        parts: &Parts,
        ended: Ended,
    ) -> Result<(ConnectionToken, Self), Refusal> {
        if Query::of(&parts.uri).one("id")?.is_none_or(|id| id.is_empty()) {
            return Err(Refusal::MissingId);
        }
        let asked = Self::within(app, hub, parts, hub.after_expiry, ended).await?;
        Ok((asked.token.ok_or(Refusal::MissingId)?, asked))
    }

    /// The other node that has the connection, if one has.
    pub(super) fn elsewhere(&mut self, app: &App, parts: &Parts) -> Result<Option<Home>, Refusal> {
        let was_forwarded = parts.extensions.get::<Forwarded>().is_some();
        let elsewhere = app.edge.forwarder.elsewhere(self.home.take(), was_forwarded);
        elsewhere.map_err(|denied| refused(app, denied))
    }

    /// Asks the node that has the connection, and gives its answer back as it comes.
    pub(super) async fn forward(&self, app: &App, home: &Home, parts: &Parts, body: Body) -> Result<Response, Refusal> {
        app.edge.forwarder.forward(app, home, self.who(app, parts), parts, body).await
    }

    /// Whether the token may open a connection; one without negotiation always may.
    pub(super) fn may_open(&self) -> bool {
        self.token.is_none_or(|token| token.may_open(unix_seconds()))
    }

    /// By whom the connection is counted.
    pub(super) fn who(&self, app: &App, parts: &Parts) -> Who {
        app.edge.seats.who(self.identity.as_ref(), app.edge.address(parts))
    }

    /// What the shard needs to know; `seat` is the connection's, if it may open one.
    pub(super) fn arrival(
        self,
        app: &App,
        hub: &Arc<HubConfig>,
        parts: &Parts,
        seat: Option<Seat>,
    ) -> Result<Arrival, Refusal> {
        let query = Query::of(&parts.uri);
        let cursor = query.one("cursor")?.map(|cursor| cursor.into_owned());
        let opening = Opening {
            id: self.token.map_or_else(new_id, |token| token.id),
            token_expires: self.token.map(|token| token.expires),
            stateful: self.token.is_some_and(|token| token.stateful),
            hub: Arc::clone(hub),
            identity: self.identity,
            trail: self.trail,
            cursor: cursor.filter(|cursor| !cursor.is_empty() && cursor.len() <= MAX_CURSOR_BYTES),
            address: app.edge.address(parts),
            request: app.methods.request(&hub.path, parts),
        };
        Ok(Arrival { opening, hold: Hold::new(seat) })
    }
}

/// A fresh connection id.
pub(super) fn new_id() -> ConnectionId {
    ConnectionId::from_random(uuid::Uuid::new_v4().as_u128())
}

/// Asks the shard of a connection and waits for its answer.
pub(super) async fn ask<T>(
    app: &App,
    id: ConnectionId,
    command: impl FnOnce(oneshot::Sender<Result<T, Denied>>) -> Command,
) -> Result<T, Refusal> {
    let (answer, answered) = oneshot::channel();
    app.send(id, command(answer)).await;
    // A shard that is gone has no connections.
    let outcome = answered.await.unwrap_or(Err(Denied::Unknown));
    outcome.map_err(|denied| refused(app, denied))
}

/// Counts a denial.
pub(super) fn refused(app: &App, denied: Denied) -> Refusal {
    app.metrics.connect_refused(match denied {
        Denied::Unknown => "unknown_connection",
        Denied::OtherUser => "other_user",
        Denied::OtherTransport => "other_transport",
        Denied::Post | Denied::Delete => "not_for_transport",
        Denied::Active => "already_active",
        Denied::Replaced => "token_replaced",
    });
    Refusal::Connection(denied)
}

/// The caller of requests to an open connection.
pub(super) fn caller(id: ConnectionId, identity: Option<Identity>) -> Caller {
    Caller { id, identity }
}
