//! The fold: what one event changes in the state.

use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::AgeClock;
use fanfare_broker::Record;
use fanfare_event::Event;

use super::{
    Access, CLOCK_SKEW_SECONDS, Change, ClosedOrg, Closing, ConnectionEffect, Folded, Novelty, Projection, Retained,
    RoleChange, Setting, Slot, Update, Verdict,
};
use crate::route::{Effect, Match, Retain};
use crate::rule::{Rule, kept};
use crate::vocabulary::Place;

/// The overhead of a retained value besides its body: attributes, fields, group names and its share of the tables.
const VALUE_COST: usize = 700;

impl Projection {
    /// Folds a record of the log in the order of its partition.
    pub fn fold(&mut self, record: &Record, event: &Arc<Event>, matches: &[Match<'_>]) -> Folded {
        self.times.note(record);
        if !self.position.advance(record) {
            return Folded::dropped(Verdict::Duplicate);
        }
        self.newest = self.newest.max(record.time);
        let key = event.attributes.dedup_id();
        match self.seen.note(&key, record, &self.times, (self.age(), !self.reads_back)) {
            Novelty::Again if kept(Rule::Deduplicate) => return Folded::dropped(Verdict::Duplicate),
            Novelty::Conflict => return Folded::dropped(Verdict::Conflict),
            Novelty::Again | Novelty::New => {}
        }
        let folded = self.learn(record, event, matches, false);
        if folded.verdict == Verdict::Stale {
            // The newer one may be its own duplicate, which was learnt ahead with the state and not delivered. When
            // that comes it is new.
            self.seen.retract();
        }
        folded
    }

    /// Folds a record of the compacted state, which is read ahead of the log: the position stays, and its place in
    /// the log is news once more.
    pub fn fold_state(&mut self, record: &Record, event: &Arc<Event>, matches: &[Match<'_>]) -> Folded {
        self.newest = self.newest.max(record.time);
        let known = self.seen.of(&event.attributes.dedup_id(), &record.message.body);
        self.learn(record, event, matches, known == Novelty::Again)
    }

    fn learn(&mut self, record: &Record, event: &Arc<Event>, matches: &[Match<'_>], is_repeated: bool) -> Folded {
        let mut folded = Folded::dropped(Verdict::New);
        for matched in matches {
            self.fold_match((record, is_repeated), event, matched, &mut folded);
        }
        // No route is involved: an operator's action is the same on every platform.
        folded.effects.extend(Closing::of(event).map(ConnectionEffect::Closed));
        self.tidy(self.age());
        folded
    }

    fn fold_match(
        &mut self,
        (record, is_repeated): (&Record, bool),
        event: &Arc<Event>,
        matched: &Match<'_>,
        folded: &mut Folded,
    ) {
        let route = matched.route;
        let place = Place::of(record);
        let revision = event.record.revision();
        if route.retain() != Retain::No
            && let Some(slot) = Slot::of(route, event)
        {
            let incarnation = self.position.incarnation();
            let (route_of, event_of) = (Arc::clone(route), Arc::clone(event));
            let setting = Setting {
                retained: Retained { route: route_of, event: event_of, place, incarnation, is_repeated },
                groups: &matched.groups,
                revision,
                keep: route.retain() == Retain::Keep,
                bytes: 2 * record.message.size() + VALUE_COST,
            };
            match self.retained.set(slot, setting) {
                Update::Newest => {}
                Update::Older => folded.verdict = Verdict::Stale,
                Update::Full => folded.retained_full = true,
            }
        }
        let at = (event.attributes.time.0.div_euclid(1000)).min(record.time / 1000 + CLOCK_SKEW_SECONDS);
        match route.effect(event) {
            Effect::None => {}
            Effect::Logout { realm, user, session } => {
                self.revocations.log_out(&realm, &user, session.as_ref(), at);
                folded.effects.push(ConnectionEffect::LoggedOut { realm, user, session, at });
            }
            Effect::Roles { realm, user, org, roles } => {
                let change = RoleChange { realm, user, org, roles, revision, at };
                // A second route of the same event, say for another hub, is about the same change.
                if folded.effects.contains(&ConnectionEffect::Roles(change.clone())) {
                    return;
                }
                let (newest, forgotten) = self.roles.change(&change, place, self.horizon());
                if let Some(time) = forgotten {
                    self.revocations.refuse_before(time);
                }
                if newest {
                    folded.effects.push(ConnectionEffect::Roles(change));
                } else {
                    folded.verdict = Verdict::Stale;
                }
            }
            Effect::Org { org, closed } => {
                let hub = route.shared_hub();
                match self.orgs.set((hub, &org), closed.clone(), revision, place) {
                    Update::Older => return folded.verdict = Verdict::Stale,
                    Update::Newest => {}
                    // Remembered or not, the tabs that are open feel it.
                    Update::Full => folded.orgs_full = true,
                }
                let felt = closed.map(|reason| ClosedOrg { hub: Arc::clone(hub), org, reason });
                folded.effects.extend(felt.map(ConnectionEffect::OrgClosed));
            }
            Effect::Access { realm, user, groups, granted, joins } => {
                let (incarnation, horizon) = (self.position.incarnation(), self.horizon());
                let change = Change { granted, joins, revision, place, incarnation, horizon };
                for group in groups {
                    self.fold_access(Access::of(route, event, (realm.as_ref(), &user), group), change, folded);
                }
            }
        }
    }

    fn fold_access(&mut self, access: Access, change: Change, folded: &mut Folded) {
        match self.grants.change(access.clone(), change) {
            Update::Older => {
                folded.verdict = Verdict::Stale;
                // Between which places it was granted may be known better now, which bounds what open tabs are replayed.
                if change.joins {
                    folded.effects.push(ConnectionEffect::Granted(access));
                }
                return;
            }
            Update::Newest => {}
            // Forgotten or not, a withdrawal is applied to open connections.
            Update::Full => folded.grants_full = true,
        }
        match change {
            Change { granted: false, .. } => folded.effects.push(ConnectionEffect::Withdrawn(access)),
            Change { joins: true, .. } => folded.effects.push(ConnectionEffect::Granted(access)),
            _ => {}
        }
    }

    /// The begin of the replay window, in milliseconds.
    fn horizon(&self) -> i64 {
        self.age().saturating_sub(self.window_ms)
    }

    /// The time by which age is measured, in milliseconds; before all time until the clock begins.
    fn age(&self) -> i64 {
        self.clock.as_ref().map_or(i64::MIN, AgeClock::now)
    }

    /// Lets time pass: what no living token can ask for is forgotten. A process that has run for `elapsed` calls this
    /// now and then, once it has read the log back; `kept` is where the clock begins.
    ///
    /// It is never ahead of the newest record, so nodes that have read the same differ at most by what they have not
    /// forgotten yet.
    pub fn pass_time(&mut self, elapsed: Duration, kept: i64) {
        let newest = self.newest;
        // Before the first record there is nothing to forget. A clock that began then would be as far behind that
        // record as this one's time is from the epoch.
        if newest == 0 {
            return;
        }
        let now = self.clock.get_or_insert_with(|| AgeClock::begin(kept.min(newest), elapsed)).pass(newest, elapsed);
        self.tidy(now);
    }

    /// How far the clock is behind the newest record, each time this has grown: a clock was wrong.
    pub fn fell_behind(&mut self) -> Option<Duration> {
        self.clock.as_mut().and_then(|clock| clock.fell_behind(self.newest))
    }

    /// How far the clock is behind the newest record.
    #[must_use]
    pub fn clock_behind(&self) -> Duration {
        self.clock.as_ref().map_or(Duration::ZERO, |clock| clock.behind(self.newest))
    }

    /// Forgets everything that no valid token can refer to.
    fn tidy(&mut self, now: i64) {
        let horizon = now.saturating_div(1000).saturating_sub(self.token_lifetime + CLOCK_SKEW_SECONDS);
        self.revocations.forget_before(horizon);
        // Within the window also for tokens that are newer: since when they have their roles bounds their resumes.
        let window = now.saturating_sub(self.window_ms).saturating_div(1000);
        self.roles.forget_before(horizon.min(window));
    }

    /// The same knowledge, as if all time had passed up to the newest record: by that, nodes are compared.
    pub(super) fn as_of_newest(&self) -> Self {
        let mut same_time = self.clone();
        let newest = self.newest;
        same_time.tidy(newest);
        let horizon = newest.saturating_sub(self.window_ms);
        same_time.roles.forget_places_before(horizon);
        same_time.grants.forget_before(horizon);
        same_time
    }
}

impl Folded {
    fn dropped(verdict: Verdict) -> Self {
        Self { verdict, effects: Vec::new(), retained_full: false, grants_full: false, orgs_full: false }
    }
}
