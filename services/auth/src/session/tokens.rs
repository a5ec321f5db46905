//! Tokens as auth itself checks them: against its sessions, with the current roles.

use super::store;
use crate::keyring::Keyring;
use fanfare_producer::Database;
use fanfare_producer::caller::{Authenticate, Authentication, Denied, Identified};
use std::sync::Arc;

/// Accepts the tokens of open sessions.
pub struct SessionTokens {
    keyring: Arc<Keyring>,
    database: Database,
}

impl SessionTokens {
    /// Checks tokens that the keyring signed.
    pub fn new(keyring: Arc<Keyring>, database: Database) -> Self {
        Self { keyring, database }
    }

    async fn identify(&self, token: &str) -> Result<Identified, Denied> {
        let claims = self.keyring.claims(token).await?;
        let session = claims.session.clone().ok_or(Denied::Invalid)?;
        let current = store::current(self.database.reader(), &session, &claims.user)
            .await
            .map_err(|error| Denied::Unavailable(error.with_causes()))?;
        let current = current.ok_or(Denied::Invalid)?;
        if claims.issued_at <= current.signed_out_at / 1000 {
            return Err(Denied::Invalid);
        }
        let roles = current.roles.names();
        Ok(Identified { user: claims.user.clone(), org: Some(current.org), roles, session: Some(session) })
    }
}

impl Authenticate for SessionTokens {
    fn authenticate<'a>(&'a self, token: &'a str) -> Authentication<'a> {
        Box::pin(self.identify(token))
    }
}
