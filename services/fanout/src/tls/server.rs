//! What a listener shows and asks for; it may change between two handshakes.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::server::WebPkiClientVerifier;
use rustls::sign::SingleCertAndKey;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, crypto, version};

use super::identity::Identity;
use super::provider;

static VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

/// The oldest version that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Minimum {
    /// TLS 1.2.
    #[default]
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl Minimum {
    fn versions(self) -> &'static [&'static SupportedProtocolVersion] {
        match self {
            Self::Tls12 => &VERSIONS,
            Self::Tls13 => &VERSIONS[1..],
        }
    }
}

/// The certificate that a listener shows, and whether it asks for one.
#[derive(Debug, Clone)]
pub struct Listening {
    /// Its identity.
    pub identity: Identity,
    /// The authorities for its clients; none if it does not ask for certificates.
    pub clients: Option<Arc<RootCertStore>>,
    /// The oldest version.
    pub minimum: Minimum,
}

impl Listening {
    /// As rustls takes it.
    ///
    /// # Errors
    /// Why it cannot be used.
    fn config(&self) -> Result<ServerConfig, String> {
        let (provider, told) = (provider(), |error: rustls::Error| error.to_string());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(self.minimum.versions()).map_err(told)?;
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some(roots) => {
                // Probes have no certificate: the guard decides which paths need one.
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), provider);
                let verifier = verifier.allow_unauthenticated().build().map_err(|error| error.to_string())?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let shown = SingleCertAndKey::from(Arc::clone(&self.identity.certified));
        let mut config = builder.with_cert_resolver(Arc::new(shown));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Sessions that are taken up again are sealed with a key of this process: nothing is kept for them.
        config.ticketer = crypto::aws_lc_rs::Ticketer::new().map_err(told)?;
        config.send_tls13_tickets = 1;
        Ok(config)
    }
}

/// What the handshakes of a listener go by.
#[derive(Clone)]
pub struct Prepared {
    config: Arc<ServerConfig>,
    asks_clients: bool,
}

impl Prepared {
    /// To show and ask for this.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn new(listening: &Listening) -> Result<Self, String> {
        Ok(Self { config: Arc::new(listening.config()?), asks_clients: listening.clients.is_some() })
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("asks_clients", &self.asks_clients).finish_non_exhaustive()
    }
}

/// The TLS of one listener.
#[derive(Debug)]
pub struct Server(RwLock<Prepared>);

impl Server {
    /// Uses this.
    #[must_use]
    pub fn new(prepared: Prepared) -> Self {
        Self(RwLock::new(prepared))
    }

    /// Uses another one from the next handshake on.
    pub fn replace(&self, prepared: Prepared) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = prepared;
    }

    /// Whether its clients need certificates.
    #[must_use]
    pub fn asks_clients(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).asks_clients
    }

    /// What the next handshake uses.
    pub(crate) fn now(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner).config)
    }
}
