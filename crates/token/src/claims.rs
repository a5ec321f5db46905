//! What a verified token says.

use std::sync::Arc;

use fanfare_event::Id;

use crate::publish::Publish;

/// What a verified token says about its bearer.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    /// The issuer; a user is the pair of issuer and `user`.
    pub issuer: Arc<str>,
    /// The configured realm of the issuer, if it has one.
    pub realm: Option<Arc<str>>,
    /// The user (`sub`).
    pub user: Id,
    /// The user's org; whether one is needed is for the hub to decide.
    pub org: Option<Id>,
    /// The roles, in the token's order, without repeats and without names that no role can have.
    pub roles: Vec<String>,
    /// The session (`sid`), which a logout may name.
    pub session: Option<Id>,
    /// When the token was issued, in seconds since the epoch.
    pub issued_at: i64,
    /// When the token expires, in seconds since the epoch.
    pub expires_at: i64,
    /// What the bearer may publish; only ever present in a producer's token.
    pub publish: Option<Publish>,
}

impl Claims {
    /// Tells whether the token grants this role.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|held| held == role)
    }
}

/// Whom a token must have been issued for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// A user who connects to a hub.
    User,
    /// A producer which publishes events.
    Producer,
}
