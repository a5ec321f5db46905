//! A present user.

use std::sync::Arc;

use fanfare_event::Id;

use crate::vocabulary::Identity;

/// A user: an id of a realm. Two realms may have users of one id, and these are two users.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct User {
    /// The realm; none where there is but one and it has no name.
    pub realm: Option<Arc<str>>,
    /// The id.
    pub id: Id,
}

impl User {
    /// The user of the connection.
    #[must_use]
    pub fn of(identity: &Identity) -> Self {
        let claims = identity.claims();
        Self { realm: claims.realm.clone(), id: claims.user.clone() }
    }
}

/// A present user, with the texts of `describe`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The user.
    pub user: User,
    /// Since when, in milliseconds since the epoch.
    pub since: i64,
    /// The texts that describe them, by name, from their token.
    pub about: Box<[(Arc<str>, Box<str>)]>,
}

impl Member {
    /// One of the texts that describe them.
    pub(super) fn about(&self, name: &str) -> Option<&str> {
        self.about.iter().find(|(known, _)| **known == *name).map(|(_, text)| &**text)
    }

    /// About how many bytes it takes.
    pub(crate) fn size(&self) -> usize {
        let about: usize = self.about.iter().map(|(name, text)| name.len() + text.len() + 8).sum();
        self.user.id.as_str().len() + self.user.realm.as_ref().map_or(0, |realm| realm.len()) + about + 48
    }

    /// The order of members on which nodes agree: who came first.
    pub(crate) fn order(&self) -> (i64, &User) {
        (self.since, &self.user)
    }
}
