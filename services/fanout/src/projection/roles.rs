//! Roles that events have changed, remembered until older tokens have expired.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use fanfare_event::Id;
use fanfare_token::Claims;

use super::digest::{self, Digest};
use super::versions::{Memory, Version, Versions};
use crate::vocabulary::{CHANGES_KEPT, Identity, Intervals, Place};

/// A change of a user's roles in an org.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleChange {
    /// The realm of the user.
    pub realm: Option<Arc<str>>,
    /// Whose roles.
    pub user: Id,
    /// In which org.
    pub org: Id,
    /// All roles from now on.
    pub roles: Vec<String>,
    /// The producer's revision, if it counts.
    pub revision: Option<i64>,
    /// When the change was made, in seconds since the epoch.
    pub at: i64,
}

impl RoleChange {
    /// Whether it speaks of this identity.
    #[must_use]
    pub fn concerns(&self, who: &Identity) -> bool {
        let claims = who.claims();
        claims.realm == self.realm && claims.user == self.user && claims.org.as_ref() == Some(&self.org)
    }
}

/// A user of a realm, in an org.
type Member = (Option<Arc<str>>, Id, Id);

/// What an event said of a user's roles.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct RoleSet {
    roles: Box<[String]>,
    at: i64,
}

/// The roles of each user and org that events named, the newest and those of the replay window.
#[derive(Debug, Clone)]
pub struct Roles {
    users: HashMap<Member, Versions<RoleSet>>,
    by_time: BTreeSet<(i64, Member)>,
    limit: usize,
}

/// A role and, if an event granted it, between which places of the log.
pub type GrantedRole = (String, Option<Intervals>);

impl Roles {
    /// No changes yet; the changes of at most `limit` users are remembered.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { users: HashMap::new(), by_time: BTreeSet::new(), limit }
    }

    /// Notes a change; false if a newer one is known, which then stays. What was said before `horizon` is remembered
    /// only as far as it still counts.
    ///
    /// Beyond the limit the oldest change is forgotten; the second value is its time, from before which
    /// tokens must no longer be believed.
    pub fn change(&mut self, change: &RoleChange, place: Place, horizon: i64) -> (bool, Option<i64>) {
        let key: Member = (change.realm.clone(), change.org.clone(), change.user.clone());
        let versions = self.users.entry(key.clone()).or_default();
        let before = versions.current().map(|now| now.value.at);
        let value = RoleSet { roles: change.roles.clone().into(), at: change.at };
        let revision = change.revision;
        versions.add(Version { revision, place, value }, Memory { versions: CHANGES_KEPT, horizon });
        let now = versions.current();
        let newest = now.is_some_and(|now| now.place == place);
        let after = now.map(|now| now.value.at);
        if before != after {
            if let Some(at) = before {
                self.by_time.remove(&(at, key.clone()));
            }
            self.by_time.extend(after.map(|at| (at, key)));
        }
        let forgotten = if self.by_time.len() > self.limit { self.forget_oldest() } else { None };
        (newest, forgotten)
    }

    /// The roles that count for these claims: an event's, if it is not older than the token.
    ///
    /// A newer token says itself which roles there are. Since when its user has one that the newest event granted, it
    /// does not say: an old cursor must not show what came before the grant.
    #[must_use]
    pub fn of(&self, claims: &Claims) -> Vec<GrantedRole> {
        let Some(versions) = self.of_member(claims) else { return Self::of_token(claims) };
        let Some(newest) = versions.current() else { return Self::of_token(claims) };
        // A token of the same second may be the older one; the event's roles are right for both.
        let is_overridden = newest.value.at >= claims.issued_at;
        let held = |role: &String| {
            let is_granted = newest.value.roles.contains(role);
            let said = versions.timeline().map(|said| (said.place, said.value.roles.contains(role)));
            is_granted.then(|| Intervals::of(said))
        };
        let roles = if is_overridden { newest.value.roles.iter() } else { claims.roles.iter() };
        roles.map(|role| (role.clone(), held(role))).collect()
    }

    fn of_token(claims: &Claims) -> Vec<GrantedRole> {
        claims.roles.iter().map(|role| (role.clone(), None)).collect()
    }

    fn of_member(&self, claims: &Claims) -> Option<&Versions<RoleSet>> {
        self.users.get(&(claims.realm.clone(), claims.org.clone()?, claims.user.clone()))
    }

    /// The highest revision that is known of a user's roles in an org, and where it was said.
    pub(super) fn revision(&self, realm: Option<Arc<str>>, org: Id, user: Id) -> Option<(i64, Place)> {
        self.users.get(&(realm, org, user))?.highest_revision()
    }

    /// Forgets changes before `seconds`: every living token already carries them.
    pub fn forget_before(&mut self, seconds: i64) {
        while self.by_time.first().is_some_and(|(at, _)| *at < seconds) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) -> Option<i64> {
        let (at, key) = self.by_time.pop_first()?;
        self.users.remove(&key);
        Some(at)
    }

    /// How many changes are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_time.len()
    }

    /// Whether no change is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_time.is_empty()
    }

    /// Forgets changes that only the replay window needed.
    pub(super) fn forget_places_before(&mut self, horizon: i64) {
        for versions in self.users.values_mut() {
            versions.forget(Memory { versions: CHANGES_KEPT, horizon });
        }
    }
}

impl Digest for Roles {
    fn digest(&self) -> u64 {
        digest::of_set(self.users.iter().map(|(user, versions)| {
            let said: Vec<_> = versions.all().iter().map(|said| (said.revision, said.place, &said.value)).collect();
            (user, said)
        }))
    }

    fn digest_of_now(&self) -> u64 {
        digest::of_set(self.users.iter().map(|(user, versions)| {
            let now = versions.current();
            (user, now.map(|now| (now.revision, &now.value)))
        }))
    }
}
