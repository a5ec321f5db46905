//! A tab over a blocking WebSocket, plain or over TLS; otherwise they are the same.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::frame;
use super::hub::{HANDSHAKE, HANDSHAKE_ANSWER, connection_token};
use super::{Ticket, http};

/// The time-out of everything.
const PATIENCE: Duration = Duration::from_secs(20);

/// A tab's connection to a node.
#[derive(Debug, Clone)]
pub(crate) enum Speech {
    /// HTTP.
    Plain,
    /// HTTP within TLS.
    Tls(Arc<ClientConfig>),
}

impl Speech {
    /// TLS to a node whose certificate the authority in this file has signed.
    pub(crate) fn tls(ca: &Path) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca)? {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(Self::Tls(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
    }

    fn open(&self, to: SocketAddr) -> Result<Box<dyn Line>> {
        let socket = TcpStream::connect(to)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(match self {
            Self::Plain => Box::new(socket),
            Self::Tls(config) => {
                let session = ClientConnection::new(Arc::clone(config), ServerName::from(to.ip()))?;
                Box::new(StreamOwned::new(session, socket))
            }
        })
    }
}

trait Line: Read + Write {}

impl<L: Read + Write> Line for L {}

/// Such a tab.
pub(crate) struct SocketTab {
    line: Box<dyn Line>,
    read: Vec<u8>,
}

impl SocketTab {
    /// Runs all steps until the client is connected.
    pub(crate) fn connect(to: SocketAddr, hub: &str, ticket: &Ticket, speech: &Speech) -> Result<Self> {
        let host = to.to_string();
        let mut negotiating = Self { line: speech.open(to)?, read: Vec::new() };
        negotiating.send(&http::negotiate(&host, hub, &ticket.token))?;
        let connection = loop {
            if let Some(answer) = http::response(&negotiating.read)? {
                answer.expect(200)?;
                break connection_token(answer.body)?;
            }
            negotiating.receive()?;
        };
        let mut tab = Self { line: speech.open(to)?, read: Vec::new() };
        tab.send(&http::upgrade(&host, hub, &connection, &ticket.token, None))?;
        loop {
            if let Some(answer) = http::response(&tab.read)? {
                answer.expect_upgrade()?;
                let used = answer.used;
                tab.read.drain(..used);
                break;
            }
            tab.receive()?;
        }
        tab.send(&frame::masked(HANDSHAKE))?;
        tab.hears(HANDSHAKE_ANSWER)?;
        Ok(tab)
    }

    /// Waits until it has received this.
    pub(crate) fn hears(&mut self, words: &[u8]) -> Result<()> {
        let begun = Instant::now();
        while !self.read.windows(words.len()).any(|part| part == words) {
            ensure!(begun.elapsed() < PATIENCE, "a tab is not told");
            self.receive()?;
        }
        self.read.clear();
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.line.write_all(bytes).and_then(|()| self.line.flush()).context("a tab cannot ask")
    }

    fn receive(&mut self) -> Result<()> {
        let mut buffer = [0; 4096];
        let count = self.line.read(&mut buffer).context("a tab hears nothing")?;
        ensure!(count > 0, "a tab's connection has ended: {}", String::from_utf8_lossy(&self.read));
        self.read.extend_from_slice(&buffer[..count]);
        Ok(())
    }
}
