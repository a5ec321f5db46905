//! One request and its answer on a connection: what both mean for the connection itself.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tower::ServiceExt as _;

use super::client::{KnownClient, Peer};
use super::port::Place;
use super::wire::Unread;

/// Answers the requests of one connection.
#[derive(Debug, Clone)]
pub(super) struct Exchange {
    pub(super) router: Router,
    pub(super) peer: SocketAddr,
    pub(super) place: Arc<Place>,
    /// Whether a head is on its way.
    pub(super) head: Arc<AtomicBool>,
    pub(super) unread: Unread,
    /// Whether the client has shown a certificate that was asked for.
    pub(super) knows_client: bool,
}

impl hyper::service::Service<Request<Incoming>> for Exchange {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.head.store(false, Ordering::Relaxed);
        self.place.begin();
        Box::pin(self.clone().answer(request))
    }
}

impl Exchange {
    async fn answer(self, mut request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        let keeps_alive = keeps_alive(&request);
        let ended = Arc::new(AtomicBool::new(request.body().is_end_stream()));
        request.extensions_mut().insert(Peer(self.peer));
        if self.knows_client {
            request.extensions_mut().insert(KnownClient);
        }
        let request = match ended.load(Ordering::Relaxed) {
            true => request.map(Body::new),
            false => request.map(|body| Body::new(Watched { body, ended: Arc::clone(&ended) })),
        };
        let mut response = self.router.clone().oneshot(request).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(response);
        }
        let unread = !ended.load(Ordering::Relaxed);
        if unread {
            self.unread.set();
        }
        // What follows an unread rest of a body cannot be found and would be lost: the client must not send it.
        if unread || !keeps_alive {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response.map(|body| Body::new(Answered { body, exchange: self })))
    }
}

/// Whether a client would reuse its connection. In HTTP/1.0 it must ask for that, and some clients keep the connection
/// open if the answer says nothing.
fn keeps_alive(request: &Request<Incoming>) -> bool {
    let says = |word: &str| {
        let values = request.headers().get_all(header::CONNECTION);
        let mut parts = values.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        parts.any(|part| part.trim().eq_ignore_ascii_case(word))
    };
    if request.version() < Version::HTTP_11 { says("keep-alive") } else { !says("close") }
}

/// A request's body that notes whether it was read to its end.
struct Watched {
    body: Incoming,
    ended: Arc<AtomicBool>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        // After an error nothing else can be read either, but its rest may come.
        let ended = frame.is_none() || self.body.is_end_stream() && !matches!(frame, Some(Err(_)));
        self.ended.fetch_or(ended, Ordering::Relaxed);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body: once it is sent the connection waits for the next request.
struct Answered {
    body: Body,
    exchange: Exchange,
}

impl HttpBody for Answered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        self.exchange.head.store(true, Ordering::Relaxed);
        self.exchange.place.wait();
    }
}
