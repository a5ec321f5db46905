//! Which part of a hub a request is for.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::Method;

use super::answer::Refusal;
use super::query::Query;
use super::state::App;
use super::{connect, negotiate, page};
use crate::config::HubConfig;

/// Finds the hub of a path and what is asked of it; other paths are files of the page.
pub(super) async fn dispatch(State(app): State<Arc<App>>, request: Request) -> Response {
    let path = request.uri().path().to_ascii_lowercase();
    if let Some(hub) = path.strip_suffix("/negotiate").and_then(|path| app.hubs.find(path)).cloned() {
        return answer(negotiate(&app, &hub, request).await);
    }
    if let Some(hub) = app.hubs.find(&path).cloned() {
        return answer(connect(app, hub, request).await);
    }
    page::file(request.method(), request.uri().path())
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
    match *request.method() {
        Method::GET => connect::web_socket(app, hub, request).await,
        Method::POST | Method::DELETE if Query::of(request.uri()).get("id").is_none() => {
            Err(Refusal::MissingId)
        }
        Method::POST | Method::DELETE => Err(Refusal::UnknownConnection),
        _ => Err(Refusal::Method("GET, POST, DELETE")),
    }
}
