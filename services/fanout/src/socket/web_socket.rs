//! `GET {hub}` with an upgrade: from an HTTP request to a bare socket, or a TLS one, in a shard.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::answer::Refusal;
use super::opening::{Asked, ask, caller, refused};
use super::origin::Foreign;
use super::port::Place;
use super::shard::{Command, Denied, Welcome};
use super::state::App;
use super::stream::{Bare, into_bare};
use super::wire::Wire;
use crate::config::HubConfig;

/// Answers an opening handshake and hands the socket to a shard.
pub(super) async fn open(
    app: Arc<App>,
    hub: Arc<HubConfig>,
    mut parts: Parts,
    accept: String,
) -> Result<Response, Refusal> {
    app.check_not_draining()?;
    if let Err(Foreign { origin, host }) = app.edge.origins.check(&app.edge.proxies, &parts)? {
        app.metrics.connect_refused("origin");
        if app.edge.may_say("origin") {
            tracing::warn!(hub = &*hub.path, origin, host, "WebSocket refused: the page is of another origin");
        }
        return Err(Refusal::Origin);
    }
    let asked = Asked::of(&app, &hub, &parts).await?;
    let who = asked.who(&app, &parts);
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
    // A negotiated connection is paid for; another socket of one costs as much as a connection.
    if asked.token.is_none() || welcome == Welcome::Again {
        app.pay(who)?;
    }
    // A connection that is open has its seat already, also while its socket is lost.
    let seat = match welcome {
        Welcome::New => Some(app.take_seat(who, None).inspect_err(|refusal| app.count(*refusal))?),
        Welcome::Again => None,
    };
    let Some(upgrade) = parts.extensions.remove::<OnUpgrade>() else {
        return Err(Refusal::Transport("WebSockets"));
    };
    let arrival = asked.arrival(&app, &hub, &parts, seat)?;
    tokio::spawn(async move {
        if let Some((stream, place, read_ahead)) = bare_socket(upgrade).await {
            arrival.hold.keep(place);
            app.send(arrival.opening.id, Command::WebSocket { arrival, stream, read_ahead }).await;
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
async fn bare_socket(upgrade: OnUpgrade) -> Option<(Bare, Arc<Place>, bytes::Bytes)> {
    let upgraded = match upgrade.await {
        Ok(upgraded) => upgraded,
        Err(error) => {
            tracing::debug!(%error, "the client left during the upgrade");
            return None;
        }
    };
    let Ok(parts) = upgraded.downcast::<TokioIo<Wire>>() else {
        tracing::error!("an upgraded connection is not a TCP socket");
        return None;
    };
    match into_bare(parts.io.into_inner().into_stream()) {
        // Copied: even an empty slice of it would keep the whole 8 KiB read buffer for the connection's life.
        Ok((stream, place)) => {
            place.upgrade();
            Some((stream, place, bytes::Bytes::copy_from_slice(&parts.read_buf)))
        }
        Err(error) => {
            tracing::warn!(%error, "the socket of a WebSocket could not be handed to its shard");
            None
        }
    }
}
