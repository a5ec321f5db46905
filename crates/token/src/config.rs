//! The trusted issuers, and how their tokens are read.

use std::sync::Arc;
use std::time::Duration;

use fanfare_event::TypePattern;

use crate::claim_name::ClaimName;
use crate::jwk::PublicJwk;
use crate::name_list::NameList;

/// One trusted issuer.
#[derive(Debug, Clone)]
pub struct IssuerConfig {
    /// The exact value of `iss`; or a pattern with one name in braces, which each tenant replaces.
    pub issuer: String,
    /// The tenants of a pattern; empty if the issuer is not a pattern.
    pub tenants: Vec<String>,
    /// The audience of a user's token.
    pub audience: String,
    /// The audience of a producer's token; it must differ from `audience`.
    pub producer_audience: String,
    /// Where the issuer's public keys come from.
    pub keys: Keys,
    /// The authorities that may sign the certificate of the keys' server, in PEM, in addition to the machine's.
    pub ca: Option<Vec<u8>>,
    /// A name that distinguishes this issuer's users from those of others.
    pub realm: Option<String>,
    /// The claims with the user, the org, the roles and the session.
    pub claims: ClaimNames,
    /// The limit of what any producer's token of this issuer may publish; none if absent.
    pub publish: Option<Vec<TypePattern>>,
    /// The orgs that its tokens may name; any other refuses the token.
    pub orgs: NameList,
    /// The roles that its tokens may name; others are left out.
    pub roles: NameList,
    /// The number of seconds by which its tokens may be backdated.
    pub issued_behind: u32,
}

impl IssuerConfig {
    /// An issuer with this name and these keys, and defaults for everything else.
    pub fn new(issuer: impl Into<String>, audience: &str, producer_audience: &str, keys: Keys) -> Self {
        Self {
            issuer: issuer.into(),
            tenants: Vec::new(),
            audience: audience.to_owned(),
            producer_audience: producer_audience.to_owned(),
            keys,
            ca: None,
            realm: None,
            claims: ClaimNames::default(),
            publish: None,
            orgs: NameList::any(),
            roles: NameList::any(),
            issued_behind: 0,
        }
    }

    /// Every value of `iss` that it matches.
    pub(crate) fn names(&self) -> Vec<String> {
        match split_pattern(&self.issuer) {
            Some((before, after)) => self.tenants.iter().map(|tenant| format!("{before}{tenant}{after}")).collect(),
            None => vec![self.issuer.clone()],
        }
    }
}

/// The parts before and after the name in braces of a pattern, such as `https://login.example/{tenantid}/v2.0`.
pub fn split_pattern(issuer: &str) -> Option<(&str, &str)> {
    let (before, rest) = issuer.split_once('{')?;
    let (_, after) = rest.split_once('}')?;
    Some((before, after))
}

/// The source of an issuer's public keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// The URL of a JWK set.
    Jwks(String),
    /// The URL of an OpenID discovery document, which names the JWK set.
    Discovery(String),
    /// Keys in the configuration.
    Static(Vec<PublicJwk>),
}

/// The names of the claims that are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimNames {
    /// The user's id.
    pub user: ClaimName,
    /// The org's id, or several of them.
    pub org: ClaimName,
    /// The roles: the union of these claims.
    pub roles: Vec<ClaimName>,
    /// The session's id.
    pub session: ClaimName,
    /// Additional claims, by their configured names.
    pub other: Vec<(Arc<str>, ClaimName)>,
}

impl Default for ClaimNames {
    fn default() -> Self {
        let name = |text| ClaimName::plain(text);
        let roles = vec![name("roles")];
        Self { user: name("sub"), org: name("org"), roles, session: name("sid"), other: Vec::new() }
    }
}

/// How a verifier handles time, keys and memory.
#[derive(Debug, Clone)]
pub struct VerifierOptions {
    /// How far apart the clocks of issuer and verifier may be.
    pub leeway: Duration,
    /// The longest accepted `exp` - `iat`; logouts must be remembered only for that long.
    pub max_token_lifetime: Duration,
    /// How often the keys are fetched again.
    pub refresh: Duration,
    /// How long the last good keys are used after fetching started to fail.
    pub keep_keys: Duration,
    /// Unknown key ids cause at most one fetch per issuer within this time; longer than a fetch takes.
    pub unknown_key_window: Duration,
    /// How long a caller waits for a fetch.
    pub fetch_wait: Duration,
    /// The number of verified tokens that are remembered; 0 turns the cache off.
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

/// Why a verifier cannot be created from its configuration.
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
    /// A pattern has no tenants, or tenants have no pattern.
    #[error("issuer {issuer:?}: tenants stand for a name in braces of the issuer, and need one another")]
    Tenants {
        /// The issuer.
        issuer: String,
    },
    /// A required name is empty.
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
    /// The address of the keys is not an http or https URL.
    #[error("issuer {issuer:?}: {url:?} is not an http or https URL")]
    BadUrl {
        /// The issuer.
        issuer: String,
        /// The faulty URL.
        url: String,
    },
    /// A key in the configuration cannot be used.
    #[error("issuer {issuer:?}: key {kid:?} cannot be used: {reason}")]
    BadKey {
        /// The issuer.
        issuer: String,
        /// The key's id.
        kid: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The configuration has static keys, but none are listed.
    #[error("issuer {issuer:?} has no keys")]
    NoKeys {
        /// The issuer.
        issuer: String,
    },
    /// The HTTP client for the keys cannot be created.
    #[error("the HTTP client that fetches keys cannot be set up: {0}")]
    Client(String),
    /// A verifier that fetches keys was created outside an async runtime.
    #[error("a verifier that fetches keys must be built inside a tokio runtime")]
    NoRuntime,
}
