//! What a node knows from the log: a pure fold over its records.
//!
//! Two nodes that have read the same records know the same, in whatever batches they read them. Nothing
//! here has a clock: time is the broker's, as the records carry it.

mod cursor;
mod grants;
mod place;
mod retained;
mod revocation;
mod roles;
mod seen;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::{Position, Record};
use fanfare_event::{Event, Id};
use fanfare_token::Claims;

pub use cursor::{UnknownCursor, open_cursor, seal_cursor};
pub use grants::{Access, Grants, Noted, Standing};
pub use place::Place;
pub use retained::{Kept, Retained, RetainedSet, Slot};
pub use revocation::Revocations;
pub use roles::{GrantedRole, RoleChange, Roles};
pub use seen::{Novelty, Seen};

use crate::connection::Identity;
use crate::route::{Effect, Match, Retain};

/// How far ahead of the broker's clock a logout may be dated, in seconds. A producer with a wrong clock
/// would else shut a user out for as long as it is wrong.
const CLOCK_SKEW_SECONDS: i64 = 60;

/// The bounds of a projection.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// How long event ids are remembered for de-duplication: the replay window.
    pub window: Duration,
    /// How many event ids are remembered at most.
    pub window_events: usize,
    /// How long logouts and role changes are remembered, in seconds: the longest life of a token and
    /// the leeway.
    pub token_lifetime: i64,
    /// How many retained slots are kept at most.
    pub retained: usize,
    /// How many logouts, and how many role changes, are remembered one by one.
    pub revocations: usize,
    /// How many grants of events, and how many withdrawals, are remembered.
    pub grants: usize,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is news: deliver it.
    New,
    /// It was here before: drop it.
    Duplicate,
    /// Its id was here before with another body: a dead letter.
    Conflict,
    /// Something newer is already known: drop it.
    Stale,
}

/// An effect that open connections must feel beyond the notification itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consequence {
    /// Tokens of this user, or of this session, issued up to `at` (seconds) are worthless.
    LoggedOut {
        /// Whose.
        user: Id,
        /// Which session; without one all of them.
        session: Option<Id>,
        /// The time of the logout in seconds.
        at: i64,
    },
    /// A user's roles in an org have changed.
    Roles(RoleChange),
    /// A user has lost access to a group.
    Withdrawn(Access),
}

/// The outcome of folding one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folded {
    /// Whether to deliver it.
    pub verdict: Verdict,
    /// What else open connections must feel.
    pub consequences: Vec<Consequence>,
    /// Whether a retained value found no room.
    pub retained_full: bool,
    /// Whether a grant or a withdrawal found no room.
    pub grants_full: bool,
}

/// All that a node knows from the log.
#[derive(Debug, Clone)]
pub struct Projection {
    position: Position,
    seen: Seen,
    retained: RetainedSet,
    revocations: Revocations,
    roles: Roles,
    grants: Grants,
    token_lifetime: i64,
    /// When old entries were last forgotten, in seconds; once a minute of broker time is enough.
    tidied: i64,
}

impl Projection {
    /// What is known before anything was read.
    #[must_use]
    pub fn new(position: Position, bounds: &Bounds) -> Self {
        Self {
            position,
            seen: Seen::new(bounds.window, bounds.window_events),
            retained: RetainedSet::new(bounds.retained),
            revocations: Revocations::new(bounds.revocations),
            roles: Roles::new(bounds.revocations),
            grants: Grants::new(bounds.grants),
            token_lifetime: bounds.token_lifetime,
            tidied: 0,
        }
    }

    /// Goes on from another position: after the state was read ahead, or in a new incarnation.
    pub fn continue_from(&mut self, position: Position) {
        self.position = position;
    }

    /// How far the log has been folded.
    #[must_use]
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// Moves past a record that tells nothing, such as one that cannot be decoded.
    pub fn skip(&mut self, record: &Record) {
        self.position.advance(record);
    }

    /// Folds a record of the log in the order of its partition.
    pub fn fold(&mut self, record: &Record, event: &Arc<Event>, matches: &[Match<'_>]) -> Folded {
        if !self.position.advance(record) {
            return Folded::dropped(Verdict::Duplicate);
        }
        self.fold_state(record, event, matches)
    }

    /// Folds a record of the compacted state, which is read ahead of the log: the position stays.
    pub fn fold_state(&mut self, record: &Record, event: &Arc<Event>, matches: &[Match<'_>]) -> Folded {
        self.tidy(record.time / 1000);
        let key = event.attributes.dedup_id();
        match self.seen.note(&key, &record.message.body, record.time) {
            Novelty::Again => return Folded::dropped(Verdict::Duplicate),
            Novelty::Conflict => return Folded::dropped(Verdict::Conflict),
            Novelty::New => {}
        }
        let mut folded = Folded::dropped(Verdict::New);
        for matched in matches {
            self.fold_match(record, event, matched, &mut folded);
        }
        folded
    }

    fn fold_match(&mut self, record: &Record, event: &Arc<Event>, matched: &Match<'_>, folded: &mut Folded) {
        let route = matched.route;
        let place = Place::of(record);
        let revision = event.record.revision();
        if route.retain() != Retain::No
            && let Some(slot) = Slot::of(route, event)
        {
            let keep = route.retain() == Retain::Keep;
            let value = Retained { route: Arc::clone(route), event: Arc::clone(event), place };
            match self.retained.set(slot, value, &matched.groups, revision, keep) {
                Kept::Newest => {}
                Kept::Older => folded.verdict = Verdict::Stale,
                Kept::Full => folded.retained_full = true,
            }
        }
        let at = (event.attributes.time.0.div_euclid(1000)).min(record.time / 1000 + CLOCK_SKEW_SECONDS);
        match route.effect(event) {
            Effect::None => {}
            Effect::Logout { user, session } => {
                self.revocations.log_out(&user, session.as_ref(), at);
                folded.consequences.push(Consequence::LoggedOut { user, session, at });
            }
            Effect::Roles { user, org, roles } => {
                let change = RoleChange { user, org, roles, revision, at };
                // A second route of the same event, say for another hub, tells of the same change.
                if folded.consequences.contains(&Consequence::Roles(change.clone())) {
                    return;
                }
                let (newest, forgotten) = self.roles.change(&change, place);
                if let Some(time) = forgotten {
                    self.revocations.refuse_before(time);
                }
                if newest {
                    folded.consequences.push(Consequence::Roles(change));
                } else {
                    folded.verdict = Verdict::Stale;
                }
            }
            Effect::Access { user, groups, granted } => {
                // An event whose route crosses orgs speaks of the user in all of them.
                let org = event.attributes.org.clone().filter(|_| !route.cross_org());
                for group in groups {
                    let access = Access { hub: Arc::from(route.hub()), org: org.clone(), user: user.clone(), group };
                    self.fold_access(access, granted, revision, place, folded);
                }
            }
        }
    }

    fn fold_access(&mut self, access: Access, granted: bool, revision: Option<i64>, place: Place, folded: &mut Folded) {
        match self.grants.change(access.clone(), granted, revision, place) {
            Noted::Again => return,
            Noted::Older => {
                folded.verdict = Verdict::Stale;
                return;
            }
            Noted::Newest => {}
            // Forgotten or not, what is taken away is taken from the tabs that are open.
            Noted::Full => folded.grants_full = true,
        }
        if !granted {
            folded.consequences.push(Consequence::Withdrawn(access));
        }
    }

    fn tidy(&mut self, now: i64) {
        if now - self.tidied < 60 {
            return;
        }
        self.tidied = now;
        let horizon = now - self.token_lifetime - CLOCK_SKEW_SECONDS;
        self.revocations.forget_before(horizon);
        self.roles.forget_before(horizon);
    }

    /// Whether a logout has made these claims worthless.
    #[must_use]
    pub fn refuses(&self, claims: &Claims) -> bool {
        self.revocations.refuses(claims)
    }

    /// The roles that count for these claims now.
    #[must_use]
    pub fn roles_of(&self, claims: &Claims) -> Vec<GrantedRole> {
        self.roles.of(claims)
    }

    /// Who was let into which group by an event.
    #[must_use]
    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    /// What is retained.
    #[must_use]
    pub fn retained(&self) -> &RetainedSet {
        &self.retained
    }

    /// How many retained slots, logouts and role changes are known, for the metrics.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize, usize) {
        (self.retained.len(), self.revocations.len(), self.roles.len())
    }
}

impl Folded {
    fn dropped(verdict: Verdict) -> Self {
        Self { verdict, consequences: Vec::new(), retained_full: false, grants_full: false }
    }
}

impl Consequence {
    /// Whether it ends connections.
    #[must_use]
    pub fn is_logout(&self) -> bool {
        matches!(self, Self::LoggedOut { .. })
    }

    /// Whether it ends the connections of this identity.
    #[must_use]
    pub fn ends(&self, who: &Identity) -> bool {
        let Self::LoggedOut { user, session, at } = self else { return false };
        let claims = who.claims();
        match session {
            _ if claims.realm.is_some() => false,
            Some(session) => claims.session.as_ref() == Some(session),
            None => claims.user == *user && claims.issued_at <= *at,
        }
    }
}
