//! Which issuers are trusted, and how their tokens are read.

use std::sync::Arc;
use std::time::Duration;

use fanfare_event::TypePattern;

use crate::claim_name::ClaimName;
use crate::jwk::PublicJwk;
use crate::name_list::NameList;

/// One trusted issuer.
#[derive(Debug, Clone)]
pub struct IssuerConfig {
    /// The exact value of `iss`; or a pattern with one name in braces, for which the tenants stand.
    pub issuer: String,
    /// The tenants of a pattern; empty if the issuer is none.
    pub tenants: Vec<String>,
    /// The audience of a user's token.
    pub audience: String,
    /// The audience of a producer's token; it must differ from `audience`.
    pub producer_audience: String,
    /// Where the issuer's public keys come from.
    pub keys: Keys,
    /// The certificates of those who sign that of the server of the keys, in PEM, beside those that the machine trusts.
    pub ca: Option<Vec<u8>>,
    /// A name that keeps this issuer's users apart from those of others.
    pub realm: Option<String>,
    /// Which claims hold the user, the org, the roles and the session.
    pub claims: ClaimNames,
    /// The most that any producer's token of this issuer may publish; no cap if absent.
    pub publish: Option<Vec<TypePattern>>,
    /// The orgs that its tokens may name: another one refuses the token.
    pub orgs: NameList,
    /// The roles that its tokens may name: others are left out.
    pub roles: NameList,
    /// By how many seconds at most its tokens are dated back.
    pub issued_behind: u32,
}

impl IssuerConfig {
    /// An issuer of this name and these keys, with everything else as it is unless it is said.
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

    /// Every value of `iss` that it stands for.
    pub(crate) fn names(&self) -> Vec<String> {
        match split_pattern(&self.issuer) {
            Some((before, after)) => self.tenants.iter().map(|tenant| format!("{before}{tenant}{after}")).collect(),
            None => vec![self.issuer.clone()],
        }
    }
}

/// What stands before and behind the name in braces of a pattern, such as `https://login.example/{tenantid}/v2.0`.
pub fn split_pattern(issuer: &str) -> Option<(&str, &str)> {
    let (before, rest) = issuer.split_once('{')?;
    let (_, after) = rest.split_once('}')?;
    Some((before, after))
}

/// Where an issuer's public keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// The URL of a JWK set.
    Jwks(String),
    /// The URL of an OpenID discovery document, which names the JWK set.
    Discovery(String),
    /// Keys given in the configuration.
    Static(Vec<PublicJwk>),
}

/// The names of the claims that are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimNames {
    /// The user's id.
    pub user: ClaimName,
    /// The org's id, or those of several.
    pub org: ClaimName,
    /// The roles: what any of these says.
    pub roles: Vec<ClaimName>,
    /// The session's id.
    pub session: ClaimName,
    /// What else is read, by the name that it is asked for by.
    pub other: Vec<(Arc<str>, ClaimName)>,
}

impl Default for ClaimNames {
    fn default() -> Self {
        let name = |text| ClaimName::plain(text);
        let roles = vec![name("roles")];
        Self { user: name("sub"), org: name("org"), roles, session: name("sid"), other: Vec::new() }
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
    /// A pattern has no tenants, or tenants no pattern.
    #[error("issuer {issuer:?}: tenants stand for a name in braces of the issuer, and need one another")]
    Tenants {
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
