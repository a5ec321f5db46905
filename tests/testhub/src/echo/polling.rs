//! Raw connections over HTTP: POSTs in, polls or an event stream out.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{StatusCode, header};

use super::connection::Connection;

const MAX_POST_BYTES: usize = 1024 * 1024;
const POLL_TIME: Duration = Duration::from_secs(90);

impl Connection {
    /// Accepts a payload.
    pub(super) async fn take(&self, body: Body) -> Response {
        match to_bytes(body, MAX_POST_BYTES).await {
            // If the queue is closed, there is no reader left.
            Ok(payload) => match self.payloads.send(payload).await {
                Ok(()) => StatusCode::OK.into_response(),
                Err(_) => StatusCode::NOT_FOUND.into_response(),
            },
            Err(_) => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        }
    }

    /// The first poll opens, the others wait for a payload. A refused one ends at once.
    pub(super) async fn poll(&self, welcome: bool) -> Response {
        if !welcome {
            self.end();
        }
        if !self.polled.swap(true, Ordering::Relaxed) {
            return StatusCode::OK.into_response();
        }
        let mut echoes = self.echoes.lock().await;
        tokio::select! {
            // An ended connection answers nothing more, even if a payload is left.
            biased;
            () = self.over.cancelled() => StatusCode::NO_CONTENT.into_response(),
            payload = echoes.recv() => payload.map_or(StatusCode::NO_CONTENT.into_response(), IntoResponse::into_response),
            () = tokio::time::sleep(POLL_TIME) => StatusCode::OK.into_response(),
        }
    }

    /// An event for each payload, until the connection is over.
    pub(super) fn events(self: Arc<Self>, welcome: bool) -> Response {
        if !welcome {
            self.end();
        }
        let first = stream::once(async { Bytes::from_static(b":\r\n") });
        let rest = stream::unfold(self, |connection| async {
            let payload = tokio::select! {
                biased;
                () = connection.over.cancelled() => return None,
                payload = async { connection.echoes.lock().await.recv().await } => payload?,
            };
            Some((event(&payload), connection))
        });
        let body = Body::from_stream(first.chain(rest).map(Ok::<_, Infallible>));
        ([(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache,no-store")], body)
            .into_response()
    }
}

/// A payload as an event: one `data` line for each of its lines.
fn event(payload: &[u8]) -> Bytes {
    let mut event = Vec::with_capacity(payload.len() + 12);
    for line in payload.split(|byte| *byte == b'\n') {
        event.extend_from_slice(b"data: ");
        event.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        event.extend_from_slice(b"\r\n");
    }
    event.extend_from_slice(b"\r\n");
    Bytes::from(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By chance alone it would be right half of the time.
    const TRIES: usize = 64;

    async fn ended_with_something_left() -> Arc<Connection> {
        let connection = Arc::<Connection>::default();
        assert_eq!(connection.poll(true).await.status(), StatusCode::OK, "the first poll opens");
        assert_eq!(connection.take(Body::from("late")).await.status(), StatusCode::OK);
        connection.end();
        connection
    }

    #[tokio::test]
    async fn a_poll_after_the_end_is_never_answered_with_a_payload() {
        for _ in 0..TRIES {
            let connection = ended_with_something_left().await;
            assert_eq!(connection.poll(true).await.status(), StatusCode::NO_CONTENT);
        }
    }

    #[tokio::test]
    async fn a_stream_after_the_end_brings_no_payload() {
        for _ in 0..TRIES {
            let connection = ended_with_something_left().await;
            let body = to_bytes(connection.events(true).into_body(), MAX_POST_BYTES).await.expect("it ends");
            assert_eq!(&body[..], b":\r\n");
        }
    }
}
