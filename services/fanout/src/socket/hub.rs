//! The part of a hub that a request is for.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{Method, header};

use super::answer::Refusal;
use super::forward::Forwarded;
use super::header::one;
use super::state::App;
use super::{event_stream, long_polling, negotiate, refresh, web_socket};
use crate::clock::unix_seconds;
use crate::config::HubConfig;
use crate::websocket;

/// Finds the hub of a path and the part that is asked for; other paths are files of the page.
pub(super) async fn dispatch(State(app): State<Arc<App>>, request: Request) -> Response {
    // A proxy may have gone by the other one (RFC 9112 section 3.2).
    if let Err(refused) = one(request.headers(), header::HOST) {
        return Refusal::from(refused).into_response();
    }
    let (mut parts, body) = request.into_parts();
    match Forwarded::take(&app.seal, &mut parts, unix_seconds()) {
        Ok(None) => {}
        Ok(Some(forwarded)) => drop(parts.extensions.insert(forwarded)),
        Err(refused) => return Refusal::from(refused).into_response(),
    }
    let request = Request::from_parts(parts, body);
    let path = request.uri().path().to_ascii_lowercase();
    if let Some(hub) = path.strip_suffix("/negotiate").and_then(|path| app.hubs.find(path)) {
        return answer(negotiate(&app, &hub, request).await);
    }
    if let Some(hub) = path.strip_suffix("/refresh").and_then(|path| app.hubs.find(path)) {
        return refresh::refresh(&app, &hub, request).await;
    }
    if let Some(hub) = app.hubs.find(&path) {
        return answer(connect(app, hub, request).await);
    }
    app.page.file(request.method(), request.uri().path())
}

fn answer(outcome: Result<Response, Refusal>) -> Response {
    outcome.unwrap_or_else(IntoResponse::into_response)
}

async fn negotiate(app: &App, hub: &HubConfig, request: Request) -> Result<Response, Refusal> {
    if request.method() != Method::POST {
        return Err(Refusal::Method("POST"));
    }
    let (parts, _) = request.into_parts();
    negotiate::negotiate(app, hub, &parts).await
}

async fn connect(app: Arc<App>, hub: Arc<HubConfig>, request: Request<Body>) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    match parts.method {
        Method::GET => get(app, hub, parts).await,
        Method::POST => long_polling::post(&app, &hub, &parts, body).await,
        Method::DELETE => long_polling::delete(&app, &hub, &parts).await,
        _ => Err(Refusal::Method("GET, POST, DELETE")),
    }
}

/// Which transport a GET asks for.
async fn get(app: Arc<App>, hub: Arc<HubConfig>, parts: Parts) -> Result<Response, Refusal> {
    for name in [header::SEC_WEBSOCKET_KEY, header::SEC_WEBSOCKET_VERSION] {
        one(&parts.headers, name)?;
    }
    if let Some(accept) = websocket::check_upgrade(&parts.headers).map_err(Refusal::Upgrade)? {
        return web_socket::open(app, hub, parts, accept).await;
    }
    let mut accepts = parts.headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    if accepts.any(|accept| accept.contains("text/event-stream")) {
        return event_stream::open(&app, &hub, &parts).await;
    }
    long_polling::poll(&app, &hub, &parts).await
}
