//! The TLS handshake of a TCP connection: it may take as long as a request head, and counts as one.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use thiserror::Error;
use tokio::io::AsyncWriteExt as _;
use tokio_rustls::TlsAcceptor;

use super::stream::{Counted, Stream};

/// The first byte of every handshake (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 22;

/// The most bytes that are sealed ahead of a socket that takes no more.
pub(super) const SEALED_AHEAD: usize = 16 * 1024;

/// The answer to HTTP without TLS.
pub(super) const TLS_IS_SPOKEN: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: \
    text/plain\r\ncontent-length: 62\r\n\r\nThis port speaks TLS: its URLs begin with https:// or wss://.\n";

/// Why there is no TLS.
#[derive(Debug, Error)]
pub enum NoTls {
    /// Something else is spoken.
    #[error("the client does not speak TLS")]
    Plain,
    /// The client took too long.
    #[error("the client did not finish the TLS handshake in time")]
    Late,
    /// Its address has had as many as it may.
    #[error("too many TLS handshakes from this address")]
    TooMany,
    /// The client left, or its handshake is not accepted.
    #[error(transparent)]
    Refused(#[from] io::Error),
}

impl NoTls {
    /// The reason as a metric label.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Plain => "not_tls",
            Self::Late => "tls_late",
            Self::TooMany => "tls_rate",
            Self::Refused(_) => "tls_refused",
        }
    }

    /// Whether the client left before it had sent anything that could be refused, as health checks of balancers do.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        matches!(self, Self::Refused(error) if error.kind() == io::ErrorKind::UnexpectedEof
            || error.kind() == io::ErrorKind::ConnectionReset)
    }
}

/// Does the server's part of the handshake, if it is admitted: what comes before it costs next to nothing.
///
/// # Errors
/// [`NoTls`] with the reason. If the client speaks no TLS, its connection is returned too, so that it can be told.
pub(super) async fn shake(
    counted: Counted,
    config: Arc<ServerConfig>,
    patience: Duration,
    admit: impl FnOnce() -> bool,
) -> Result<Stream, (NoTls, Option<Counted>)> {
    match tokio::time::timeout(patience, begun(counted, config, admit)).await {
        Ok(shaken) => shaken,
        Err(_) => Err((NoTls::Late, None)),
    }
}

async fn begun(
    counted: Counted,
    config: Arc<ServerConfig>,
    admit: impl FnOnce() -> bool,
) -> Result<Stream, (NoTls, Option<Counted>)> {
    let mut first = [0];
    match counted.tcp.peek(&mut first).await {
        Ok(0) => return Err((NoTls::Refused(io::ErrorKind::UnexpectedEof.into()), None)),
        Ok(_) if first[0] != HANDSHAKE => return Err((NoTls::Plain, Some(counted))),
        Ok(_) if !admit() => return Err((NoTls::TooMany, None)),
        Ok(_) => {}
        Err(error) => return Err((NoTls::Refused(error), None)),
    }
    let accepting = TlsAcceptor::from(config).accept_with(counted, |session| {
        session.set_buffer_limit(Some(SEALED_AHEAD));
    });
    let mut stream = accepting.await.map_err(|error| (NoTls::Refused(error), None))?;
    // The session tickets: a client that sends nothing would wait for them for ever.
    stream.flush().await.map_err(|error| (NoTls::Refused(error), None))?;
    Ok(Stream::Right(Box::new(stream)))
}
