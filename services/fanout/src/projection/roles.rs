//! Roles as events changed them, until the tokens that say otherwise have run out.

use std::collections::{BTreeSet, HashMap};

use fanfare_event::Id;
use fanfare_token::Claims;

use super::Place;

/// A change of a user's roles in an org.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleChange {
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

#[derive(Debug, Clone)]
struct Override {
    /// Each role with the place in the log from which the user has had it without a break.
    roles: Vec<(String, Place)>,
    revision: Option<i64>,
    place: Place,
    at: i64,
}

/// The newest roles of each user and org that an event named.
#[derive(Debug, Clone)]
pub struct Roles {
    overrides: HashMap<(Id, Id), Override>,
    by_time: BTreeSet<(i64, (Id, Id))>,
    limit: usize,
}

/// A role and, if an event granted it, where in the log.
pub type GrantedRole = (String, Option<Place>);

impl Roles {
    /// No changes yet; at most `limit` are remembered.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { overrides: HashMap::new(), by_time: BTreeSet::new(), limit }
    }

    /// Notes a change; false if a newer one is known, which then stays.
    ///
    /// Beyond the limit the oldest change is forgotten; the second value is its time, from before which
    /// tokens must no longer be believed.
    pub fn change(&mut self, change: &RoleChange, place: Place) -> (bool, Option<i64>) {
        let key = (change.org.clone(), change.user.clone());
        let known = self.overrides.get(&key);
        if known.is_some_and(|known| place.is_older(change.revision, known.place, known.revision)) {
            return (false, None);
        }
        let since = |role: &String| {
            let kept = known.and_then(|known| known.roles.iter().find(|(name, _)| name == role));
            kept.map_or(place, |(_, since)| *since)
        };
        let roles = change.roles.iter().map(|role| (role.clone(), since(role))).collect();
        if let Some(at) = known.map(|known| known.at) {
            self.by_time.remove(&(at, key.clone()));
        }
        let (revision, at) = (change.revision, change.at);
        self.overrides.insert(key.clone(), Override { roles, revision, place, at });
        self.by_time.insert((at, key));
        let forgotten = if self.by_time.len() > self.limit { self.forget_oldest() } else { None };
        (true, forgotten)
    }

    /// The roles that count for these claims: an event's, if it is not older than the token.
    #[must_use]
    pub fn of(&self, claims: &Claims) -> Vec<GrantedRole> {
        let from_token = || claims.roles.iter().map(|role| (role.clone(), None)).collect();
        let (Some(org), None) = (&claims.org, &claims.realm) else { return from_token() };
        match self.overrides.get(&(org.clone(), claims.user.clone())) {
            // A token of the same second may be the older one; the event's roles are right for both.
            Some(newer) if newer.at >= claims.issued_at => {
                newer.roles.iter().map(|(role, since)| (role.clone(), Some(*since))).collect()
            }
            _ => from_token(),
        }
    }

    /// Forgets changes before `seconds`: every living token already carries them.
    pub fn forget_before(&mut self, seconds: i64) {
        while self.by_time.first().is_some_and(|(at, _)| *at < seconds) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) -> Option<i64> {
        let (at, key) = self.by_time.pop_first()?;
        self.overrides.remove(&key);
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
}
