//! Hashing of passwords: deliberately slow, so the number of concurrent hashes is bounded.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use fanfare_producer::Error;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Concurrent hashes: each takes a core and 19 MiB for tens of milliseconds.
const AT_ONCE: usize = 2;
/// Requests that may wait for a hash; further ones are refused as busy.
const WAITING: usize = 128;

/// Creates and checks argon2id hashes.
pub struct Passwords {
    turns: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    /// The hash for a user who does not exist, so that both cases take the same time.
    nobody: String,
}

impl Passwords {
    /// Prepares checking passwords.
    ///
    /// # Errors
    /// If the cryptographic library fails.
    pub async fn new() -> Result<Self, Error> {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        let queue = Arc::new(Semaphore::new(WAITING));
        let mut passwords = Self { turns, queue, nobody: String::new() };
        passwords.nobody = passwords.hash("nobody").await?;
        Ok(passwords)
    }

    /// The hash of a new password.
    ///
    /// # Errors
    /// If too many requests wait, or the cryptographic library fails.
    pub async fn hash(&self, password: &str) -> Result<String, Error> {
        let password = password.to_owned();
        self.take_turn(move || {
            let hash = Argon2::default().hash_password(password.as_bytes());
            hash.map(|hash| hash.to_string()).map_err(|error| Error::internal(error.to_string()))
        })
        .await?
    }

    /// Whether the password matches the hash; without a hash it does not, after the same work.
    ///
    /// # Errors
    /// If too many requests wait.
    pub async fn matches(&self, password: String, hash: Option<String>) -> Result<bool, Error> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.clone());
        self.take_turn(move || match PasswordHash::new(&hash) {
            Ok(hash) => Ok(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok() && known),
            Err(error) => Err(Error::internal(format!("a stored hash cannot be read: {error}"))),
        })
        .await?
    }

    async fn take_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let busy = || Error::Unavailable("too many logins at once, try again".into());
        let place = Arc::clone(&self.queue).try_acquire_owned().map_err(|_| busy())?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| busy())?;
        // The permit moves with the work: a client that disconnects does not stop the hashing.
        tokio::task::spawn_blocking(move || {
            let _turn: (OwnedSemaphorePermit, OwnedSemaphorePermit) = (place, turn);
            work()
        })
        .await
        .map_err(Error::internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_a_known_user_matches() {
        let passwords = Passwords::new().await.expect("passwords");
        let hash = passwords.hash("demo").await.expect("hash");
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        let matches = async |password: &str, hash: Option<&String>| {
            passwords.matches(password.to_owned(), hash.cloned()).await.expect("checked")
        };
        assert!(matches("demo", Some(&hash)).await);
        assert!(!matches("Demo", Some(&hash)).await);
        assert!(!matches("", Some(&hash)).await);
        assert!(!matches("nobody", None).await, "the stand-in's password opens nothing");
    }

    #[tokio::test]
    async fn a_full_queue_asks_its_caller_to_retry() {
        let passwords = Passwords::new().await.expect("passwords");
        let _all = Arc::clone(&passwords.queue).acquire_many_owned(WAITING as u32).await.expect("all places");
        let refused = passwords.matches("demo".into(), None).await;
        assert!(matches!(refused, Err(Error::Unavailable(_))));
    }
}
