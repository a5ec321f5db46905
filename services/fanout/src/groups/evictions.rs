//! Who was evicted as slow lately: a tab that cannot keep up must not be replayed to over and over.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fanfare_event::Id;

use crate::connection::Identity;

/// Evicted twice within this time, a user resumes without a replay (SEMANTICS 2.6).
const PERIOD: Duration = Duration::from_secs(60);

/// The most users remembered; beyond it an eviction is not noted, and its tab replays as any other.
const MOST: usize = 10_000;

type User = (Option<Arc<str>>, Id);

/// The last two evictions of each user.
///
/// By user and not by tab: a tab that comes back is a new connection, and its user is all that is left.
#[derive(Debug, Default)]
pub struct Evictions(Mutex<HashMap<User, Recent>>);

#[derive(Debug, Clone, Copy)]
struct Recent {
    last: Instant,
    before: Option<Instant>,
}

impl Evictions {
    /// Notes that a connection of this identity was evicted as slow.
    pub fn note(&self, identity: &Identity, now: Instant) {
        let mut users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if users.len() >= MOST {
            users.retain(|_, recent| now.saturating_duration_since(recent.last) < PERIOD);
        }
        let user = user(identity);
        let before = users.get(&user).map(|recent| recent.last);
        if before.is_some() || users.len() < MOST {
            users.insert(user, Recent { last: now, before });
        }
    }

    /// Whether this identity was evicted twice within the last minute.
    #[must_use]
    pub fn too_often(&self, identity: &Identity, now: Instant) -> bool {
        let users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = users.get(&user(identity)).and_then(|recent| recent.before);
        before.is_some_and(|before| now.saturating_duration_since(before) < PERIOD)
    }
}

fn user(identity: &Identity) -> User {
    let claims = identity.claims();
    (claims.realm.clone(), claims.user.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::claims;

    #[test]
    fn two_evictions_within_a_minute_are_too_many() {
        let identity = |user| {
            let claims = Arc::new(claims(user, "acme", &[], "s", 1));
            Identity::new(claims, None, |_| false).expect("the own org")
        };
        let (alice, bob) = (identity("alice"), identity("bob"));
        let (evictions, start) = (Evictions::default(), Instant::now());
        evictions.note(&alice, start);
        assert!(!evictions.too_often(&alice, start));
        evictions.note(&alice, start + Duration::from_secs(30));
        assert!(evictions.too_often(&alice, start + Duration::from_secs(31)));
        assert!(!evictions.too_often(&bob, start));
        assert!(!evictions.too_often(&alice, start + PERIOD));
        evictions.note(&alice, start + Duration::from_secs(120));
        assert!(!evictions.too_often(&alice, start + Duration::from_secs(121)), "90 s apart");
    }
}
