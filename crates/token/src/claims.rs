//! The content of a verified token.

use std::sync::Arc;

use fanfare_event::Id;

use crate::publish::Publish;

/// What a verified token says about its bearer.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    /// The issuer; a user is the pair of its realm and `user`.
    pub issuer: Arc<str>,
    /// The configured realm of the issuer, if it has one.
    pub realm: Option<Arc<str>>,
    /// The user (`sub`).
    pub user: Id,
    /// The user's org; each hub decides whether it needs one.
    pub org: Option<Id>,
    /// The orgs of a user who has several, without `org`: a connection chooses one.
    pub orgs: Vec<Id>,
    /// The roles, in the token's order, without duplicates and without invalid names.
    pub roles: Vec<String>,
    /// The session (`sid`), which a logout may name.
    pub session: Option<Id>,
    /// When the token was issued, in seconds since the epoch. If the token does not say, the earliest possible time.
    pub issued_at: i64,
    /// When the token expires, in seconds since the epoch.
    pub expires_at: i64,
    /// What the bearer may publish; only in a producer's token.
    pub publish: Option<Publish>,
    /// Claims that could not be used and count as absent: a hub that needs one refuses the token.
    pub unusable: Vec<UnusableClaim>,
    /// Additional claims that the configuration names.
    pub other: OtherClaims,
}

/// Claims without a meaning of their own, by their configured names; cheap to copy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OtherClaims(Arc<[(Arc<str>, Vec<String>)]>);

impl OtherClaims {
    /// The distinct values of a claim: texts unchanged, numbers in decimal, `true` and `false`. None if it is missing.
    #[must_use]
    pub fn values(&self, name: &str) -> &[String] {
        self.0.iter().find(|(known, _)| **known == *name).map(|(_, values)| values.as_slice()).unwrap_or_default()
    }

    /// The value of a claim with a single value.
    #[must_use]
    pub fn one(&self, name: &str) -> Option<&str> {
        match self.values(name) {
            [one] => Some(one),
            _ => None,
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0.iter().map(|(name, values)| (&**name, values.as_slice()))
    }

    fn size(&self) -> usize {
        let values = |values: &[String]| values.iter().map(|value| value.len() + 24).sum::<usize>();
        self.0.iter().map(|(_, of)| values(of) + 48).sum()
    }
}

impl FromIterator<(Arc<str>, Vec<String>)> for OtherClaims {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Vec<String>)>>(claims: I) -> Self {
        Self(claims.into_iter().filter(|(_, values)| !values.is_empty()).collect())
    }
}

/// A claim that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusableClaim {
    /// What it would have been.
    pub says: ClaimKind,
    /// The claim's configured name.
    pub claim: Arc<str>,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// What a claim that only some hubs need contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClaimKind {
    /// The org.
    Org,
    /// The roles.
    Roles,
    /// The session.
    Session,
}

impl Claims {
    /// Whether the token grants this role.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|held| held == role)
    }

    /// Their approximate memory, in bytes.
    pub(crate) fn size(&self) -> usize {
        const OWN: usize = 400;
        const EACH: usize = 48;
        let roles = self.roles.iter().map(|role| role.len() + EACH).sum::<usize>();
        let orgs = self.orgs.iter().map(|org| org.as_str().len() + EACH).sum::<usize>();
        OWN + roles + orgs + self.other.size()
    }
}

/// The kind of audience that a token must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// A user who connects to a hub.
    User,
    /// A producer which publishes events.
    Producer,
}
