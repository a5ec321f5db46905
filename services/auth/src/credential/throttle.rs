//! The limit of wrong passwords per user.

use fanfare_event::Id;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Failures within the window after which a user's logins are refused until its end.
const FAILURES: u32 = 10;
const WINDOW: Duration = Duration::from_secs(60);
/// Users whose failures are remembered; above that, the oldest window is dropped.
const USERS: usize = 4_096;

/// Counts failed logins per user, in this process.
///
/// It bounds guessing, at the price that somebody else's guesses delay a user's own login by a minute. Open sessions
/// are not affected.
#[derive(Default)]
pub struct Throttle(Mutex<HashMap<Id, Failures>>);

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    since: Instant,
}

impl Throttle {
    /// How long the user must wait, if at all.
    pub fn wait(&self, user: &Id, now: Instant) -> Option<Duration> {
        let failures = *self.users().get(user)?;
        let left = WINDOW.checked_sub(now.saturating_duration_since(failures.since))?;
        (failures.count >= FAILURES && !left.is_zero()).then_some(left)
    }

    /// Notes a failed login of the user.
    pub fn failed(&self, user: &Id, now: Instant) {
        let mut users = self.users();
        if users.len() >= USERS && !users.contains_key(user) {
            forget_oldest(&mut users, now);
        }
        let failures = users.entry(user.clone()).or_insert(Failures { count: 0, since: now });
        if now.saturating_duration_since(failures.since) >= WINDOW {
            *failures = Failures { count: 0, since: now };
        }
        failures.count = failures.count.saturating_add(1);
    }

    /// Notes a successful login of the user.
    pub fn succeeded(&self, user: &Id) {
        self.users().remove(user);
    }

    fn users(&self) -> MutexGuard<'_, HashMap<Id, Failures>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn forget_oldest(users: &mut HashMap<Id, Failures>, now: Instant) {
    users.retain(|_, failures| now.saturating_duration_since(failures.since) < WINDOW);
    if users.len() < USERS {
        return;
    }
    let oldest = users.iter().min_by_key(|(_, failures)| failures.since).map(|(user, _)| user.clone());
    if let Some(oldest) = oldest {
        users.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Id {
        Id::parse(text).expect("id")
    }

    #[test]
    fn ten_failures_in_a_minute_close_the_door_for_its_rest() {
        let (throttle, alice, start) = (Throttle::default(), id("alice"), Instant::now());
        for second in 0..9 {
            throttle.failed(&alice, start + Duration::from_secs(second));
        }
        assert_eq!(throttle.wait(&alice, start + Duration::from_secs(9)), None);
        throttle.failed(&alice, start + Duration::from_secs(9));
        assert_eq!(throttle.wait(&alice, start + Duration::from_secs(10)), Some(Duration::from_secs(50)));
        assert_eq!(throttle.wait(&id("bob"), start + Duration::from_secs(10)), None);
        assert_eq!(throttle.wait(&alice, start + WINDOW), None);
        throttle.failed(&alice, start + WINDOW);
        assert_eq!(throttle.wait(&alice, start + WINDOW), None, "a new window counts anew");
    }

    #[test]
    fn a_success_forgets_the_failures() {
        let (throttle, alice, now) = (Throttle::default(), id("alice"), Instant::now());
        for _ in 0..9 {
            throttle.failed(&alice, now);
        }
        throttle.succeeded(&alice);
        throttle.failed(&alice, now);
        assert_eq!(throttle.wait(&alice, now), None);
    }

    #[test]
    fn its_memory_is_bounded() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for n in 0..USERS + 10 {
            throttle.failed(&id(&format!("u{n}")), now + Duration::from_nanos(n as u64));
        }
        assert_eq!(throttle.users().len(), USERS);
        assert!(!throttle.users().contains_key(&id("u0")));
    }
}
