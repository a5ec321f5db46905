//! Reads the body of a request, bounded in bytes, number and time, for its sender and for the node.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use thiserror::Error;

use crate::connection::ConnectionId;
use crate::limit::{Bodies, BodyBounds, BodyScope, NoRoom, Owner};

/// Why a body is refused.
#[derive(Debug, Error)]
pub(super) enum BodyError {
    /// It is larger than so many bytes.
    #[error("the body has more than {0} bytes")]
    TooLarge(usize),
    /// It did not come in time.
    #[error("the body has not come within {} s", .0.as_secs())]
    Slow(Duration),
    /// It ended early, or its chunks are broken.
    #[error("the body ended early, or its chunks are broken")]
    Broken,
    /// Too many bodies are on their way.
    #[error("{}", no_room(*.0))]
    NoRoom(BodyScope),
}

fn no_room(scope: BodyScope) -> &'static str {
    match scope {
        BodyScope::Connection => "too many requests of this connection are on their way",
        BodyScope::User => "too many requests of this user are on their way",
        BodyScope::Node => "too many requests are on their way to this node",
    }
}

impl BodyError {
    /// The status that it is answered with.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
            Self::NoRoom(BodyScope::Node) => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoRoom(_) => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// The reason as a metric label.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "body_too_large",
            Self::Slow(_) => "body_slow",
            Self::Broken => "body_broken",
            Self::NoRoom(BodyScope::Connection) => "bodies_of_connection",
            Self::NoRoom(BodyScope::User) => "bodies_of_user",
            Self::NoRoom(BodyScope::Node) => "bodies_of_node",
        }
    }
}

impl From<NoRoom> for BodyError {
    fn from(NoRoom(scope): NoRoom) -> Self {
        Self::NoRoom(scope)
    }
}

/// Reads bodies within the bounds of a node.
#[derive(Debug)]
pub(super) struct BodyReader {
    rule: Arc<Mutex<Bodies>>,
    keys: RandomState,
    /// How long a body may take, in milliseconds.
    time: AtomicU64,
}

/// A body that was read. It counts against the bounds until it is dropped, so keep it until the request is answered.
#[derive(Debug)]
pub(super) struct ReadBody {
    /// The bytes.
    pub bytes: Bytes,
    _counted: Counted,
}

/// A body's share of the bounds.
#[derive(Debug)]
struct Counted {
    rule: Arc<Mutex<Bodies>>,
    owner: Owner,
    bytes: usize,
}

impl BodyReader {
    /// With no body on its way; one may take so long.
    pub(super) fn new(bounds: BodyBounds, time: Duration) -> Self {
        let rule = Arc::new(Mutex::new(Bodies::new(bounds)));
        Self { rule, keys: RandomState::new(), time: AtomicU64::new(millis(time)) }
    }

    /// Other bounds for the bodies that begin from now on.
    pub(super) fn set_bounds(&self, bounds: BodyBounds, time: Duration) {
        locked(&self.rule).set_bounds(bounds);
        self.time.store(millis(time), Ordering::Relaxed);
    }

    /// Reads a body of at most `limit` bytes. `user` is its sender, if known, and `connection` the one that it is
    /// posted to, if any.
    ///
    /// # Errors
    /// [`BodyError`]; what was read is lost.
    pub(super) async fn read(
        &self,
        body: Body,
        limit: usize,
        user: impl Hash,
        connection: Option<ConnectionId>,
    ) -> Result<ReadBody, BodyError> {
        let owner = Owner { user: self.keys.hash_one(user), connection: connection.map(ConnectionId::to_bits) };
        locked(&self.rule).begin(owner)?;
        let counted = Counted { rule: Arc::clone(&self.rule), owner, bytes: 0 };
        let time = Duration::from_millis(self.time.load(Ordering::Relaxed));
        let read = tokio::time::timeout(time, collect(body, limit, counted));
        read.await.map_err(|_| BodyError::Slow(time))?
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

async fn collect(mut body: Body, limit: usize, mut counted: Counted) -> Result<ReadBody, BodyError> {
    // A body that is announced as too large is not waited for.
    if body.size_hint().lower() > limit as u64 {
        return Err(BodyError::TooLarge(limit));
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // The trailers of a chunked body say nothing here.
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        if whole.len() + data.len() > limit {
            return Err(BodyError::TooLarge(limit));
        }
        counted.grow(data.len())?;
        whole.extend_from_slice(&data);
    }
    Ok(ReadBody { bytes: whole.freeze(), _counted: counted })
}

impl Counted {
    fn grow(&mut self, bytes: usize) -> Result<(), NoRoom> {
        locked(&self.rule).grow(self.owner, bytes)?;
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        locked(&self.rule).end(self.owner, self.bytes);
    }
}

fn locked(rule: &Mutex<Bodies>) -> MutexGuard<'_, Bodies> {
    // Each call leaves the counts in order, so a panic elsewhere does not spoil them.
    rule.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;

    use super::*;

    const BOUNDS: BodyBounds =
        BodyBounds { of_connection: 1, of_user: 2, bytes_of_user: 100, of_node: 10, bytes_of_node: 1000 };

    fn never() -> Body {
        let first = stream::once(async { Ok::<_, Infallible>(Bytes::from_static(b"half")) });
        Body::from_stream(futures_util::StreamExt::chain(first, stream::pending()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_slow_and_leaves_its_room() {
        let bodies = BodyReader::new(BOUNDS, Duration::from_secs(30));
        let connection = ConnectionId::from_random(1);
        let (first, second) = tokio::join!(bodies.read(never(), 50, "alice", Some(connection)), async {
            tokio::task::yield_now().await;
            bodies.read(Body::from("x"), 50, "alice", Some(connection)).await
        });
        assert!(matches!(first, Err(BodyError::Slow(_))), "{first:?}");
        assert!(matches!(second, Err(BodyError::NoRoom(BodyScope::Connection))), "{second:?}");
        let third = bodies.read(Body::from("whole"), 50, "alice", Some(connection)).await.expect("room again");
        assert_eq!(&*third.bytes, b"whole");
    }

    #[tokio::test]
    async fn a_body_counts_until_it_is_done_with() {
        let bodies = BodyReader::new(BOUNDS, Duration::from_secs(30));
        let held = bodies.read(Body::from(vec![b'x'; 60]), 60, "alice", None).await.expect("fits");
        let refused = bodies.read(Body::from(vec![b'x'; 60]), 60, "alice", None).await;
        assert!(matches!(refused, Err(BodyError::NoRoom(BodyScope::User))), "{refused:?}");
        assert!(bodies.read(Body::from(vec![b'x'; 60]), 60, "bob", None).await.is_ok());
        drop(held);
        assert!(bodies.read(Body::from(vec![b'x'; 60]), 60, "alice", None).await.is_ok());
    }

    #[tokio::test]
    async fn too_large_and_broken_are_distinguished() {
        let bodies = BodyReader::new(BOUNDS, Duration::from_secs(30));
        let large = bodies.read(Body::from(vec![b'x'; 61]), 60, "alice", None).await;
        assert!(matches!(large, Err(BodyError::TooLarge(60))), "{large:?}");
        let cut = stream::iter([Ok(Bytes::from_static(b"half")), Err(std::io::Error::other("cut"))]);
        let cut = bodies.read(Body::from_stream(cut), 60, "alice", None).await;
        assert!(matches!(cut, Err(BodyError::Broken)), "{cut:?}");
    }
}
