//! `GET {hub}` as a poll, `POST` of a client's messages, `DELETE` at the end.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use tokio::sync::oneshot;

use super::answer::Refusal;
use super::opening::{Asked, ask, caller};
use super::shard::{Command, Denied, PollAnswer};
use super::state::App;
use crate::config::HubConfig;

/// The largest body of a POST: many hub messages may come at once, each bounded by itself.
const MAX_POST_BYTES: usize = 1024 * 1024;

/// Takes a poll and answers it when there is something to say.
pub(super) async fn poll(app: &App, hub: &Arc<HubConfig>, parts: &Parts) -> Result<Response, Refusal> {
    let (token, identity) = Asked::named(app, hub, parts).await?;
    let asked = Asked { token: Some(token), identity };
    // Only opening needs room and readiness; a connection that is open goes on.
    let (wanted, willing) = (asked.may_open(), app.willing());
    let may_open = wanted && willing.is_ok();
    let opening = asked.opening(app, hub, parts);
    let (poll, polled) = oneshot::channel();
    let asked = ask(app, token.id, |answer| Command::Poll { opening, may_open, poll, answer }).await;
    asked.map_err(|refusal| unless_unwilling(app, refusal, wanted))?;
    let mut response = match polled.await {
        Ok(PollAnswer::Messages(messages)) => messages.into_response(),
        // The shard is gone, and the connection with it.
        Ok(PollAnswer::Over) | Err(_) => StatusCode::NO_CONTENT.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache,no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// Takes messages of a client whose transport has no way back of its own.
pub(super) async fn post(app: &App, hub: &Arc<HubConfig>, parts: &Parts, body: Body) -> Result<Response, Refusal> {
    let (token, identity) = Asked::named(app, hub, parts).await?;
    let bytes = to_bytes(body, MAX_POST_BYTES).await.map_err(|_| Refusal::TooLarge(MAX_POST_BYTES))?;
    let asked = Asked { token: Some(token), identity };
    let (wanted, willing) = (asked.may_open(), app.willing());
    let may_open = wanted && willing.is_ok();
    let opening = asked.opening(app, hub, parts);
    let asked = ask(app, token.id, |answer| Command::Post { opening, may_open, bytes, answer }).await;
    asked.map_err(|refusal| unless_unwilling(app, refusal, wanted))?;
    Ok(StatusCode::OK.into_response())
}

/// A connection that could have been opened but for the state of the node is told that.
fn unless_unwilling(app: &App, refusal: Refusal, wanted: bool) -> Refusal {
    if wanted
        && matches!(refusal, Refusal::Connection(Denied::Unknown))
        && let Err(unwilling) = app.check_willing()
    {
        return unwilling.into();
    }
    refusal
}

/// Ends a long-polling connection.
pub(super) async fn delete(app: &App, hub: &HubConfig, parts: &Parts) -> Result<Response, Refusal> {
    let (token, identity) = Asked::named(app, hub, parts).await?;
    let caller = caller(token.id, identity);
    ask(app, token.id, |answer| Command::Delete { caller, answer }).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}
