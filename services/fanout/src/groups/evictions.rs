//! Who was closed as slow lately: a client that cannot keep up must not be replayed to again and again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fanfare_event::Id;

use crate::vocabulary::Identity;

/// Evicted twice within this time, a tab resumes without a replay.
const PERIOD: Duration = Duration::from_secs(60);

/// The most users remembered; beyond it an eviction is not noted, and its tab replays as any other.
const MOST: usize = 10_000;

/// The most evictions remembered of one user: more connections than half of it count as that many.
const MOST_OF_ONE: usize = 64;

type User = (Option<Arc<str>>, Id);

/// The last evictions of each user.
///
/// By user and not by tab: a tab that comes back is a new connection, and its user is all that is left. So they are
/// counted against the user's tabs: when a line is cut, each of ten tabs may be evicted once, and none of them is slow.
#[derive(Debug, Default)]
pub struct Evictions(Mutex<HashMap<User, UserEvictions>>);

#[derive(Debug, Clone, Default)]
struct UserEvictions {
    times: VecDeque<Instant>,
    /// How many tabs the user had at most when one was evicted.
    tabs: usize,
}

impl UserEvictions {
    fn within(&self, now: Instant) -> usize {
        self.times.iter().filter(|time| now.saturating_duration_since(**time) < PERIOD).count()
    }
}

impl Evictions {
    /// Notes that one of so many connections of this identity was evicted as slow.
    pub fn note(&self, identity: &Identity, tabs: usize, now: Instant) {
        let mut users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if users.len() >= MOST {
            users.retain(|_, recent| recent.within(now) > 0);
        }
        let user = user(identity);
        if users.len() >= MOST && !users.contains_key(&user) {
            return;
        }
        let recent = users.entry(user).or_default();
        if recent.within(now) == 0 {
            *recent = UserEvictions::default();
        }
        recent.tabs = recent.tabs.max(tabs);
        recent.times.push_back(now);
        if recent.times.len() > MOST_OF_ONE {
            recent.times.pop_front();
        }
    }

    /// Whether the tabs of this identity were evicted twice each within the last minute.
    #[must_use]
    pub fn too_often(&self, identity: &Identity, now: Instant) -> bool {
        let users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let too_many = |recent: &UserEvictions| recent.within(now) >= (2 * recent.tabs.max(1)).min(MOST_OF_ONE);
        users.get(&user(identity)).is_some_and(too_many)
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
    fn each_of_a_users_tabs_may_be_evicted_once() {
        let claims = Arc::new(claims("alice", "acme", &[], "s", 1));
        let alice = Identity::new(claims, None, |_| false).expect("the own org");
        let (evictions, start) = (Evictions::default(), Instant::now());
        for tabs in (1..=3).rev() {
            evictions.note(&alice, tabs, start);
        }
        assert!(!evictions.too_often(&alice, start));
        for _ in 0..3 {
            evictions.note(&alice, 1, start);
        }
        assert!(evictions.too_often(&alice, start));
    }

    #[test]
    fn two_evictions_within_a_minute_are_too_many() {
        let identity = |user| {
            let claims = Arc::new(claims(user, "acme", &[], "s", 1));
            Identity::new(claims, None, |_| false).expect("the own org")
        };
        let (alice, bob) = (identity("alice"), identity("bob"));
        let (evictions, start) = (Evictions::default(), Instant::now());
        evictions.note(&alice, 1, start);
        assert!(!evictions.too_often(&alice, start));
        evictions.note(&alice, 1, start + Duration::from_secs(30));
        assert!(evictions.too_often(&alice, start + Duration::from_secs(31)));
        assert!(!evictions.too_often(&bob, start));
        assert!(!evictions.too_often(&alice, start + PERIOD));
        evictions.note(&alice, 1, start + Duration::from_secs(120));
        assert!(!evictions.too_often(&alice, start + Duration::from_secs(121)), "90 s apart");
    }
}
