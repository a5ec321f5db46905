//! Users' tokens, checked with their issuer's published keys.

use crate::caller::{Authenticate, Authentication, Denied, Identified};
use crate::identity::{PRODUCER_AUDIENCE, USER_AUDIENCE};
use crate::settings::Settings;
use crate::standing::Standings;
use fanfare_event::TypePattern;
use fanfare_token::{Audience, Claims, ConfigError, IssuerConfig, Keys, TokenError, Verifier, VerifierOptions};
use std::sync::Arc;

/// Accepts everything that the users' issuer signed, until it expires, and asks auth before a privileged call.
///
/// These services do not read events, so by itself a token outlives a logout and its roles. It can be used for reading
/// until it expires. A change is made, or a file returned, only if auth confirms that the token is still valid.
pub struct VerifiedTokens {
    verifier: Verifier,
    standings: Option<Standings>,
}

/// Why tokens cannot be checked as configured.
#[derive(Debug, thiserror::Error)]
pub enum VerifiedTokensError {
    /// The settings do not describe a valid issuer.
    #[error(transparent)]
    Issuer(#[from] ConfigError),
    /// The client for auth cannot be created.
    #[error("the client that asks auth cannot be set up: {0}")]
    Client(#[from] reqwest::Error),
}

impl VerifiedTokens {
    /// Trusts the configured issuer, whose keys are fetched when they are first needed, and asks its auth.
    ///
    /// # Errors
    /// If the settings do not describe a valid issuer.
    pub fn new(settings: &Settings) -> Result<Self, VerifiedTokensError> {
        let tokens = Self::with_keys(settings.auth_issuer.as_str(), Keys::Jwks(settings.auth_jwks_url()))?;
        Ok(tokens.asking(Standings::new(&settings.auth_url())?))
    }

    /// Asks auth for the current state before a privileged call.
    #[must_use]
    pub fn asking(mut self, standings: Standings) -> Self {
        self.standings = Some(standings);
        self
    }

    /// Trusts an issuer with these keys, without asking auth.
    ///
    /// # Errors
    /// If a key is not usable.
    pub fn with_keys(issuer: &str, keys: Keys) -> Result<Self, ConfigError> {
        let issuer = IssuerConfig {
            // Nothing is published here.
            publish: Some(Vec::<TypePattern>::new()),
            ..IssuerConfig::new(issuer, USER_AUDIENCE, PRODUCER_AUDIENCE, keys)
        };
        let verifier = Verifier::new(vec![issuer], VerifierOptions::default())?;
        Ok(Self { verifier, standings: None })
    }

    /// The claims of a user's valid token.
    ///
    /// # Errors
    /// [`Denied`] if it is invalid, or that cannot be determined.
    pub async fn claims(&self, token: &str) -> Result<Arc<Claims>, Denied> {
        self.verifier.verify(token, Audience::User).await.map_err(|error: TokenError| {
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

    fn authenticate_now<'a>(&'a self, token: &'a str) -> Authentication<'a> {
        let Some(standings) = &self.standings else { return self.authenticate(token) };
        Box::pin(async move {
            let claims = self.claims(token).await?;
            let standing = standings.of(&claims.user, claims.session.as_ref(), token).await?;
            if !standing.allows(claims.issued_at) {
                tracing::debug!(user = %claims.user, "a token was refused: its user has signed out");
                return Err(Denied::Invalid);
            }
            let (user, session) = (claims.user.clone(), claims.session.clone());
            Ok(Identified { user, org: Some(standing.org.clone()), roles: standing.roles.clone(), session })
        })
    }

    fn is_ready(&self) -> bool {
        self.verifier.keys_available()
    }
}
