//! Files of certificates and keys: read, and read again once their content has changed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use thiserror::Error;

use super::client::Asking;
use super::identity::Identity;
use super::server::{Listening, Minimum};

/// The longest file that is read: a store of all authorities of the web has 0.2 MB.
const LONGEST: u64 = 4 << 20;

/// A file that cannot be used, by the key of the configuration that names it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{key}` {reason}: {}", .path.display())]
pub struct FileFault {
    /// The key.
    pub key: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub reason: String,
}

/// The files of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerFiles {
    /// Its chain of certificates.
    pub certificate: PathBuf,
    /// The key of the first of them.
    pub key: PathBuf,
    /// The authorities for its clients.
    pub client_ca: Option<PathBuf>,
    /// The oldest version that it speaks.
    pub minimum: Minimum,
}

/// The files of a client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AskingFiles {
    /// The authorities for the nodes that it asks.
    pub ca: Option<PathBuf>,
    /// Names of which their certificates must have one.
    pub names: Vec<ServerName<'static>>,
    /// A chain of certificates of one's own, and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

impl ListenerFiles {
    /// Reads them.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub fn read(&self) -> Result<Listening, FileFault> {
        let identity = identity(&self.certificate, &self.key)?;
        let clients = self.client_ca.as_deref().map(|path| roots("client_ca_file", path)).transpose()?;
        Ok(Listening { identity, clients, minimum: self.minimum })
    }

    /// A number for their contents, which changes when they do.
    #[must_use]
    pub fn digest(&self) -> Vec<u8> {
        contents([Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()])
    }
}

impl AskingFiles {
    /// Reads them.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub fn read(&self) -> Result<Asking, FileFault> {
        let roots = self.ca.as_deref().map(|path| roots("ca_file", path)).transpose()?;
        let identity = self.identity.as_ref().map(|(chain, key)| identity(chain, key)).transpose()?;
        Ok(Asking { roots, names: self.names.clone(), identity, known: None })
    }

    /// A number for their contents, which changes when they do.
    #[must_use]
    pub fn digest(&self) -> Vec<u8> {
        let identity = self.identity.as_ref();
        contents([self.ca.as_ref(), identity.map(|(chain, _)| chain), identity.map(|(_, key)| key)])
    }
}

fn contents<'p>(paths: impl IntoIterator<Item = Option<&'p PathBuf>>) -> Vec<u8> {
    let mut context = digest::Context::new(&digest::SHA256);
    for path in paths.into_iter().flatten() {
        let read = read("", path).unwrap_or_default();
        context.update(&read.len().to_be_bytes());
        context.update(&read);
    }
    context.finish().as_ref().to_vec()
}

fn identity(chain: &Path, key: &Path) -> Result<Identity, FileFault> {
    let (chain_pem, key_pem) = (read("cert_file", chain)?, read("key_file", key)?);
    Identity::read(&chain_pem, &key_pem).map_err(|unusable| {
        let (name, path) = if unusable.is_of_key() { ("key_file", key) } else { ("cert_file", chain) };
        FileFault { key: name, path: path.to_owned(), reason: unusable.to_string() }
    })
}

fn roots(key: &'static str, path: &Path) -> Result<Arc<RootCertStore>, FileFault> {
    let fault = |reason: &str| FileFault { key, path: path.to_owned(), reason: reason.to_owned() };
    authorities(&read(key, path)?).map(Arc::new).ok_or_else(|| fault("holds no certificates of authorities in PEM"))
}

/// The authorities of a PEM file; none if it holds none that can be used. Stores of all authorities hold odd ones too.
#[must_use]
pub fn authorities(pem: &[u8]) -> Option<RootCertStore> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found);
    (!roots.is_empty()).then_some(roots)
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, FileFault> {
    let fault = |reason: String| FileFault { key, path: path.to_owned(), reason };
    match std::fs::metadata(path) {
        Ok(file) if file.len() > LONGEST => Err(fault(format!("is longer than {LONGEST} bytes"))),
        Ok(_) => std::fs::read(path).map_err(|error| fault(format!("cannot be read: {error}"))),
        Err(error) => Err(fault(format!("cannot be read: {error}"))),
    }
}
