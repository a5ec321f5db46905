//! The subscriptions of one connection: its groups, and the position from which each is live.

use std::borrow::Cow;

use fanfare_broker::Position;
use fanfare_event::Id;

use super::joined::{Joined, JoinedGroups};
use crate::rule::{Rule, kept};
use crate::vocabulary::name::GroupName;
use crate::vocabulary::{Identity, Membership, Place};

/// The groups of one connection, and from where each is live for it.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    /// The groups it is in by its claims.
    pub memberships: Vec<Membership>,
    /// The groups it has joined by hub methods.
    pub joined: JoinedGroups,
    /// Up to here in the log, what it was sent at connect covers everything. None before admission.
    pub live_from: Option<Position>,
    /// Up to here it was sent everything from the log after it had fallen behind. The node had read further than its
    /// deliveries had come, so some of that still comes.
    sent: Option<Box<Position>>,
}

/// The groups that a connection has left and entered.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    /// The groups it is no longer in at all.
    pub left: Vec<GroupName>,
    /// The groups it is newly in by its claims.
    pub entered: Vec<Membership>,
}

impl Subscriptions {
    /// Whether it is in a group, by its claims or by a method.
    pub(crate) fn holds(&self, group: &GroupName) -> bool {
        self.memberships.iter().any(|held| held.group == *group) || self.joined.holds(group)
    }

    /// Its groups; one that it is in twice comes twice.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &GroupName> {
        let joined = self.joined.iter().map(|joined| &joined.membership);
        self.memberships.iter().chain(joined).map(|held| &held.group)
    }

    /// Whether something at this place comes live to it, rather than from before the connection or its groups.
    #[inline]
    pub(crate) fn is_live_for(&self, groups: &[GroupName], place: Place) -> bool {
        if self.live_from.as_ref().is_none_or(|from| place.is_within(from)) {
            return false;
        }
        if !self.joined.may_precede(place) {
            return true;
        }
        let by_claims = |held: &Membership| groups.contains(&held.group);
        self.memberships.iter().any(by_claims) || self.joined.live_in(groups, place)
    }

    /// Whether it is in one of these groups and was granted it at this place: a connection that has not heard anything
    /// is replayed all of that. Groups in `but` do not count unless its claims put it there.
    pub(crate) fn was_in(&self, groups: &[GroupName], place: Place, but: &[GroupName]) -> bool {
        let joined = self.joined.iter().map(|joined| &joined.membership).filter(|held| !but.contains(&held.group));
        self.memberships
            .iter()
            .chain(joined)
            .any(|held| groups.contains(&held.group) && held.granted.as_ref().is_none_or(|granted| granted.hold(place)))
    }

    /// Whether a connection that fell behind is owed something for these groups: it is in one of them, was so at this
    /// place, and it is read again from the log because it was not queued.
    pub(crate) fn is_owed(&self, groups: &[GroupName], place: Place) -> bool {
        let granted = |held: &Membership| held.granted.as_ref().is_none_or(|granted| granted.hold(place));
        let claimed = |held: &Membership| groups.contains(&held.group) && granted(held);
        self.memberships.iter().any(claimed)
            || self.joined.iter().any(|joined| claimed(&joined.membership) && !place.is_within(&joined.live_from))
    }

    /// Whether something came before a connection joined one of `rejoined`, and in no other of its groups: it is replayed
    /// for a join that follows a resume.
    pub(crate) fn has_missed_in(&self, rejoined: &[GroupName], groups: &[GroupName], place: Place) -> bool {
        let held_otherwise = |held: &Membership| groups.contains(&held.group) && !rejoined.contains(&held.group);
        !self.memberships.iter().any(held_otherwise)
            && !self.joined.iter().any(|joined| held_otherwise(&joined.membership))
            && self.joined.iter().any(|joined| {
                let Membership { group, granted } = &joined.membership;
                rejoined.contains(group)
                    && groups.contains(group)
                    && place.is_within(&joined.live_from)
                    && granted.as_ref().is_none_or(|granted| granted.hold(place))
            })
    }

    /// Makes every group live from `until`, or from where it was joined if that is later: everything up to there was sent or
    /// is replayed. False if the stream was recreated meanwhile; then nothing changes.
    pub(crate) fn go_live_from(&mut self, until: &Position) -> bool {
        match &mut self.live_from {
            Some(from) if from.incarnation() == until.incarnation() => {
                from.clone_from(until);
                self.joined.go_live_from(until);
                true
            }
            _ => false,
        }
    }

    /// Whether something for these groups came before the connection was live in them, and in none it was live in:
    /// a replay sends it. Groups in `but` do not count unless its claims put it there.
    pub(crate) fn has_missed(&self, groups: &[GroupName], place: Place, but: &[GroupName]) -> bool {
        let Some(live_from) = &self.live_from else { return false };
        let claimed = self.memberships.iter().map(|held| (held, live_from));
        let joined = self.joined.iter().filter(|joined| !but.contains(&joined.membership.group));
        let joined = joined.map(|joined| (&joined.membership, &joined.live_from));
        let mut missed = false;
        for (held, live_from) in claimed.chain(joined) {
            if !groups.contains(&held.group) || held.granted.as_ref().is_some_and(|granted| !granted.hold(place)) {
                continue;
            }
            if !place.is_within(live_from) {
                return false;
            }
            missed = true;
        }
        missed
    }

    /// How far a replay must read; None before admission.
    pub(crate) fn replay_until(&self) -> Option<Position> {
        self.live_from.as_ref().map(|live_from| self.joined.replay_until(live_from))
    }

    /// Whether something was sent from the log after the connection had fallen behind.
    #[inline]
    pub(crate) fn was_sent(&self, place: Place) -> bool {
        self.sent.as_ref().is_some_and(|sent| place.is_within(sent))
    }

    /// Notes up to where everything was sent from the log.
    pub(crate) fn note_sent(&mut self, until: &Position) {
        if self.live_from.as_ref().is_none_or(|from| from.incarnation() != until.incarnation()) {
            return;
        }
        match &mut self.sent {
            Some(sent) => sent.merge(until),
            none => *none = Some(Box::new(until.clone())),
        }
    }

    /// Continues in a new stream, of which everything after `from` comes live.
    pub(crate) fn renew(&mut self, from: &Position) {
        self.sent = None;
        if let Some(live_from) = &mut self.live_from {
            live_from.clone_from(from);
        }
        self.joined.renew(from);
    }

    /// The groups through which a connection may hear an event of an org (rule 1.2): all of them if the org is its own
    /// or the route crosses orgs; otherwise those that it has joined for that org.
    pub(crate) fn audible<'g>(
        &self,
        identity: Option<&Identity>,
        org: Option<&Id>,
        cross_org: bool,
        groups: &'g [GroupName],
    ) -> Cow<'g, [GroupName]> {
        if may_hear(identity, org, cross_org) {
            return Cow::Borrowed(groups);
        }
        let is_of_org =
            |joined: &Joined| joined.org.is_some() && joined.org.as_ref() == org && kept(Rule::OtherOrgsHeard);
        let holds =
            |group: &&GroupName| self.joined.iter().any(|one| is_of_org(one) && one.membership.group == **group);
        Cow::Owned(groups.iter().filter(holds).cloned().collect())
    }

    /// The orgs of groups that it has joined for orgs that are not its own, and these groups.
    pub(crate) fn foreign(&self) -> impl Iterator<Item = (&GroupName, &Id)> {
        self.joined.iter().filter_map(|joined| Some((&joined.membership.group, joined.org.as_ref()?)))
    }

    /// Puts it into the groups that its roles give it now; what it joined by a method stays if that is still kept.
    pub(crate) fn regroup(&mut self, wanted: Vec<Membership>, keeps: impl Fn(&Joined) -> bool) -> Moved {
        let held = std::mem::replace(&mut self.memberships, wanted);
        let lost = self.joined.remove(|joined| !keeps(joined));
        let gone = held.iter().chain(lost.iter().map(|joined| &joined.membership));
        let left = gone.filter(|gone| !self.holds(&gone.group)).map(|gone| gone.group.clone()).collect();
        let is_new = |new: &&Membership| !held.iter().any(|old| old.group == new.group);
        let entered = self.memberships.iter().filter(is_new).cloned().collect();
        Moved { left, entered }
    }
}

/// Whether an event of this org may be written to a connection at all, whatever its groups (rule 1.2).
#[inline]
pub(crate) fn may_hear(identity: Option<&Identity>, org: Option<&Id>, cross_org: bool) -> bool {
    match (org, identity) {
        (None, _) => true,
        (Some(_), _) if cross_org => true,
        (Some(org), Some(who)) => who.belongs_to(org),
        (Some(_), None) => false,
    }
}
