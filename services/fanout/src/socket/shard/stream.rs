//! The socket of a WebSocket, plain or with TLS.

use std::io;
use std::net::Shutdown;

use socket2::SockRef;
use tokio::net::TcpStream;

use super::super::stream::Bare;
use super::secure::Secure;

/// Where the bytes of a WebSocket go.
#[derive(Debug)]
pub(super) enum Stream {
    /// Into the socket as they are.
    Plain(TcpStream),
    /// Sealed.
    Tls(Box<Secure>),
}

impl Stream {
    /// Takes one over into this thread's runtime.
    pub(super) fn take(bare: Bare) -> io::Result<Self> {
        Ok(match bare {
            Bare::Plain(tcp) => Self::Plain(TcpStream::from_std(tcp)?),
            Bare::Tls(tcp, session) => Self::Tls(Box::new(Secure::new(TcpStream::from_std(tcp)?, *session))),
        })
    }

    /// The socket itself, to wait for it.
    pub(super) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(secure) => secure.tcp(),
        }
    }

    /// Whether encrypted bytes wait that the socket has not taken yet.
    pub(super) fn waits(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(secure) => secure.waits(),
        }
    }

    /// Announces that nothing more comes.
    pub(super) fn finish(&self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => SockRef::from(tcp).shutdown(Shutdown::Write),
            Self::Tls(secure) => secure.finish(),
        }
    }
}
