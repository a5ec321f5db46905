//! A certificate chain and its key.

use std::sync::Arc;

use rustls::Error;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use thiserror::Error;

use super::certificate::{Certificate, Validity};
use super::provider;

/// Who shows it is who its certificates say.
#[derive(Debug, Clone)]
pub struct Identity {
    pub(super) certified: Arc<CertifiedKey>,
    validity: Validity,
}

/// Why two files make no identity.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unusable {
    /// There is no certificate.
    #[error("holds no certificate in PEM")]
    NoCertificate,
    /// One of them cannot be read.
    #[error("holds a certificate, number {0}, that cannot be read")]
    Certificate(usize),
    /// The key belongs to another one than the first.
    #[error(
        "has the certificate of the key at place {0}: it must come first, then who signed it, then who signed that one"
    )]
    NotFirst(usize),
    /// One was not signed by the next one.
    #[error(
        "is a chain in the wrong order: certificate {0} was not signed by the one behind it; the server's own comes \
         first, then who signed it, then who signed that one"
    )]
    Order(usize),
    /// There is no key.
    #[error("holds no private key in PEM")]
    NoKey,
    /// It cannot be used.
    #[error("holds a private key that cannot be used: {0}")]
    Key(String),
    /// It belongs to none of the certificates.
    #[error("holds the key of another certificate")]
    OtherKey,
}

impl Unusable {
    /// Whether the fault is the key's and not the certificates'.
    #[must_use]
    pub fn is_of_key(&self) -> bool {
        matches!(self, Self::NoKey | Self::Key(_) | Self::OtherKey)
    }
}

impl Identity {
    /// Of a chain of certificates and a key, both in PEM.
    ///
    /// # Errors
    /// [`Unusable`] with what is wrong.
    pub fn read(chain: &[u8], key: &[u8]) -> Result<Self, Unusable> {
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(chain).collect::<Result<_, _>>().map_err(|_| Unusable::NoCertificate)?;
        if chain.is_empty() {
            return Err(Unusable::NoCertificate);
        }
        let read = chain.iter().enumerate();
        let read = read.map(|(at, der)| Certificate::read(der).ok_or(Unusable::Certificate(at + 1)));
        let read: Vec<Certificate<'_>> = read.collect::<Result<_, _>>()?;
        let validity = read[0].validity;
        let wrong = read.windows(2).position(|two| two[0].issuer != two[1].subject);
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| Unusable::NoKey)?;
        let signing =
            provider().key_provider.load_private_key(key).map_err(|error| Unusable::Key(error.to_string()))?;
        let belongs = |at: usize| {
            let alone = CertifiedKey::new(vec![chain[at].clone()], Arc::clone(&signing));
            match alone.keys_match() {
                Ok(()) | Err(Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => true,
                Err(_) => false,
            }
        };
        match (0..chain.len()).find(|at| belongs(*at)) {
            Some(0) => {}
            Some(at) => return Err(Unusable::NotFirst(at + 1)),
            None => return Err(Unusable::OtherKey),
        }
        if let Some(at) = wrong {
            return Err(Unusable::Order(at + 1));
        }
        Ok(Self { certified: Arc::new(CertifiedKey::new(chain, signing)), validity })
    }

    /// From when until when its own certificate is good.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// Its own certificate.
    pub(super) fn own(&self) -> Option<&CertificateDer<'static>> {
        self.certified.cert.first()
    }
}
