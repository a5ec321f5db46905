//! Connections to an address: plain, unless a test declares TLS for it.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use fanfare_test_servers::certificates::Certificates;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

/// The addresses with TLS, and how: every client of the tests uses this.
static TLS: Mutex<Option<HashMap<SocketAddr, Arc<ClientConfig>>>> = Mutex::new(None);

/// A connection: plain or over TLS.
pub type Line = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// A client's certificate and TLS version.
#[derive(Debug, Clone)]
pub struct Speaking {
    certificates: Certificates,
    shows: bool,
    versions: &'static [&'static SupportedProtocolVersion],
}

impl Speaking {
    /// Trusts an authority and presents no certificate.
    #[must_use]
    pub fn of(certificates: &Certificates) -> Self {
        static ALL: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];
        Self { certificates: certificates.clone(), shows: false, versions: &ALL }
    }

    /// Presents the client's certificate.
    #[must_use]
    pub fn showing(mut self) -> Self {
        self.shows = true;
        self
    }

    /// Speaks only TLS 1.2.
    #[must_use]
    pub fn old(mut self) -> Self {
        static OLD: [&SupportedProtocolVersion; 1] = [&version::TLS12];
        self.versions = &OLD;
        self
    }

    /// Applies to all later connections of this process to an address.
    ///
    /// # Panics
    /// If the files are not there.
    pub fn to(&self, address: SocketAddr) {
        let config = Arc::new(self.config());
        locked().get_or_insert_default().insert(address, config);
    }

    fn config(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(chain(&self.certificates.ca));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder.with_protocol_versions(self.versions).expect("versions").with_root_certificates(roots);
        if !self.shows {
            return builder.with_no_client_auth();
        }
        let (certificate, key) = &self.certificates.client;
        let key = PrivateKeyDer::from_pem_file(key).expect("a key");
        builder.with_client_auth_cert(chain(certificate), key).expect("a certificate and its key")
    }
}

fn chain(path: &std::path::Path) -> Vec<CertificateDer<'static>> {
    let read = CertificateDer::pem_file_iter(path).expect("a file");
    read.collect::<Result<_, _>>().expect("certificates")
}

fn locked() -> std::sync::MutexGuard<'static, Option<HashMap<SocketAddr, Arc<ClientConfig>>>> {
    TLS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Connects as declared for the address.
///
/// # Errors
/// If that fails.
pub async fn connect(to: SocketAddr) -> io::Result<Line> {
    over(TcpStream::connect(to).await?, to).await
}

/// The same, from another address of this machine.
///
/// # Errors
/// If that fails.
pub async fn connect_from(from: IpAddr, to: SocketAddr) -> io::Result<Line> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(from, 0))?;
    over(socket.connect(to).await?, to).await
}

async fn over(tcp: TcpStream, to: SocketAddr) -> io::Result<Line> {
    let config = locked().as_ref().and_then(|known| known.get(&to).cloned());
    tcp.set_nodelay(true)?;
    match config {
        None => Ok(Either::Left(tcp)),
        Some(config) => {
            let name = ServerName::from(to.ip());
            Ok(Either::Right(Box::new(TlsConnector::from(config).connect(name, tcp).await?)))
        }
    }
}

/// Updates its TLS keys this many times, and notifies the peer each time.
///
/// # Errors
/// If the connection fails.
pub async fn take_other_keys(line: &mut Line, times: usize) -> io::Result<()> {
    if let Either::Right(stream) = line {
        for _ in 0..times {
            stream.get_mut().1.refresh_traffic_keys().map_err(io::Error::other)?;
        }
        stream.flush().await?;
    }
    Ok(())
}

/// The peer's certificate.
#[must_use]
pub fn shown(line: &Line) -> Option<Vec<u8>> {
    match line {
        Either::Left(_) => None,
        Either::Right(stream) => stream.get_ref().1.peer_certificates()?.first().map(|shown| shown.to_vec()),
    }
}
