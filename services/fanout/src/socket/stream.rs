//! The bytes of a TCP connection of the HTTP side, plain or with TLS.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use rustls::ServerConnection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::port::Place;

/// A TCP connection whose bytes are counted while a request head is arriving, or the handshake before it.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) tcp: TcpStream,
    pub(super) place: Arc<Place>,
    /// Whether a head is arriving; shared with the request's handler.
    pub(super) head: Arc<AtomicBool>,
}

/// The stream under HTTP: TCP, or TLS over it.
pub(super) type Stream = Either<Counted, Box<TlsStream<Counted>>>;

/// A connection without its HTTP wrapping, registered with no runtime.
#[derive(Debug)]
pub enum Bare {
    /// TCP.
    Plain(std::net::TcpStream),
    /// TLS over TCP.
    Tls(std::net::TcpStream, Box<ServerConnection>),
}

/// Whether a certificate of the client's was asked for and is good.
pub(super) fn knows_client(stream: &Stream) -> bool {
    match stream {
        Either::Left(_) => false,
        Either::Right(tls) => tls.get_ref().1.peer_certificates().is_some(),
    }
}

/// Takes a connection out of its runtime, with its place.
pub(super) fn into_bare(stream: Stream) -> io::Result<(Bare, Arc<Place>)> {
    match stream {
        Either::Left(counted) => Ok((Bare::Plain(counted.tcp.into_std()?), counted.place)),
        Either::Right(tls) => {
            let (counted, session) = tls.into_inner();
            Ok((Bare::Tls(counted.tcp.into_std()?, Box::new(session)), counted.place))
        }
    }
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.tcp).poll_read(cx, buffer))?;
        let count = buffer.filled().len() - before;
        if count > 0 && self.head.load(Ordering::Relaxed) {
            self.place.receive(count);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
