//! Which issuers are trusted, and how their tokens are read.

use std::time::Duration;

use fanfare_event::TypePattern;

use crate::jwk::PublicJwk;

/// One trusted issuer.
#[derive(Debug, Clone)]
pub struct IssuerConfig {
    /// The exact value of `iss`.
    pub issuer: String,
    /// The audience of a user's token.
    pub audience: String,
    /// The audience of a producer's token; it must differ from `audience`.
    pub producer_audience: String,
    /// Where the issuer's public keys come from.
    pub keys: Keys,
    /// A name that keeps this issuer's users apart from those of others.
    pub realm: Option<String>,
    /// Which claims hold the user, the org, the roles and the session.
    pub claims: ClaimNames,
    /// The most that any producer's token of this issuer may publish; no cap if absent.
    pub publish: Option<Vec<TypePattern>>,
}

/// Where an issuer's public keys come from.
#[derive(Debug, Clone)]
pub enum Keys {
    /// The URL of a JWK set.
    Jwks(String),
    /// The URL of an OpenID discovery document, which names the JWK set.
    Discovery(String),
    /// Keys given in the configuration.
    Static(Vec<PublicJwk>),
}

/// The names of the claims that are read.
///
/// A name is looked up as it stands first; if there is no such claim, its dots are taken for a path into nested
/// objects (`realm_access.roles`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimNames {
    /// The user's id.
    pub user: String,
    /// The org's id.
    pub org: String,
    /// The roles: an array of strings, or one string.
    pub roles: String,
    /// The session's id.
    pub session: String,
}

impl Default for ClaimNames {
    fn default() -> Self {
        Self { user: "sub".into(), org: "org".into(), roles: "roles".into(), session: "sid".into() }
    }
}

/// How a verifier treats time, keys and memory.
#[derive(Debug, Clone)]
pub struct VerifierOptions {
    /// How far the clocks of issuer and verifier may be apart.
    pub leeway: Duration,
    /// The longest accepted `exp` - `iat`; logouts need only be remembered for so long.
    pub max_token_lifetime: Duration,
    /// How often the keys are fetched again.
    pub refresh: Duration,
    /// How long the last good keys serve after fetching began to fail.
    pub keep_keys: Duration,
    /// At most one fetch per issuer within this time is caused by unknown key ids; longer than a fetch takes.
    pub unknown_key_window: Duration,
    /// How long a caller waits for a fetch.
    pub fetch_wait: Duration,
    /// How many verified tokens are remembered; 0 turns it off.
    pub cached_tokens: usize,
}

impl Default for VerifierOptions {
    fn default() -> Self {
        Self {
            leeway: Duration::from_secs(30),
            max_token_lifetime: Duration::from_secs(24 * 3600),
            refresh: Duration::from_secs(300),
            keep_keys: Duration::from_secs(3600),
            unknown_key_window: Duration::from_secs(30),
            fetch_wait: Duration::from_secs(2),
            cached_tokens: 10_000,
        }
    }
}

/// Why a verifier cannot be built from its configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// There is no issuer to trust.
    #[error("no token issuer is configured")]
    NoIssuer,
    /// Two entries name the same issuer.
    #[error("issuer {issuer:?} is configured twice")]
    DuplicateIssuer {
        /// The issuer.
        issuer: String,
    },
    /// A name that must not be empty is.
    #[error("issuer {issuer:?}: `{field}` must not be empty")]
    Empty {
        /// The issuer.
        issuer: String,
        /// The empty field.
        field: &'static str,
    },
    /// Users and producers would share an audience.
    #[error("issuer {issuer:?}: `producer_audience` must differ from `audience` ({audience:?})")]
    SameAudience {
        /// The issuer.
        issuer: String,
        /// The shared audience.
        audience: String,
    },
    /// The place of the keys is not an http or https URL.
    #[error("issuer {issuer:?}: {url:?} is not an http or https URL")]
    BadUrl {
        /// The issuer.
        issuer: String,
        /// The faulty URL.
        url: String,
    },
    /// A key given in the configuration cannot be used.
    #[error("issuer {issuer:?}: key {kid:?} cannot be used: {reason}")]
    BadKey {
        /// The issuer.
        issuer: String,
        /// The key's id.
        kid: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The keys were configured as static, but there are none.
    #[error("issuer {issuer:?} has no keys")]
    NoKeys {
        /// The issuer.
        issuer: String,
    },
    /// The HTTP client for the keys could not be set up.
    #[error("the HTTP client that fetches keys cannot be set up: {0}")]
    Client(String),
    /// A verifier that fetches keys was built outside of an async runtime.
    #[error("a verifier that fetches keys must be built inside a tokio runtime")]
    NoRuntime,
}
