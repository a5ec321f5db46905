//! `GET {hub}` as a poll, `POST` of a client's messages, `DELETE` at the end.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use tokio::sync::oneshot;

use super::answer::Refusal;
use super::bearer;
use super::opening::{Asked, ask, caller};
use super::seat::Seat;
use super::shard::{Arrival, Command, Denied, PollAnswer};
use super::state::{App, NotAccepting};
use crate::config::HubConfig;

/// The largest body of a POST: many hub messages may come at once, each bounded by itself.
const MAX_POST_BYTES: usize = 1024 * 1024;

/// Takes a poll and answers it when there is something to say.
pub(super) async fn poll(app: &App, hub: &Arc<HubConfig>, parts: &Parts) -> Result<Response, Refusal> {
    // A logout and the end after it may come with two polls, and the token of the second is no longer valid.
    let (token, mut asked) = Asked::fetching(app, hub, parts).await?;
    if let Some(home) = asked.elsewhere(app, parts)? {
        return asked.forward(app, &home, parts, Body::empty()).await;
    }
    let is_logged_out = bearer::is_logged_out(app, asked.identity.as_ref());
    // Only opening needs room and readiness; an open connection continues.
    let seat = if is_logged_out { None } else { seat(app, &asked, parts) };
    let (arrival, may_open, not_accepting) = offer(app, hub, parts, asked, seat)?;
    let (poll, polled) = oneshot::channel();
    let asked = ask(app, token.id, |answer| Command::Poll { arrival, may_open, poll, answer }).await;
    asked.map_err(|refusal| match refusal {
        Refusal::Connection(Denied::Unknown) if is_logged_out => bearer::refuse_logged_out(app, parts),
        refusal => unless_not_accepting(app, refusal, not_accepting),
    })?;
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
    let (token, mut asked) = Asked::named(app, hub, parts).await?;
    let elsewhere = asked.elsewhere(app, parts)?;
    let identity = asked.identity.as_ref();
    // Nobody in particular is one user of each public hub.
    let user = (&hub.path, identity.map(|identity| (&identity.claims().realm, &identity.claims().user)));
    let body = app.edge.bodies.read(body, MAX_POST_BYTES, user, Some(token.id)).await;
    let body = body.inspect_err(|error| app.metrics.http_refused(error.label()))?;
    let bytes = body.bytes.clone();
    if let Some(home) = elsewhere {
        return asked.forward(app, &home, parts, Body::from(bytes)).await;
    }
    let seat = seat(app, &asked, parts);
    let (arrival, may_open, not_accepting) = offer(app, hub, parts, asked, seat)?;
    let asked = ask(app, token.id, |answer| Command::Post { arrival, may_open, bytes, answer }).await;
    asked.map_err(|refusal| unless_not_accepting(app, refusal, not_accepting))?;
    Ok(StatusCode::OK.into_response())
}

/// Only opening needs a seat and a ready node; an open connection continues. The requests that may open it share one
/// seat.
fn seat(app: &App, asked: &Asked, parts: &Parts) -> Option<Result<Seat, NotAccepting>> {
    let id = asked.token.map(|token| token.id);
    asked.may_open().then(|| app.take_seat(asked.who(app, parts), id))
}

/// The request for the shard, whether it may open the connection, and why not although the token would allow it.
fn offer(
    app: &App,
    hub: &Arc<HubConfig>,
    parts: &Parts,
    asked: Asked,
    seat: Option<Result<Seat, NotAccepting>>,
) -> Result<(Arrival, bool, Option<NotAccepting>), Refusal> {
    let (seat, not_accepting) = match seat {
        None => (None, None),
        Some(Ok(seat)) => (Some(seat), None),
        Some(Err(not_accepting)) => (None, Some(not_accepting)),
    };
    let may_open = seat.is_some();
    Ok((asked.arrival(app, hub, parts, seat)?, may_open, not_accepting))
}

/// The answer if only the state of the node prevents the connection from opening.
fn unless_not_accepting(app: &App, refusal: Refusal, not_accepting: Option<NotAccepting>) -> Refusal {
    match (refusal, not_accepting) {
        (Refusal::Connection(Denied::Unknown), Some(not_accepting)) => {
            app.count(not_accepting);
            not_accepting.into()
        }
        (refusal, _) => refusal,
    }
}

/// Ends a long-polling connection.
pub(super) async fn delete(app: &App, hub: &HubConfig, parts: &Parts) -> Result<Response, Refusal> {
    let (token, mut asked) = Asked::named(app, hub, parts).await?;
    if let Some(home) = asked.elsewhere(app, parts)? {
        return asked.forward(app, &home, parts, Body::empty()).await;
    }
    let caller = caller(token.id, asked.identity);
    ask(app, token.id, |answer| Command::Delete { caller, answer }).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}
