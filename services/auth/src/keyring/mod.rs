//! The keys that sign users' tokens.
//!
//! One key signs. The next one is published already, so that verifiers know it before its first token. Older keys stay
//! published until their last token has expired.

mod rotation;
mod routes;
pub(crate) mod store;

pub(crate) use routes::routes;

use fanfare_producer::caller::Denied;
use fanfare_producer::{Error, Producer, VerifiedTokens};
use fanfare_token::{Claims, Keys, NewToken, PublicJwk, SigningKey};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use store::Stored;

/// The lifetimes of keys.
#[derive(Clone, Copy, Debug)]
pub struct Periods {
    /// How long a key signs.
    pub rotate_after: Duration,
    /// How long it stays published after that.
    pub keep_retired: Duration,
}

/// The keys, as stored in the database.
pub struct Keyring {
    producer: Producer,
    issuer: String,
    periods: Periods,
    ring: RwLock<Arc<Ring>>,
}

/// The keys at one moment.
struct Ring {
    signing: SigningKey,
    published: Vec<PublicJwk>,
    verifier: VerifiedTokens,
}

impl Ring {
    fn of(stored: &[Stored], issuer: &str) -> Result<Self, Error> {
        let mut signing = None;
        let mut published = Vec::new();
        for key in stored {
            let opened = SigningKey::from_pkcs8_pem(&key.pem).map_err(Error::internal)?;
            published.push(opened.jwk());
            if key.is_signing() {
                signing = Some(opened);
            }
        }
        let signing = signing.ok_or_else(|| Error::internal("there is no key to sign with"))?;
        let verifier = VerifiedTokens::with_keys(issuer, Keys::Static(published.clone())).map_err(Error::internal)?;
        Ok(Self { signing, published, verifier })
    }
}

impl Keyring {
    /// Reads the keys, and creates missing ones.
    ///
    /// # Errors
    /// If the database or the cryptographic library fails.
    pub async fn open(producer: Producer, issuer: &str, periods: Periods) -> Result<Self, Error> {
        let stored = rotation::rotate(&producer, periods, rotation::When::Due).await?;
        let ring = RwLock::new(Arc::new(Ring::of(&stored, issuer)?));
        Ok(Self { producer, issuer: issuer.to_owned(), periods, ring })
    }

    /// Signs the claims as a token.
    ///
    /// # Errors
    /// If the cryptographic library fails.
    pub fn sign(&self, claims: &NewToken) -> Result<String, Error> {
        self.ring().signing.sign(claims).map_err(Error::internal)
    }

    /// The claims of a valid token.
    ///
    /// # Errors
    /// [`Denied`] if it is not valid.
    pub async fn claims(&self, token: &str) -> Result<Arc<Claims>, Denied> {
        let ring = self.ring();
        ring.verifier.claims(token).await
    }

    /// All keys with which a valid token may be signed, and the next one.
    pub fn published(&self) -> Vec<PublicJwk> {
        self.ring().published.clone()
    }

    /// Makes the next key sign.
    ///
    /// # Errors
    /// If the last rotations are too recent, or the database fails.
    pub async fn rotate_now(&self) -> Result<String, Error> {
        self.rotate(rotation::When::Now).await?;
        Ok(self.ring().signing.kid().to_owned())
    }

    /// Rotates if the key has signed for long enough, and reads rotations of other processes.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn rotate_if_due(&self) -> Result<(), Error> {
        self.rotate(rotation::When::Due).await
    }

    async fn rotate(&self, when: rotation::When) -> Result<(), Error> {
        let stored = rotation::rotate(&self.producer, self.periods, when).await?;
        let ring = Ring::of(&stored, &self.issuer)?;
        // Of two concurrent rotations the later commit may get here first; the next round corrects that, and until then
        // both keys are published.
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
        Ok(())
    }

    fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }
}
