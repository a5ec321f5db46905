//! `GET {hub}` with an upgrade: from an HTTP request to a bare socket in a shard.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::answer::Refusal;
use super::opening::{Asked, ask, caller, refused};
use super::shard::{Command, Denied, Welcome};
use super::state::App;
use crate::config::{HubConfig, OriginPatterns};

/// Answers an opening handshake and hands the socket to a shard.
pub(super) async fn open(
    app: Arc<App>,
    hub: Arc<HubConfig>,
    mut parts: Parts,
    accept: String,
) -> Result<Response, Refusal> {
    app.check_not_draining()?;
    if !origin_allowed(&parts.headers, &app.cors.origins) {
        app.metrics.connect_refused("origin");
        return Err(Refusal::Origin);
    }
    let asked = Asked::of(&app, &hub, &parts).await?;
    let mut welcome = Welcome::New;
    if let Some(token) = asked.token {
        let caller = caller(token.id, asked.identity.clone());
        // Its shard knows whether the connection is open: then a stateful one may come back with its
        // token long after that has expired, and no other token opens a second connection.
        welcome = ask(&app, token.id, |answer| Command::MayOpen { caller, answer }).await?;
        if welcome == Welcome::New && !asked.may_open() {
            return Err(refused(&app, Denied::Unknown));
        }
    }
    // A connection that is open has its room already, also while its socket is lost.
    if welcome == Welcome::New {
        app.check_willing()?;
    }
    let Some(upgrade) = parts.extensions.remove::<OnUpgrade>() else {
        return Err(Refusal::Transport("WebSockets"));
    };
    let opening = asked.opening(&app, &hub, &parts);
    tokio::spawn(async move {
        if let Some((stream, read_ahead)) = bare_socket(upgrade).await {
            app.send(opening.id, Command::WebSocket { opening, stream, read_ahead }).await;
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
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
        // Copied: even an empty slice of it would keep the whole 8 KiB read buffer for the connection's life.
        Ok(stream) => Some((stream, bytes::Bytes::copy_from_slice(&parts.read_buf))),
        Err(error) => {
            tracing::warn!(%error, "a socket could not be taken out of its runtime");
            None
        }
    }
}

/// WebSockets have no CORS: a page of any origin could open one with the visitor's cookies or network
/// position, so the origin is checked here. Clients outside of browsers send none.
pub(super) fn origin_allowed(headers: &HeaderMap, origins: &OriginPatterns) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let same = origin.split_once("://").map(|(_, authority)| authority);
    (same.is_some() && same == host) || origins.contains(origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_the_pages_own_or_configured() {
        let origins = OriginPatterns::parse(["https://app.example.com"]).expect("an origin");
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
