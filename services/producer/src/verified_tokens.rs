//! Users' tokens, checked with their issuer's published keys.

use crate::caller::{Authenticate, Authentication, Denied, Identified};
use crate::identity::{PRODUCER_AUDIENCE, USER_AUDIENCE};
use crate::settings::Settings;
use fanfare_event::TypePattern;
use fanfare_token::{Audience, Claims, ConfigError, IssuerConfig, Keys, TokenError, Verifier, VerifierOptions};
use std::sync::Arc;

/// Accepts whatever the issuer of users' tokens signed, until it expires.
///
/// A logout ends a token here only when it expires: these services do not read events. The fan-out and
/// auth refuse it at once.
pub struct VerifiedTokens(Verifier);

impl VerifiedTokens {
    /// Trusts the issuer of the settings, whose keys are fetched when they are first needed.
    ///
    /// # Errors
    /// If the settings do not make an issuer.
    pub fn new(settings: &Settings) -> Result<Self, ConfigError> {
        Self::with_keys(settings.auth_issuer.as_str(), Keys::Jwks(settings.auth_jwks_url()))
    }

    /// Trusts an issuer with these keys.
    ///
    /// # Errors
    /// If a key is not usable.
    pub fn with_keys(issuer: &str, keys: Keys) -> Result<Self, ConfigError> {
        let issuer = IssuerConfig {
            // Nobody publishes anything here.
            publish: Some(Vec::<TypePattern>::new()),
            ..IssuerConfig::new(issuer, USER_AUDIENCE, PRODUCER_AUDIENCE, keys)
        };
        Verifier::new(vec![issuer], VerifierOptions::default()).map(Self)
    }

    /// The claims of a user's valid token.
    ///
    /// # Errors
    /// [`Denied`] if it is not one, or that cannot be told.
    pub async fn claims(&self, token: &str) -> Result<Arc<Claims>, Denied> {
        self.0.verify(token, Audience::User).await.map_err(|error: TokenError| {
            if error.is_server_fault() {
                return Denied::Unavailable(error.to_string());
            }
            tracing::debug!(reason = error.label(), "a token was refused");
            Denied::Invalid
        })
    }
}

impl Authenticate for VerifiedTokens {
    fn authenticate<'a>(&'a self, token: &'a str) -> Authentication<'a> {
        Box::pin(async move {
            let claims = self.claims(token).await?;
            let Claims { user, org, roles, session, .. } = Claims::clone(&claims);
            Ok(Identified { user, org, roles, session })
        })
    }

    fn is_ready(&self) -> bool {
        self.0.keys_available()
    }
}
