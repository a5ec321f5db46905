//! Listeners: their socket options, and the accept loop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use thiserror::Error;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::exchange::Exchange;
use super::handshake::{NoTls, TLS_IS_SPOKEN, shake};
use super::port::{Place, Port};
use super::stream::{Counted, Stream, knows_client};
use super::wire::{Unread, Wire};

/// How many connections may wait to be accepted. The library's 128 overflow when a few hundred tabs
/// return at once, and a dropped SYN costs the client a second.
const BACKLOG: i32 = 4096;

/// How many unsent bytes the kernel takes for one socket before it is full. Without it, a
/// client that stops reading takes 4 MB of kernel memory before the node notices.
const UNSENT_BYTES: u32 = 16 * 1024;

/// How long sent bytes may stay unacknowledged: finds the half-open connections that keepalive writes to.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// How much of a request's head is buffered: room for a token in the query and one in a header.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// How long requests under way may take once the node stops.
const FINISH: Duration = Duration::from_secs(2);

/// The address cannot be listened on.
#[derive(Debug, Error)]
#[error("cannot listen on {address}: {}", reason(.source))]
pub struct BindError {
    /// The address.
    address: SocketAddr,
    /// The operating system's error.
    source: std::io::Error,
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => "the port is in use by another process".to_owned(),
        std::io::ErrorKind::PermissionDenied => "this user may not use the port".to_owned(),
        _ => error.to_string(),
    }
}

/// Binds an address.
///
/// # Errors
/// [`BindError`] in a plain sentence, for instance if the port is in use.
pub fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    listener(address).map_err(|source| BindError { address, source })
}

fn listener(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A node that restarts must get its port back though old connections linger.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// The answer to a connection for which there is no room.
const NO_ROOM: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 2\r\ncontent-type: \
    text/plain\r\ncontent-length: 45\r\n\r\nThe server has no room for another connection";

/// Why a TCP connection was not served to its end.
#[derive(Debug)]
pub enum Unserved {
    /// There is no room for it.
    NoRoom,
    /// It gave way to another one.
    GaveWay,
    /// Its handshake failed.
    NoTls(NoTls),
}

impl Unserved {
    /// The reason as a metric label.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::NoRoom => "http_connections",
            Self::GaveWay => "http_gave_way",
            Self::NoTls(reason) => reason.label(),
        }
    }
}

/// Accepts and serves until `shutdown`, then lets running requests finish for a moment. `unserved` learns of
/// connections that were refused or closed to make room.
///
/// Connections that were upgraded are not waited for: they belong to their shard.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    port: Arc<Port>,
    unserved: impl Fn(Unserved, SocketAddr) + Clone + Send + Sync + 'static,
    shutdown: CancellationToken,
) {
    let requests = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: those that wait stay in the backlog meanwhile.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        if let Err(error) = prepare(&stream) {
            tracing::debug!(%error, "a socket does not take its options");
            continue;
        }
        let Ok((place, gives_way)) = port.arrive() else {
            unserved(Unserved::NoRoom, peer);
            if port.tls().is_none() {
                // It fits into the empty buffer of the kernel; a client that sends more has no use for it.
                let _ = stream.try_write(NO_ROOM);
            }
            continue;
        };
        let arrived = Arrived { tcp: stream, peer, place, port: Arc::clone(&port) };
        let (connection, told) = (one(arrived, router.clone(), unserved.clone(), shutdown.clone()), unserved.clone());
        requests.spawn(async move {
            tokio::select! {
                () = connection => {}
                // It waits for a request, so nothing is lost but a half head.
                () = gives_way.notified() => told(Unserved::GaveWay, peer),
            }
        });
    }
    drop(listener);
    requests.close();
    // Unfinished ones are cut off; the process is about to end.
    let _ = tokio::time::timeout(FINISH, requests.wait()).await;
}

/// A TCP connection that has its place.
struct Arrived {
    tcp: TcpStream,
    peer: SocketAddr,
    place: Arc<Place>,
    port: Arc<Port>,
}

/// Serves one connection; once the node stops, the request under way is its last.
async fn one(arrived: Arrived, router: Router, unserved: impl Fn(Unserved, SocketAddr), shutdown: CancellationToken) {
    let Arrived { tcp, peer, place, port } = arrived;
    let (head, unread) = (Arc::new(AtomicBool::new(true)), Unread::default());
    let counted = Counted { tcp, place: Arc::clone(&place), head: Arc::clone(&head) };
    let stream = match port.tls() {
        None => Stream::Left(counted),
        Some(tls) => {
            let admit = || port.handshakes.admit(peer.ip(), Instant::now());
            let shaken = tokio::select! {
                // In a box: it is over soon, and would make the task of each connection as large.
                shaken = Box::pin(shake(counted, tls.now(), port.patience, admit)) => shaken,
                () = shutdown.cancelled() => return,
            };
            match shaken {
                Ok(stream) => stream,
                Err((reason, plain)) => {
                    unserved(Unserved::NoTls(reason), peer);
                    return Box::pin(say_that_tls_is_spoken(plain)).await;
                }
            }
        }
    };
    let knows_client = knows_client(&stream);
    let wire = Wire::new(stream, unread.clone());
    let exchange = Exchange { router, peer, place, head, unread, knows_client };
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(port.patience)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(wire), exchange)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}

/// Tells clients that do not speak TLS, as most of them speak HTTP and somebody will wonder.
async fn say_that_tls_is_spoken(plain: Option<Counted>) {
    let Some(plain) = plain else { return };
    let unread = Unread::default();
    unread.set();
    let mut wire = Wire::new(Stream::Left(plain), unread);
    if wire.write_all(TLS_IS_SPOKEN).await.is_ok() {
        // It may have left.
        let _ = wire.shutdown().await;
    }
}

fn prepare(stream: &TcpStream) -> std::io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_notsent_lowat(UNSENT_BYTES)?;
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))
}
