//! The certificates that a node trusts in other nodes, and the one that it shows them.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption, WebPkiServerVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme, version};

use super::identity::Identity;
use super::provider;

/// How somebody asks over TLS.
#[derive(Debug, Clone, Default)]
pub struct Asking {
    /// The authorities for the other nodes.
    pub roots: Option<Arc<RootCertStore>>,
    /// Names of which their certificates must have one; if empty, the host that is asked.
    pub names: Vec<ServerName<'static>>,
    /// The client certificate, if one is asked for.
    pub identity: Option<Identity>,
    /// The holder of this identity's certificate is trusted as well.
    pub known: Option<Identity>,
}

/// The same, as rustls asks for it; another from one handshake to the next.
#[derive(Debug)]
pub struct Trust(RwLock<Arc<Known>>);

/// The trusted certificates, with everything needed to check them.
#[derive(Debug, Default)]
pub struct Known {
    verifier: Option<Arc<WebPkiServerVerifier>>,
    asking: Asking,
}

impl Known {
    /// Those who are trusted where somebody asks so.
    ///
    /// # Errors
    /// Why that cannot be.
    pub fn new(asking: Asking) -> Result<Arc<Self>, String> {
        let verifier = asking.roots.as_ref().map(|roots| {
            let verifier = WebPkiServerVerifier::builder_with_provider(Arc::clone(roots), provider());
            verifier.build().map_err(|error| error.to_string())
        });
        Ok(Arc::new(Self { verifier: verifier.transpose()?, asking }))
    }
}

impl Trust {
    /// Asks so.
    ///
    /// # Errors
    /// Why that cannot be.
    pub fn new(asking: Asking) -> Result<Arc<Self>, String> {
        Ok(Arc::new(Self(RwLock::new(Known::new(asking)?))))
    }

    /// Trusts others from the next handshake on.
    pub fn replace(&self, known: Arc<Known>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = known;
    }

    fn now(&self) -> Arc<Known> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The configuration of a client.
    ///
    /// # Errors
    /// Why there is none.
    pub fn client(self: &Arc<Self>) -> Result<ClientConfig, String> {
        let builder = ClientConfig::builder_with_provider(provider());
        let builder = builder.with_protocol_versions(&[&version::TLS12, &version::TLS13]);
        let builder = builder.map_err(|error| error.to_string())?.dangerous();
        let builder = builder.with_custom_certificate_verifier(Arc::<Self>::clone(self));
        let mut config = builder.with_client_cert_resolver(Arc::<Self>::clone(self));
        // A certificate that was trusted once would stay trusted after a change.
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let known = self.now();
        if known.asking.known.as_ref().and_then(Identity::own).is_some_and(|own| own == shown) {
            return Ok(ServerCertVerified::assertion());
        }
        let Some(verifier) = &known.verifier else {
            return Err(Error::InvalidCertificate(CertificateError::UnknownIssuer));
        };
        let verified = |name: &ServerName<'_>| verifier.verify_server_cert(shown, others, name, ocsp, now);
        let mut names = known.asking.names.iter();
        let first = names.next().map_or_else(|| verified(host), verified);
        names.fold(first, |outcome, name| outcome.or_else(|_| verified(name)))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, shown, signature, &provider().signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, shown, signature, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

impl ResolvesClientCert for Trust {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.now().asking.identity.as_ref().map(|identity| Arc::clone(&identity.certified))
    }

    fn has_certs(&self) -> bool {
        self.now().asking.identity.is_some()
    }
}
