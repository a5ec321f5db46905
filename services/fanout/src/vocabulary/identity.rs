//! Whom a connection belongs to: the verified claims of its token, and the org that the request named.

use std::sync::Arc;

use fanfare_event::Id;
use fanfare_token::Claims;
use thiserror::Error;

/// The request names an org that its token does not allow.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IdentityError {
    /// Another org than the token's, without the superadmin's right to name any.
    #[error("the request names org '{named}', but the token belongs to another org")]
    OtherOrg {
        /// The org that the request named.
        named: Id,
    },
    /// Not a possible org id.
    #[error("the org named by the request is not a valid id")]
    InvalidOrg,
    /// The token is of several orgs, and the request does not choose one.
    #[error("the token is of several orgs: name one of them by X-Organization-Id or ?org=")]
    NoChoice,
}

/// The verified identity of a connection.
#[derive(Debug, Clone)]
pub struct Identity {
    claims: Arc<Claims>,
    /// The org that a superadmin chose to look into, where it is not their own.
    named_org: Option<Id>,
    /// When the connection ends, in seconds since the epoch.
    ends_at: i64,
}

impl Identity {
    /// Joins claims with the org that the request names by `X-Organization-Id` or `?org=`. Of the orgs of a token that
    /// has several, it chooses one.
    ///
    /// `may_name_any` says whether these roles may name an org that is not the token's.
    ///
    /// # Errors
    /// [`IdentityError`] if the token does not allow that org.
    pub fn new(
        claims: Arc<Claims>,
        named: Option<&str>,
        may_name_any: impl FnOnce(&[String]) -> bool,
    ) -> Result<Self, IdentityError> {
        let ends_at = claims.expires_at;
        let Some(named) = named else {
            return Ok(Self { claims, named_org: None, ends_at });
        };
        let named = Id::parse(named).map_err(|_| IdentityError::InvalidOrg)?;
        if claims.org.as_ref() == Some(&named) {
            return Ok(Self { claims, named_org: None, ends_at });
        }
        if claims.orgs.contains(&named) {
            let chosen = Claims { org: Some(named), orgs: Vec::new(), ..Claims::clone(&claims) };
            return Ok(Self { claims: Arc::new(chosen), named_org: None, ends_at });
        }
        if may_name_any(&claims.roles) {
            return Ok(Self { claims, named_org: Some(named), ends_at });
        }
        Err(IdentityError::OtherOrg { named })
    }

    /// The same, whose connection outlives its token until then.
    #[must_use]
    pub fn until(self, ends_at: i64) -> Self {
        Self { ends_at, ..self }
    }

    /// When the connection ends, in seconds since the epoch: with its token, unless its hub keeps it.
    #[must_use]
    pub fn ends_at(&self) -> i64 {
        self.ends_at
    }

    /// The verified claims.
    #[must_use]
    pub fn claims(&self) -> &Arc<Claims> {
        &self.claims
    }

    /// The org that a superadmin named in addition to their own.
    #[must_use]
    pub fn named_org(&self) -> Option<&Id> {
        self.named_org.as_ref()
    }

    /// The orgs whose events may be written to this connection.
    pub fn orgs(&self) -> impl Iterator<Item = &Id> {
        self.claims.org.iter().chain(&self.named_org)
    }

    /// Whether events of this org may be written to this connection at all (rule 1.2).
    #[must_use]
    pub fn belongs_to(&self, org: &Id) -> bool {
        self.orgs().any(|own| own == org)
    }

    /// Whether another token of the same caller is newer: issued later, or at the same time with a later expiry.
    #[must_use]
    pub fn is_older_than(&self, other: &Self) -> bool {
        let age = |who: &Self| (who.claims.issued_at, who.claims.expires_at);
        age(self) < age(other)
    }

    /// Whether both are the same caller: user, realm, session, org and named org. A connection keeps its identity,
    /// so every later request must be by the same caller (rule 9.2).
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let (own, others) = (&self.claims, &other.claims);
        own.user == others.user
            && own.realm == others.realm
            && own.session == others.session
            && own.org == others.org
            && self.named_org == other.named_org
    }
}
