//! The producer's identity at the fan-out: its own key, and the tokens it signs with it.

use crate::{Error, Service};
use axum::routing::get;
use axum::{Json, Router};
use fanfare_event::{Id, TypePattern};
use fanfare_token::{Jwks, KeyError, KeyFileError, NewToken, PublicJwk, SigningKey};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// The audience of producers' tokens; no user's token has it.
pub const PRODUCER_AUDIENCE: &str = "fanfare-publish";
/// The audience of users' tokens.
pub const USER_AUDIENCE: &str = "fanfare";
/// The path of a service's published keys.
pub const JWKS_PATH: &str = "/.well-known/jwks.json";

const LIFETIME: u32 = 5 * 60;
/// A token is replaced this long before it expires, so that none expires on its way.
const RENEW_BEFORE: i64 = 60;
const KEY_FILE: &str = "producer-key.pem";

/// Why a producer has no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The key cannot be read or created.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The service is declared with an invalid name or pattern.
    #[error("the service is declared wrongly: {0}")]
    Declaration(String),
}

/// A producer's key and its rights to publish.
pub struct Identity {
    key: SigningKey,
    issuer: String,
    name: Id,
    publishes: Vec<TypePattern>,
    minted: Mutex<Option<Minted>>,
}

struct Minted {
    token: Arc<str>,
    renew_at: i64,
}

impl Identity {
    /// Reads the key in the folder, or creates one. Blocks on the disk.
    ///
    /// # Errors
    /// If the key cannot be read or written.
    pub fn load_or_create(folder: &Path, issuer: String, service: &Service) -> Result<Self, IdentityError> {
        let declaration = |error: String| IdentityError::Declaration(error);
        let name = Id::parse(service.name).map_err(|error| declaration(error.to_string()))?;
        let publishes = service
            .publishes
            .iter()
            .map(|pattern| TypePattern::parse(pattern).map_err(|error| declaration(error.to_string())))
            .collect::<Result<_, _>>()?;
        let key = SigningKey::load_or_create(&folder.join(KEY_FILE))?;
        Ok(Self { key, issuer, name, publishes, minted: Mutex::new(None) })
    }

    /// The public half of the key.
    pub fn public_key(&self) -> PublicJwk {
        self.key.jwk()
    }

    /// A token for publishing this producer's events, valid for at least a minute.
    ///
    /// # Errors
    /// If it cannot be signed.
    pub fn token(&self) -> Result<Arc<str>, KeyError> {
        self.token_at(seconds_since_epoch())
    }

    fn token_at(&self, now: i64) -> Result<Arc<str>, KeyError> {
        let mut minted = self.minted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(minted) = minted.as_ref().filter(|minted| now < minted.renew_at) {
            return Ok(Arc::clone(&minted.token));
        }
        let claims = NewToken::producer(&self.issuer, PRODUCER_AUDIENCE, &self.name, &self.publishes, now, LIFETIME);
        let token: Arc<str> = self.key.sign(&claims)?.into();
        let renew_at = now + i64::from(LIFETIME) - RENEW_BEFORE;
        *minted = Some(Minted { token: Arc::clone(&token), renew_at });
        Ok(token)
    }
}

fn seconds_since_epoch() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}

/// The route at which a service that signs only producer tokens publishes its key.
pub fn jwks_route(identity: &Identity) -> Router {
    let set = Jwks { keys: vec![identity.public_key()] };
    Router::new().route(JWKS_PATH, get(async move || Ok::<_, Error>(Json(set))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanfare_event::TypeName;
    use fanfare_token::{Audience, IssuerConfig, Keys, Verifier, VerifierOptions};

    const SERVICE: Service = Service { name: "license", port: 8082, publishes: &["license.*"] };

    fn identity(folder: &Path) -> Identity {
        Identity::load_or_create(folder, "http://127.0.0.1:8082".into(), &SERVICE).expect("identity")
    }

    #[tokio::test]
    async fn its_tokens_publish_its_own_events_and_are_no_users_tokens() {
        let folder = tempfile::tempdir().expect("folder");
        let identity = identity(folder.path());
        let keys = Keys::Static(vec![identity.public_key()]);
        let issuer = IssuerConfig::new("http://127.0.0.1:8082", USER_AUDIENCE, PRODUCER_AUDIENCE, keys);
        let verifier = Verifier::new(vec![issuer], VerifierOptions::default()).expect("verifier");
        let token = identity.token().expect("token");
        let claims = verifier.verify(&token, Audience::Producer).await.expect("a producer's token");
        let publish = claims.publish.clone().expect("may publish");
        let name = |text: &str| TypeName::parse(text).expect("type");
        assert!(publish.allows_type(&name("license.FlagToggled")));
        assert!(!publish.allows_type(&name("auth.UserLoggedOut")));
        assert!(verifier.verify(&token, Audience::User).await.is_err());
    }

    #[test]
    fn a_token_is_reused_until_a_minute_before_its_end() {
        let folder = tempfile::tempdir().expect("folder");
        let identity = identity(folder.path());
        let first = identity.token_at(1_000).expect("token");
        assert_eq!(identity.token_at(1_239).expect("token"), first);
        assert_ne!(identity.token_at(1_240).expect("token"), first);
    }

    #[test]
    fn the_key_stays_the_same_over_a_restart() {
        let folder = tempfile::tempdir().expect("folder");
        assert_eq!(identity(folder.path()).public_key(), identity(folder.path()).public_key());
    }
}
