//! Which tokens a logout has made worthless.

use std::collections::{BTreeSet, HashMap};

use fanfare_event::Id;
use fanfare_token::Claims;

use super::digest::{self, Digest};

/// Logouts, kept for as long as a token issued before them may live.
#[derive(Debug, Clone)]
pub struct Revocations {
    /// Logout time of each user, in seconds: tokens issued at or before it are refused.
    users: HashMap<Id, i64>,
    /// Sessions that ended, with the time of their logout in seconds.
    sessions: HashMap<Id, i64>,
    /// All entries by time, to forget the oldest first.
    by_time: BTreeSet<(i64, Subject)>,
    /// Tokens issued at or before this are refused whoever they are for: what had to be forgotten early
    /// is replaced by something stricter, never by nothing.
    everyone: Option<i64>,
    limit: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    User(Id),
    Session(Id),
}

impl Revocations {
    /// No logouts yet; at most `limit` are remembered one by one.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { users: HashMap::new(), sessions: HashMap::new(), by_time: BTreeSet::new(), everyone: None, limit }
    }

    /// Notes a logout at `seconds`: of one session, or of all the user's.
    ///
    /// The order in which logouts arrive does not matter; the latest time counts.
    pub fn log_out(&mut self, user: &Id, session: Option<&Id>, seconds: i64) {
        let (map, id, subject) = match session {
            Some(session) => (&mut self.sessions, session, Subject::Session(session.clone())),
            None => (&mut self.users, user, Subject::User(user.clone())),
        };
        let before = map.get(id).copied();
        if before.is_some_and(|time| time >= seconds) {
            return;
        }
        map.insert(id.clone(), seconds);
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
        // Events name users of the platform's own realm; users of another one share no ids with it.
        if claims.realm.is_some() {
            return false;
        }
        self.users.get(&claims.user).is_some_and(|floor| claims.issued_at <= *floor)
            || claims.session.as_ref().is_some_and(|session| self.sessions.contains_key(session))
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
        match subject {
            Subject::User(user) => self.users.remove(&user),
            Subject::Session(session) => self.sessions.remove(&session),
        };
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
        let users = digest::of_set(self.users.iter().map(|(id, at)| ("user", id, *at)));
        let sessions = digest::of_set(self.sessions.iter().map(|(id, at)| ("session", id, *at)));
        users.wrapping_add(sessions).wrapping_add(digest::of(&self.everyone))
    }

    fn digest_of_now(&self) -> u64 {
        self.digest()
    }
}
