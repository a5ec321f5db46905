//! `GET {hub}` for an event stream: a response that stays open.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::request::Parts;
use http::{HeaderValue, header};
use tokio::sync::mpsc;

use super::answer::Refusal;
use super::opening::{Asked, ask, refused};
use super::shard::{Command, Denied, EVENTS_AHEAD};
use super::state::App;
use crate::config::HubConfig;
use crate::limit::Who;

/// A comment that opens the stream: Firefox reports it as open only after the first data.
const OPENING: &[u8] = b":\r\n";

/// Opens an event stream.
pub(super) async fn open(app: &App, hub: &Arc<HubConfig>, parts: &Parts) -> Result<Response, Refusal> {
    app.check_accepting(Who::default())?;
    let (token, mut asked) = Asked::named(app, hub, parts).await?;
    if let Some(home) = asked.elsewhere(app, parts)? {
        return asked.forward(app, &home, parts, Body::empty()).await;
    }
    if !asked.may_open() {
        return Err(refused(app, Denied::Unknown));
    }
    let (events, frames) = mpsc::channel(EVENTS_AHEAD);
    let seat = app.take_seat(asked.who(app, parts), None).inspect_err(|refusal| app.count(*refusal))?;
    let arrival = asked.arrival(app, hub, parts, Some(seat))?;
    ask(app, token.id, |answer| Command::EventStream { arrival, events, answer }).await?;
    let first = stream::once(async { Bytes::from_static(OPENING) });
    let rest = stream::unfold(frames, |mut frames| async { frames.recv().await.map(|frame| (frame, frames)) });
    let mut response = Response::new(Body::from_stream(first.chain(rest).map(Ok::<_, Infallible>)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache,no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    // A proxy that compresses or buffers would hold messages back.
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}
