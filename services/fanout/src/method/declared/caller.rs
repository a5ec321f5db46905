//! The caller of a method.

use fanfare_event::Id;

use super::Claim;
use crate::vocabulary::Identity;

/// The caller of a method: verified claims, with the roles that count now.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// The user of the connection; none on a public hub.
    pub identity: Option<&'a Identity>,
    /// The roles in force, by the token or by a newer event.
    pub roles: &'a [String],
}

impl<'a> Caller<'a> {
    /// A claim of the caller; nothing if they lack it.
    #[must_use]
    pub fn claim(self, claim: Claim) -> Option<&'a str> {
        let claims = self.identity?.claims();
        match claim {
            Claim::User => Some(claims.user.as_str()),
            Claim::Org => claims.org.as_ref().map(Id::as_str),
            Claim::Session => claims.session.as_ref().map(Id::as_str),
            Claim::Realm => claims.realm.as_deref(),
        }
    }

    /// The values of a claim without a meaning of its own.
    #[must_use]
    pub fn other(self, name: &str) -> &'a [String] {
        self.identity.map(|who| who.claims().other.values(name)).unwrap_or_default()
    }

    /// Whether a claim has this value. Someone who may name an org, and did, is of both.
    #[must_use]
    pub fn has(self, claim: Claim, value: &str) -> bool {
        let named = || self.identity.and_then(Identity::named_org).map(Id::as_str);
        self.claim(claim) == Some(value) || (claim == Claim::Org && named() == Some(value))
    }
}
