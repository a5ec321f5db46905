//! One issuer in its verifier: what its tokens may contain, and their current keys.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::config::{ConfigError, IssuerConfig, Keys, VerifierOptions};
use crate::error::TokenError;
use crate::jwk::Sought;
use crate::source::{FoundKey, KeySource};
use crate::verifier::key_source;

/// Numbers the key sources of this process.
static SOURCES: AtomicU64 = AtomicU64::new(0);

/// The number space for the generations of one source.
const GENERATIONS: u64 = 1 << 32;

/// One trusted issuer.
pub(crate) struct Issuer {
    pub(crate) config: IssuerConfig,
    pub(crate) realm: Option<Arc<str>>,
    keys: RwLock<Arc<Current>>,
}

/// The current source of the keys.
pub(crate) struct Current {
    from: Keys,
    /// The authorities for the servers of that source.
    ca: Option<Vec<u8>>,
    source: KeySource,
    /// Added to its generations: a token verified by another source does not count as verified by this one.
    base: u64,
}

/// Issuers' keys that will replace those in use; they are being fetched already.
pub struct OtherKeys(Vec<(Arc<Issuer>, Arc<Current>)>);

impl fmt::Debug for OtherKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.issuers()).finish()
    }
}

impl OtherKeys {
    /// Their issuer.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(issuer, _)| issuer.config.issuer.as_str())
    }

    /// Replaces the keys in use.
    pub(crate) fn put_in_place(self) {
        for (issuer, keys) in self.0 {
            *issuer.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        }
    }

    /// New sources for the known issuers whose keys other configurations take from elsewhere.
    pub(crate) fn of<'i>(
        known: impl Iterator<Item = &'i Arc<Issuer>>,
        configs: &[IssuerConfig],
        options: &VerifierOptions,
    ) -> Result<Self, ConfigError> {
        let mut others: Vec<(Arc<Issuer>, Arc<Current>)> = Vec::new();
        for issuer in known {
            let named = configs.iter().find(|config| config.issuer == issuer.config.issuer);
            // The tenants of a pattern are one issuer with several names.
            let is_new = |config: &&IssuerConfig| {
                !issuer.keys().are_of(config) && !others.iter().any(|(other, _)| Arc::ptr_eq(other, issuer))
            };
            if let Some(config) = named.filter(is_new) {
                others.push((Arc::clone(issuer), Arc::new(Current::of(config, options)?)));
            }
        }
        Ok(Self(others))
    }
}

impl Issuer {
    pub(crate) fn new(config: IssuerConfig, options: &VerifierOptions) -> Result<Self, ConfigError> {
        let keys = RwLock::new(Arc::new(Current::of(&config, options)?));
        Ok(Self { realm: config.realm.as_deref().map(Into::into), config, keys })
    }

    /// The keys in use.
    pub(crate) fn keys(&self) -> Arc<Current> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Current {
    fn of(config: &IssuerConfig, options: &VerifierOptions) -> Result<Self, ConfigError> {
        let source = key_source(config, options)?;
        let base = SOURCES.fetch_add(1, Ordering::Relaxed) * GENERATIONS;
        Ok(Self { from: config.keys.clone(), ca: config.ca.clone(), source, base })
    }

    /// Whether a configuration has the same source.
    fn are_of(&self, config: &IssuerConfig) -> bool {
        self.from == config.keys && self.ca == config.ca
    }

    /// The generation of the keys in use, if there are usable ones.
    pub(crate) fn generation(&self) -> Option<u64> {
        self.source.generation().map(|generation| self.base + generation)
    }

    /// The key with this id; waits a little for a fetch that may bring it.
    pub(crate) async fn key(&self, sought: Sought<'_>) -> Result<FoundKey, TokenError> {
        let (key, generation) = self.source.key(sought).await?;
        Ok((key, self.base + generation))
    }
}
