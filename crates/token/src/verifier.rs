//! Verifies a token and returns its claims.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::Url;

use crate::cache::{self, Remembered, TokenCache, TokenHash};
use crate::check::{Dropped, LeftOut, TimeRules, Why, check};
use crate::claims::{Audience, Claims};
use crate::config::{ConfigError, IssuerConfig, Keys, VerifierOptions, split_pattern};
use crate::error::TokenError;
use crate::fetch::{Fetcher, Place};
use crate::issuer::{Issuer, OtherKeys};
use crate::issuer_orgs::IssuerOrgs;
use crate::jwk::KeySet;
use crate::jws::{Jws, MAX_TOKEN};
use crate::keys::Timing;
use crate::payload::Payload;
use crate::source::KeySource;

/// Verifies the tokens of the configured issuers.
///
/// It fetches keys in tasks of its own, which end when it is dropped.
pub struct Verifier {
    /// By each value of `iss`.
    issuers: HashMap<String, Arc<Issuer>>,
    options: VerifierOptions,
    rules: TimeRules,
    cache: Mutex<TokenCache>,
    dropped: [AtomicU64; 2],
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("issuers", &self.issuers.keys()).finish_non_exhaustive()
    }
}

impl Verifier {
    /// Checks the configuration and starts to fetch keys.
    ///
    /// If any keys are to be fetched, this must be called inside a tokio runtime.
    pub fn new(issuers: Vec<IssuerConfig>, options: VerifierOptions) -> Result<Self, ConfigError> {
        if issuers.is_empty() {
            return Err(ConfigError::NoIssuer);
        }
        let mut known: HashMap<String, Arc<Issuer>> = HashMap::new();
        for config in issuers {
            check_config(&config)?;
            let names = config.names();
            let issuer = Arc::new(Issuer::new(config, &options)?);
            for name in names {
                if known.insert(name.clone(), Arc::clone(&issuer)).is_some() {
                    return Err(ConfigError::DuplicateIssuer { issuer: name });
                }
            }
        }
        let seconds = |duration: Duration| i64::from(u32::try_from(duration.as_secs()).unwrap_or(u32::MAX));
        Ok(Self {
            issuers: known,
            rules: TimeRules {
                leeway: seconds(options.leeway),
                max_lifetime: seconds(options.max_token_lifetime),
                late: 0,
            },
            cache: Mutex::new(TokenCache::new(options.cached_tokens)),
            dropped: Default::default(),
            options,
        })
    }

    /// Verifies a token at the current time of this machine.
    pub async fn verify(&self, token: &str, audience: Audience) -> Result<Arc<Claims>, TokenError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.verify_at(token, audience, i64::try_from(now.as_secs()).unwrap_or(i64::MAX)).await
    }

    /// The same for a token that may have expired up to this many seconds ago.
    pub async fn verify_late(&self, token: &str, audience: Audience, late: u32) -> Result<Arc<Claims>, TokenError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        Ok(self.verify_within(token, audience, now, i64::from(late)).await?.0)
    }

    /// Verifies a token that was not verified before, and says which values of its claims were left out.
    pub async fn explain(&self, token: &str, audience: Audience) -> Result<(Arc<Claims>, Vec<LeftOut>), TokenError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.verify_within(token, audience, i64::try_from(now.as_secs()).unwrap_or(i64::MAX), 0).await
    }

    /// Verifies a token as of `now`, in seconds since the epoch.
    pub async fn verify_at(&self, token: &str, audience: Audience, now: i64) -> Result<Arc<Claims>, TokenError> {
        Ok(self.verify_within(token, audience, now, 0).await?.0)
    }

    async fn verify_within(
        &self,
        token: &str,
        audience: Audience,
        now: i64,
        late: i64,
    ) -> Result<(Arc<Claims>, Vec<LeftOut>), TokenError> {
        let rules = TimeRules { late, ..self.rules };
        if token.len() > MAX_TOKEN {
            return Err(TokenError::TooLong { limit: MAX_TOKEN });
        }
        let hash = cache::hash(token, audience);
        if let Some(claims) = self.remembered(&hash, now - late) {
            return Ok((claims, Vec::new()));
        }
        let jws = Jws::parse(token)?;
        let named = jws.payload.get("iss").ok_or_else(|| TokenError::missing("iss"))?;
        let name = named.as_str().ok_or(TokenError::UnknownIssuer)?;
        let issuer = self.issuers.get(name).ok_or(TokenError::UnknownIssuer)?;
        let (key, generation) = issuer.keys().key(jws.key()).await?;
        if !key.takes(jws.algorithm) {
            return Err(TokenError::WrongAlgorithm);
        }
        if !key.verifies(jws.algorithm, jws.signed, &jws.signature) {
            return Err(TokenError::BadSignature);
        }
        // Tenants that share a set of keys are distinguished by the issuer that each key names.
        if !issuer.config.tenants.is_empty() && key.issuer().is_some_and(|of| !stands_for(of, name)) {
            return Err(TokenError::UnknownKey);
        }
        let names = (&Arc::from(name), issuer.realm.as_ref());
        let checked = check(&Payload(&jws.payload), &issuer.config, names, audience, rules, now)?;
        self.note_left_out(name, &checked.left_out);
        let claims = Arc::new(checked.claims);
        self.cache().insert(hash, Remembered { claims: Arc::clone(&claims), generation });
        Ok((claims, checked.left_out))
    }

    fn note_left_out(&self, issuer: &str, left_out: &[LeftOut]) {
        for LeftOut { claim, why, values } in left_out {
            let count = &self.dropped[usize::from(*why == Why::NotOfIssuer)];
            count.fetch_add(*values, Ordering::Relaxed);
            tracing::info!(issuer, claim = &**claim, %why, values, "values of a token's claim are left out");
        }
    }

    /// Whether the keys of every issuer are known at the moment.
    pub fn keys_available(&self) -> bool {
        self.issuers.values().all(|issuer| issuer.keys().generation().is_some())
    }

    /// The number of roles and orgs that were left out of tokens since the last call.
    pub fn take_dropped(&self) -> Dropped {
        let [invalid, not_of_issuer] = &self.dropped;
        Dropped { invalid: invalid.swap(0, Ordering::Relaxed), not_of_issuer: not_of_issuer.swap(0, Ordering::Relaxed) }
    }

    /// When a connection must end that may outlive its token by this many seconds. It never lives longer than a token
    /// may: logouts and changes of roles are remembered for that long.
    pub fn end_of(&self, claims: &Claims, after_expiry: u32) -> i64 {
        let longest = claims.issued_at + self.rules.max_lifetime;
        claims.expires_at.max(longest.min(claims.expires_at + i64::from(after_expiry)))
    }

    /// Whether the issuer of these claims may name this org, which its token does not name itself.
    pub fn may_name(&self, claims: &Claims, org: &str) -> bool {
        self.issuers.get(&*claims.issuer).is_some_and(|issuer| issuer.config.orgs.allows(org))
    }

    /// New sources of keys for its issuers, if these configurations have other ones; their other settings are ignored.
    /// The keys are fetched from now on and used after [`Self::use_keys`].
    ///
    /// # Errors
    /// [`ConfigError`] if they cannot be used; then nothing has changed.
    pub fn other_keys(&self, configs: &[IssuerConfig]) -> Result<OtherKeys, ConfigError> {
        OtherKeys::of(self.issuers.values(), configs, &self.options)
    }

    /// Uses these keys from now on; a token that was verified with the old ones is verified again.
    pub fn use_keys(&self, keys: OtherKeys) {
        keys.put_in_place();
    }

    /// The orgs that each issuer may name.
    #[must_use]
    pub fn issuer_orgs(&self) -> IssuerOrgs {
        self.issuers.iter().map(|(name, issuer)| (name.clone(), issuer.config.orgs.clone())).collect()
    }

    /// The claims of a token verified before, if its issuer's keys have not changed and it has not expired.
    fn remembered(&self, hash: &TokenHash, now: i64) -> Option<Arc<Claims>> {
        let found = self.cache().get(hash)?;
        let generation = self.issuers.get(&*found.claims.issuer).and_then(|issuer| issuer.keys().generation());
        if generation == Some(found.generation) && now < found.claims.expires_at + self.rules.leeway {
            return Some(found.claims);
        }
        self.cache().remove(hash);
        None
    }

    fn cache(&self) -> MutexGuard<'_, TokenCache> {
        // The cache is consistent after each of its calls, so a panic elsewhere does not corrupt it.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an issuer, or a pattern of issuers, matches this value of `iss`.
fn stands_for(issuer: &str, name: &str) -> bool {
    match split_pattern(issuer) {
        Some((before, after)) => {
            name.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).is_some_and(|tenant| !tenant.is_empty())
        }
        None => issuer == name,
    }
}

fn check_config(config: &IssuerConfig) -> Result<(), ConfigError> {
    let issuer = || config.issuer.clone();
    let fields =
        [("issuer", &config.issuer), ("audience", &config.audience), ("producer_audience", &config.producer_audience)];
    if split_pattern(&config.issuer).is_some() == config.tenants.is_empty() {
        return Err(ConfigError::Tenants { issuer: issuer() });
    }
    if let Some((field, _)) = fields.iter().find(|(_, value)| value.is_empty()) {
        return Err(ConfigError::Empty { issuer: issuer(), field });
    }
    if config.audience == config.producer_audience {
        return Err(ConfigError::SameAudience { issuer: issuer(), audience: config.audience.clone() });
    }
    Ok(())
}

pub(crate) fn key_source(config: &IssuerConfig, options: &VerifierOptions) -> Result<KeySource, ConfigError> {
    let issuer = || config.issuer.clone();
    let parse = |url: &str| {
        let bad = || ConfigError::BadUrl { issuer: issuer(), url: url.to_owned() };
        Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https")).ok_or_else(bad)
    };
    let place = match &config.keys {
        Keys::Static(keys) => {
            let keys = KeySet::strict(keys.clone()).map_err(|(kid, reason)| ConfigError::BadKey {
                issuer: issuer(),
                kid,
                reason: reason.to_owned(),
            })?;
            if keys.is_empty() {
                return Err(ConfigError::NoKeys { issuer: issuer() });
            }
            return Ok(KeySource::Fixed(keys));
        }
        Keys::Jwks(url) => Place::Jwks(parse(url)?),
        Keys::Discovery(url) => Place::Discovery(parse(url)?),
    };
    if tokio::runtime::Handle::try_current().is_err() {
        return Err(ConfigError::NoRuntime);
    }
    let fetcher = Fetcher::new(issuer(), place, config.ca.as_deref());
    let fetcher = fetcher.map_err(|error| ConfigError::Client(error.to_string()))?;
    let timing =
        Timing { refresh: options.refresh, keep: options.keep_keys, unknown_key_window: options.unknown_key_window };
    Ok(KeySource::fetched(fetcher, timing, options.fetch_wait))
}
