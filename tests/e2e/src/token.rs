//! Good tokens, signed with the development key of a node.

use std::path::Path;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use fanfare_token::SigningKey;
use serde_json::{Map, Value, json};

/// The issuer that a node trusts if it has a development key.
pub const DEVELOPMENT_ISSUER: &str = "fanfare-development";
/// The audience of users' tokens.
pub const USERS: &str = "fanfare";
/// The audience of producers' tokens.
pub const PRODUCERS: &str = "fanfare-publish";

/// The development key of all nodes in these tests, because creating one is slow.
///
/// # Panics
/// If there are no random numbers.
pub fn development_key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate().expect("a key"))
}

/// Writes the development key to the path where a node reads it.
///
/// # Panics
/// If the file cannot be written.
pub fn write_development_key(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let pem = development_key().to_pkcs8_pem().expect("a PEM block");
    std::fs::write(path, pem).expect("written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("closed to others");
}

/// Seconds since the epoch.
///
/// # Panics
/// If the clock is before 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs()).expect("before the end of time")
}

/// The claims of a token.
#[derive(Debug, Clone)]
pub struct Token(Map<String, Value>);

impl Token {
    /// A user of an org.
    pub fn user(user: &str, org: &str) -> Self {
        Self::of(json!({
            "iss": DEVELOPMENT_ISSUER,
            "aud": USERS,
            "sub": user,
            "org": org,
            "roles": ["user"],
            "sid": format!("session-of-{user}"),
            "iat": now(),
            "exp": now() + 3600,
        }))
    }

    /// A producer that may publish everything.
    pub fn producer() -> Self {
        Self::user("tests", "tests").claim("aud", PRODUCERS).roles(&["producer"]).claim("publish", ["*"])
    }

    fn of(claims: Value) -> Self {
        match claims {
            Value::Object(claims) => Self(claims),
            other => unreachable!("claims are an object: {other}"),
        }
    }

    /// Sets a claim.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// Removes a claim.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    /// Sets the roles.
    #[must_use]
    pub fn roles(self, roles: &[&str]) -> Self {
        self.claim("roles", roles.to_vec())
    }

    /// Sets the session.
    #[must_use]
    pub fn session(self, session: &str) -> Self {
        self.claim("sid", session)
    }

    /// The claims.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The token, signed with the development key.
    pub fn sign(&self) -> String {
        self.sign_with(development_key())
    }

    /// The token, signed with another key.
    ///
    /// # Panics
    /// If the key cannot sign.
    pub fn sign_with(&self, key: &SigningKey) -> String {
        key.sign(&self.0).expect("signed")
    }
}
