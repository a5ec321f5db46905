//! `GET {hub}` with an upgrade: from an HTTP request to a bare socket in a shard.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderMap, StatusCode, header, request::Parts};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::answer::Refusal;
use super::bearer;
use super::negotiate::owner;
use super::query::Query;
use super::shard::OpenSocket;
use super::state::App;
use crate::clock::unix_seconds;
use crate::config::HubConfig;
use crate::connection::{ConnectionId, ConnectionToken, Identity};
use crate::websocket;

/// The longest cursor that is carried to the shard; a longer one was never issued.
const MAX_CURSOR_BYTES: usize = crate::seal::MAX_SEALED_BYTES;

/// Answers an opening handshake and hands the socket to a shard.
pub(super) async fn web_socket(
    app: Arc<App>,
    hub: Arc<HubConfig>,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let Some(accept) = websocket::check_upgrade(&parts.headers).map_err(Refusal::Upgrade)? else {
        return Err(other_transport(&parts));
    };
    app.check_willing()?;
    if !origin_allowed(&parts.headers, &app.origins) {
        app.metrics.connect_refused("origin");
        return Err(Refusal::Origin);
    }
    let identity = bearer::identify(&app, &hub, &parts).await?;
    let id = connection_id(&app, &hub, identity.as_ref(), &parts)?;
    let cursor = Query::of(&parts.uri).get("cursor").map(|cursor| cursor.into_owned());
    let cursor = cursor.filter(|cursor| !cursor.is_empty() && cursor.len() <= MAX_CURSOR_BYTES);
    let Some(upgrade) = parts.extensions.remove::<OnUpgrade>() else {
        return Err(Refusal::Transport("WebSockets"));
    };
    tokio::spawn(async move {
        if let Some((stream, read_ahead)) = bare_socket(upgrade).await {
            app.hand_over(OpenSocket { stream, read_ahead, id, hub, identity, cursor }).await;
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, http::HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, http::HeaderValue::from_static("websocket"));
    if let Ok(accept) = accept.parse() {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    Ok(response)
}

/// Takes the TCP socket out of its HTTP wrapping: the wrapping costs memory per idle connection and a
/// layer per write.
async fn bare_socket(upgrade: OnUpgrade) -> Option<(std::net::TcpStream, bytes::Bytes)> {
    let upgraded = match upgrade.await {
        Ok(upgraded) => upgraded,
        Err(error) => {
            tracing::debug!(%error, "the client left during the upgrade");
            return None;
        }
    };
    let Ok(parts) = upgraded.downcast::<TokioIo<TcpStream>>() else {
        tracing::error!("an upgraded connection is not a TCP socket");
        return None;
    };
    match parts.io.into_inner().into_std() {
        Ok(stream) => Some((stream, parts.read_buf)),
        Err(error) => {
            tracing::warn!(%error, "a socket could not be taken out of its runtime");
            None
        }
    }
}

fn connection_id(
    app: &App,
    hub: &HubConfig,
    identity: Option<&Identity>,
    parts: &Parts,
) -> Result<ConnectionId, Refusal> {
    // Without an id the client has skipped negotiation: a connection of its own.
    let Some(id) = Query::of(&parts.uri).get("id") else {
        return Ok(ConnectionId::from_random(uuid::Uuid::new_v4().as_u128()));
    };
    let token = ConnectionToken::open(&app.seal, &id, unix_seconds()).ok_or_else(|| {
        app.metrics.connect_refused("unknown_connection");
        Refusal::UnknownConnection
    })?;
    if token.owner != owner(hub, identity) {
        app.metrics.connect_refused("other_user");
        return Err(Refusal::OtherUser);
    }
    Ok(token.id)
}

fn other_transport(parts: &Parts) -> Refusal {
    let accept = parts.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if Query::of(&parts.uri).get("id").is_none() {
        Refusal::MissingId
    } else if accept.is_some_and(|accept| accept.contains("text/event-stream")) {
        Refusal::Transport("ServerSentEvents")
    } else {
        Refusal::Transport("LongPolling")
    }
}

/// WebSockets have no CORS: a page of any origin could open one with the visitor's cookies or network
/// position, so the origin is checked here. Clients outside of browsers send none.
fn origin_allowed(headers: &HeaderMap, origins: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let same = origin.split_once("://").map(|(_, authority)| authority);
    (same.is_some() && same == host) || origins.iter().any(|known| known.eq_ignore_ascii_case(origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_the_pages_own_or_configured() {
        let origins = ["https://app.example.com".to_owned()];
        for (origin, allowed) in [
            (None, true),
            (Some("http://127.0.0.1:8080"), true),
            (Some("https://app.example.com"), true),
            (Some("https://APP.example.com"), true),
            (Some("https://evil.example"), false),
            (Some("null"), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "127.0.0.1:8080".parse().expect("valid"));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().expect("valid"));
            }
            assert_eq!(origin_allowed(&headers, &origins), allowed, "{origin:?}");
        }
    }
}
