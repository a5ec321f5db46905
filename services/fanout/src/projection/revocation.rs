//! Which tokens a logout has revoked.

use std::collections::{BTreeSet, HashMap};

use fanfare_event::Id;
use fanfare_token::Claims;

use super::digest::{self, Digest};
use crate::route::InRealm;

/// Logouts, kept for as long as a token issued before them may live.
#[derive(Debug, Clone)]
pub struct Revocations {
    /// The time of each logout in seconds. One of all a user's sessions refuses tokens issued at or before it, one of
    /// a session all tokens of that session.
    times: HashMap<Subject, i64>,
    /// The same by time, to forget the oldest first.
    by_time: BTreeSet<(i64, Subject)>,
    /// Tokens issued at or before this are refused for everybody: what had to be forgotten early is replaced by
    /// something stricter, never by nothing.
    everyone: Option<i64>,
    limit: usize,
}

/// A logout of a user that is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logout {
    /// Whose users are meant.
    pub realm: InRealm,
    /// The session, if only one was logged out.
    pub session: Option<Id>,
    /// When, in seconds since the epoch.
    pub at: i64,
}

/// Who was logged out: user and session together, since two users may have sessions of the same name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Subject {
    realm: InRealm,
    user: Id,
    session: Option<Id>,
}

impl Revocations {
    /// No logouts yet; at most `limit` are remembered one by one.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { times: HashMap::new(), by_time: BTreeSet::new(), everyone: None, limit }
    }

    /// Notes a logout at `seconds`: of one session, or of all the user's.
    ///
    /// The order in which logouts arrive does not matter; the latest time counts.
    pub fn log_out(&mut self, realm: &InRealm, user: &Id, session: Option<&Id>, seconds: i64) {
        let subject = Subject { realm: realm.clone(), user: user.clone(), session: session.cloned() };
        let before = self.times.get(&subject).copied();
        if before.is_some_and(|time| time >= seconds) {
            return;
        }
        self.times.insert(subject.clone(), seconds);
        if let Some(time) = before {
            self.by_time.remove(&(time, subject.clone()));
        }
        self.by_time.insert((seconds, subject));
        if self.by_time.len() > self.limit
            && let Some(time) = self.forget_oldest()
        {
            self.refuse_before(time);
        }
    }

    /// Refuses every token issued at or before `seconds`.
    pub fn refuse_before(&mut self, seconds: i64) {
        self.everyone = self.everyone.max(Some(seconds));
    }

    /// Whether these claims are worthless by now.
    #[must_use]
    pub fn refuses(&self, claims: &Claims) -> bool {
        if self.everyone.is_some_and(|floor| claims.issued_at <= floor) {
            return true;
        }
        // Without one there is nothing to look up, which is so for most nodes most of the time.
        if self.times.is_empty() {
            return false;
        }
        let time = |realm: InRealm, session: Option<&Id>| {
            self.times.get(&Subject { realm, user: claims.user.clone(), session: session.cloned() }).copied()
        };
        [InRealm::Every, InRealm::One(claims.realm.clone())].into_iter().any(|realm| {
            let session = claims.session.as_ref();
            time(realm.clone(), None).is_some_and(|floor| claims.issued_at <= floor)
                || session.is_some_and(|session| time(realm, Some(session)).is_some())
        })
    }

    /// The newest logouts of a user, at most so many; all that are remembered are looked at.
    #[must_use]
    pub fn of(&self, user: &Id, most: usize) -> Vec<Logout> {
        let own = self.by_time.iter().rev().filter(|(_, subject)| subject.user == *user).take(most);
        own.map(|(at, Subject { realm, session, .. })| Logout {
            realm: realm.clone(),
            session: session.clone(),
            at: *at,
        })
        .collect()
    }

    /// Up to when everybody's tokens are refused, as logouts had to be forgotten early.
    #[must_use]
    pub fn of_everyone(&self) -> Option<i64> {
        self.everyone
    }

    /// Forgets logouts before `seconds`: no token from before them can still be alive.
    pub fn forget_before(&mut self, seconds: i64) {
        while self.by_time.first().is_some_and(|(time, _)| *time < seconds) {
            self.forget_oldest();
        }
        if self.everyone.is_some_and(|floor| floor < seconds) {
            self.everyone = None;
        }
    }

    fn forget_oldest(&mut self) -> Option<i64> {
        let (time, subject) = self.by_time.pop_first()?;
        self.times.remove(&subject);
        Some(time)
    }

    /// How many logouts are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_time.len()
    }

    /// Whether no logout is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_time.is_empty()
    }
}

impl Digest for Revocations {
    fn digest(&self) -> u64 {
        let times = digest::of_set(self.times.iter());
        times.wrapping_add(digest::of(&self.everyone))
    }

    fn digest_of_now(&self) -> u64 {
        self.digest()
    }
}
