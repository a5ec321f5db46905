//! One issuer as its verifier knows it: what its tokens may say, and the keys that they are signed with just now.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::config::{ConfigError, IssuerConfig, Keys, VerifierOptions};
use crate::error::TokenError;
use crate::jwk::Sought;
use crate::source::{FoundKey, KeySource};
use crate::verifier::key_source;

/// Counts the sources of keys that this process has had.
static SOURCES: AtomicU64 = AtomicU64::new(0);

/// Room for the generations of one source.
const GENERATIONS: u64 = 1 << 32;

/// One trusted issuer.
pub(crate) struct Issuer {
    pub(crate) config: IssuerConfig,
    pub(crate) realm: Option<Arc<str>>,
    keys: RwLock<Arc<Current>>,
}

/// Where the keys come from at the moment.
pub(crate) struct Current {
    from: Keys,
    /// Who vouches for the servers of that place.
    ca: Option<Vec<u8>>,
    source: KeySource,
    /// Before its generations: what was verified by another source is not taken for verified by this one.
    base: u64,
}

/// Keys of issuers that are to take the place of those in use; they are fetched already.
pub struct OtherKeys(Vec<(Arc<Issuer>, Arc<Current>)>);

impl fmt::Debug for OtherKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.issuers()).finish()
    }
}

impl OtherKeys {
    /// Whose keys they are.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(issuer, _)| issuer.config.issuer.as_str())
    }

    /// Puts them in the place of those in use.
    pub(crate) fn put_in_place(self) {
        for (issuer, keys) in self.0 {
            *issuer.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        }
    }

    /// Those of the known issuers that other configurations name, where they come from elsewhere than before.
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

    /// Whether this is where a configuration has them from.
    fn are_of(&self, config: &IssuerConfig) -> bool {
        self.from == config.keys && self.ca == config.ca
    }

    /// The generation of the keys in use, if there are any that may be used.
    pub(crate) fn generation(&self) -> Option<u64> {
        self.source.generation().map(|generation| self.base + generation)
    }

    /// The key of this id, waiting a little for a fetch that may bring it.
    pub(crate) async fn key(&self, sought: Sought<'_>) -> Result<FoundKey, TokenError> {
        let (key, generation) = self.source.key(sought).await?;
        Ok((key, self.base + generation))
    }
}
