//! `POST {hub}/refresh`: another token for an open connection.
//!
//! Clients compare the error codes, and a request is checked in the same order as in ASP.NET.

mod elsewhere;

use std::sync::Arc;

use axum::Json;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};
use serde_json::json;
use tokio::sync::oneshot;

use crate::config::HubConfig;
use crate::connection::ConnectionToken;
use crate::socket::answer::{Ambiguous, Refusal};
use crate::socket::bearer;
use crate::socket::header::one;
use crate::socket::negotiate::{owner, seconds_left};
use crate::socket::query::Query;
use crate::socket::shard::{Command, Denied, NotRefreshed};
use crate::socket::state::App;
use crate::vocabulary::Identity;
pub use elsewhere::Passing;
pub(super) use elsewhere::{PATH as PASSED_ON, passed};

/// The header by which a client names its connection.
const CONNECTION_TOKEN: HeaderName = HeaderName::from_static("x-signalr-connection-token");

/// Where a connection is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// On this node, and then on the others.
    All,
    /// On this node: another one asks.
    Here,
}

/// Why a connection does not go on with another token.
enum Failure {
    /// The hub offers no refresh.
    Disabled,
    /// The request names no connection.
    MissingToken,
    /// There is no such connection.
    Unknown,
    /// It may be on a node that does not answer.
    Elsewhere,
    /// The connection was negotiated in the old form, whose clients do not know refresh.
    OldVersion,
    /// The token would make it another's, or does not allow it.
    Change,
    /// The request is refused as any other would be.
    Refused(Refusal),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<NotRefreshed> for Failure {
    fn from(reason: NotRefreshed) -> Self {
        match reason {
            NotRefreshed::Unknown => Self::Unknown,
            NotRefreshed::LoggedOut => Self::Refused(Refusal::Unauthorized),
            NotRefreshed::OtherCaller | NotRefreshed::Forbidden => Self::Change,
        }
    }
}

/// Answers a request to go on with another token.
pub(super) async fn refresh(app: &App, hub: &Arc<HubConfig>, request: Request) -> Response {
    if request.method() != Method::POST {
        return Refusal::Method("POST").into_response();
    }
    let (parts, _) = request.into_parts();
    let mut response = match replace(app, hub, &parts, Reach::All).await {
        Ok(left) => {
            app.metrics.token_refreshed("refreshed");
            answered(left)
        }
        Err(failure) => {
            let (code, response) = failure.answer();
            app.metrics.token_refreshed(code);
            response
        }
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The answer to a request that was carried out. Without an expiry there is nothing to come back for.
fn answered(left: Option<u64>) -> Response {
    Json(left.map_or_else(|| json!({}), |left| json!({ "tokenLifetimeSeconds": left }))).into_response()
}

/// Gives a connection its new token; returns for how many seconds the current one is valid.
async fn replace(app: &App, hub: &Arc<HubConfig>, parts: &Parts, reach: Reach) -> Result<Option<u64>, Failure> {
    if !hub.token_refresh {
        return Err(Failure::Disabled);
    }
    let named = named(parts).map_err(Refusal::from)?.ok_or(Failure::MissingToken)?;
    let token = ConnectionToken::open(&app.seal, &named).ok_or(Failure::Unknown)?;
    let hub_path = || Arc::clone(&hub.path);
    let (answer, holds) = oneshot::channel();
    app.send(token.id, Command::Holds { id: token.id, hub: hub_path(), answer }).await;
    if !holds.await.unwrap_or_default() {
        let others = if reach == Reach::All { app.peers.others() } else { Vec::new() };
        if others.is_empty() {
            return Err(Failure::Unknown);
        }
        // A client without a valid token makes the node ask no other node.
        identify(app, hub, &token, parts).await?;
        return elsewhere::ask(app, hub, parts, named, others).await;
    }
    if token.is_old {
        return Err(Failure::OldVersion);
    }
    let identity = identify(app, hub, &token, parts).await?;
    let (answer, refreshed) = oneshot::channel();
    app.send(token.id, Command::Refresh { id: token.id, hub: hub_path(), identity, answer }).await;
    // A shard that is gone has no connections.
    Ok(refreshed.await.unwrap_or(Err(NotRefreshed::Unknown))?.and_then(seconds_left))
}

/// The identity of the request's token, if it may be of that connection at all.
async fn identify(
    app: &App,
    hub: &HubConfig,
    token: &ConnectionToken,
    parts: &Parts,
) -> Result<Option<Identity>, Failure> {
    let identity = bearer::identify(app, hub, parts).await.map_err(|refusal| match refusal {
        Refusal::Org(_) | Refusal::Role | Refusal::Claim { .. } => Failure::Change,
        other => Failure::Refused(other),
    })?;
    if token.owner == owner(hub, identity.as_ref()) { Ok(identity) } else { Err(Failure::Change) }
}

/// The connection token of a request: in its header, or in its query, where previews of the clients put it.
fn named(parts: &Parts) -> Result<Option<String>, Ambiguous> {
    let header = one(&parts.headers, CONNECTION_TOKEN)?.map(str::to_owned);
    let query = || Query::of(&parts.uri).one("id").map(|id| id.map(|id| id.into_owned()));
    let named = if header.is_some() { header } else { query()? };
    Ok(named.filter(|named| !named.is_empty()))
}

impl Failure {
    /// The error code for the client, and the answer with it.
    fn answer(self) -> (&'static str, Response) {
        let (status, code) = match self {
            Self::Disabled => (StatusCode::NOT_FOUND, "refresh_disabled"),
            Self::MissingToken => (StatusCode::BAD_REQUEST, "missing_connection_token"),
            Self::Unknown => (StatusCode::NOT_FOUND, "connection_not_found"),
            Self::Elsewhere => return Self::later(),
            Self::OldVersion => (StatusCode::BAD_REQUEST, "unsupported_negotiate_version"),
            Self::Change => (StatusCode::FORBIDDEN, "permission_change_rejected"),
            Self::Refused(refusal) => return Self::refused(refusal),
        };
        (code, (status, Json(json!({ "error": code }))).into_response())
    }

    /// The answer if the connection may be on a node that does not answer just now.
    fn later() -> (&'static str, Response) {
        let code = "node_unavailable";
        let retry = [(header::RETRY_AFTER, HeaderValue::from_static("2"))];
        (code, (StatusCode::SERVICE_UNAVAILABLE, retry, Json(json!({ "error": code }))).into_response())
    }

    /// The answer to any request, in the form that this one has.
    fn refused(refusal: Refusal) -> (&'static str, Response) {
        let code = match &refusal {
            Refusal::Unauthorized => "invalid_token",
            Refusal::Origin => "origin_not_allowed",
            Refusal::KeysUnavailable => "keys_unavailable",
            Refusal::TooManyTokens(_) => "too_many_tokens",
            Refusal::Connection(Denied::OtherUser) => "permission_change_rejected",
            _ => "bad_request",
        };
        let mut response = refusal.into_response();
        *response.body_mut() = json!({ "error": code }).to_string().into();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.remove(header::CONTENT_LENGTH);
        (code, response)
    }
}
