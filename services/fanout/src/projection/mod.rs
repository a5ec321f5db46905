//! The state that a node builds from the log: a pure fold over its records.
//!
//! Two nodes that have read the same records have the same state, in whatever batches they read them, except for what
//! one has not forgotten yet. Nothing here reads a clock: time is the broker's, as the records carry it, and how much
//! of it has passed is an argument.

mod closing;
mod connection_effect;
mod cursor;
mod digest;
mod fold;
mod grants;
mod held;
mod newer;
mod orgs;
mod retained;
mod revocation;
mod roles;
mod seen;
mod times;
mod update;
mod versions;

#[cfg(test)]
mod tests;

use std::time::Duration;

use fanfare_broker::AgeClock;
use fanfare_broker::{Position, Record};
use fanfare_event::Event;
use fanfare_token::Claims;

pub use closing::Closing;
pub use connection_effect::ConnectionEffect;
pub use cursor::{Cursor, HubTag, UnknownCursor, open_cursor, seal_cursor};
pub use grants::{Access, Change, GrantState, Grants};
pub use held::Held;
pub use orgs::{ClosedOrg, Orgs};
pub use retained::{Retained, RetainedSet, Setting, Slot};
pub use revocation::Revocations;
pub use roles::{GrantedRole, RoleChange, Roles};
pub use seen::{Novelty, Seen};
pub use times::ReadTimes;
pub use update::Update;

use digest::Digest;

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
    /// The largest body that is delivered, in bytes: a larger one is a dead letter.
    pub event_bytes: usize,
    /// How long logouts and role changes are remembered, in seconds: the longest life of a token and
    /// the leeway.
    pub token_lifetime: i64,
    /// How many retained slots are kept at most.
    pub retained: usize,
    /// How many bytes the retained values take at most, about.
    pub retained_bytes: usize,
    /// How many logouts, and how many role changes, are remembered one by one.
    pub revocations: usize,
    /// How many grants of events, and how many withdrawals, are remembered.
    pub grants: usize,
    /// Of how many orgs and hubs it is remembered whether they are closed.
    pub orgs: usize,
}

/// The outcome of an event.
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

/// The outcome of folding one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folded {
    /// Whether to deliver it.
    pub verdict: Verdict,
    /// The effects on open connections besides that.
    pub effects: Vec<ConnectionEffect>,
    /// Whether a retained value found no room.
    pub retained_full: bool,
    /// Whether a grant or a withdrawal found no room.
    pub grants_full: bool,
    /// Whether the state of an org found no room.
    pub orgs_full: bool,
}

/// All that a node knows from the log.
///
/// Each part is bounded: see [`Bounds`], and [`Self::sizes`] for how much of them is in use.
#[derive(Debug, Clone)]
pub struct Projection {
    position: Position,
    times: ReadTimes,
    seen: Seen,
    retained: RetainedSet,
    revocations: Revocations,
    roles: Roles,
    grants: Grants,
    orgs: Orgs,
    token_lifetime: i64,
    window_ms: i64,
    /// The newest of the broker's times that were read, in milliseconds.
    newest: i64,
    /// By which logouts, roles, ids and places are forgotten; begins once the log has been read back. Until then
    /// nothing is forgotten because of its age.
    clock: Option<AgeClock>,
    /// Where the node was in the previous stream, until open connections have felt all of the new one.
    before: Option<Position>,
    /// Whether records are only learnt, since they were there before the node started.
    reads_back: bool,
}

/// How much a projection holds, for the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sizes {
    /// Retained slots, emptied ones among them.
    pub retained: usize,
    /// Logouts.
    pub revocations: usize,
    /// Users whose roles an event named.
    pub roles: usize,
    /// Grants and withdrawals.
    pub grants: usize,
    /// Orgs that are closed, or were.
    pub orgs: usize,
    /// Event ids of the window.
    pub seen: usize,
    /// About how many bytes all of it takes.
    pub bytes: usize,
}

impl Projection {
    /// The state before anything was read.
    #[must_use]
    pub fn new(position: Position, bounds: &Bounds) -> Self {
        Self {
            position,
            times: ReadTimes::default(),
            seen: Seen::new(bounds.window, bounds.window_events),
            retained: RetainedSet::new(bounds.retained, bounds.retained_bytes),
            revocations: Revocations::new(bounds.revocations),
            roles: Roles::new(bounds.revocations),
            grants: Grants::new(bounds.grants),
            orgs: Orgs::new(bounds.orgs),
            token_lifetime: bounds.token_lifetime,
            window_ms: i64::try_from(bounds.window.as_millis()).unwrap_or(i64::MAX),
            newest: 0,
            clock: None,
            before: None,
            reads_back: true,
        }
    }

    /// Continues from another position: before the state is read ahead, after it, or in a new incarnation.
    ///
    /// The state stays: a logout holds, whatever became of the stream that it was in.
    pub fn continue_from(&mut self, position: Position) {
        if position.incarnation() != self.position.incarnation() {
            self.times = ReadTimes::default();
        }
        self.position = position;
    }

    /// Continues in a new stream, of which open connections get everything after `start`.
    ///
    /// Unless that is all of it, their cursors stay in the old stream until [`Self::end_renewal`]: a cursor of the new
    /// stream would also claim what is before `start`.
    pub fn renew(&mut self, start: Position, is_all: bool) {
        if !is_all {
            self.before.get_or_insert_with(|| self.position.clone());
        }
        self.continue_from(start);
    }

    /// Notes that all connections from before the stream was recreated are closed.
    pub fn end_renewal(&mut self) {
        self.before = None;
    }

    /// What the cursor of a position is to name.
    #[must_use]
    pub fn cursor_position<'a>(&'a self, position: &'a Position) -> &'a Position {
        self.before.as_ref().filter(|before| before.incarnation() != position.incarnation()).unwrap_or(position)
    }

    /// Moves over what a reader has passed and what is no record, such as a hole.
    pub fn pass(&mut self, read: &Position) {
        if read.incarnation() == self.position.incarnation() {
            self.position.merge(read);
        }
    }

    /// Notes that records from now on are delivered.
    pub fn end_reading_back(&mut self) {
        self.reads_back = false;
    }

    /// Whether the replay of a dead letter is about an event that was not delivered, since this node could use its
    /// record when it read the log back. From now on it counts as delivered.
    pub fn tells_replay(&mut self, event: &Event) -> bool {
        self.seen.tell(&event.attributes.dedup_id())
    }

    /// How far the log has been folded.
    #[must_use]
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// When the last record read of each partition was stored.
    #[must_use]
    pub fn times(&self) -> &ReadTimes {
        &self.times
    }

    /// Moves past a record without an event, such as one that cannot be decoded.
    pub fn skip(&mut self, record: &Record) {
        self.times.note(record);
        self.position.advance(record);
    }

    /// Whether a logout has made these claims worthless.
    #[must_use]
    pub fn refuses(&self, claims: &Claims) -> bool {
        self.revocations.refuses(claims)
    }

    /// Who was logged out.
    #[must_use]
    pub fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    /// Whether an event with this key for duplicates was read within the window, and with this body.
    #[must_use]
    pub fn novelty(&self, key: &str, body: &[u8]) -> Novelty {
        self.seen.of(key, body)
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

    /// Which orgs are closed to which hubs.
    #[must_use]
    pub fn orgs(&self) -> &Orgs {
        &self.orgs
    }

    /// What is retained.
    #[must_use]
    pub fn retained(&self) -> &RetainedSet {
        &self.retained
    }

    /// How much is known.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        let (retained, revocations) = (self.retained.len(), self.revocations.len());
        let (roles, grants, seen) = (self.roles.len(), self.grants.len(), self.seen.len());
        let orgs = self.orgs.len();
        // What an entry of each costs with its share of the tables, as measured; values are counted by themselves.
        let bytes = self.retained.bytes()
            + retained * 300
            + revocations * 250
            + roles * 450
            + grants * 350
            + seen * 50
            + orgs * 450;
        Sizes { retained, revocations, roles, grants, orgs, seen, bytes }
    }

    /// A number that two nodes share if they know the same and have come as far, in whatever batches and in whatever
    /// order of partitions they read it.
    ///
    /// Not in it: the ids of events seen, which only tell what is read twice.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.as_of_newest().digest_by(|part| part.digest())
    }

    /// The same for nodes of any age: what counts now, and how far they have come. What was said before, and where,
    /// is known to those that were there.
    #[must_use]
    pub fn digest_of_now(&self) -> u64 {
        self.as_of_newest().digest_by(|part| part.digest_of_now())
    }

    fn digest_by(&self, digest: impl Fn(&dyn Digest) -> u64) -> u64 {
        let position = digest::of(&(self.position.incarnation(), self.position.offsets()));
        let parts: [&dyn Digest; 5] = [&self.retained, &self.revocations, &self.roles, &self.grants, &self.orgs];
        parts.into_iter().map(digest).fold(position, |all, part| digest::of(&(all, part)))
    }
}
