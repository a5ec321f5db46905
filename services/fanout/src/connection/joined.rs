//! Groups that a connection has joined by hub methods, each live from its own position.

use std::sync::Arc;
use std::time::Instant;

use fanfare_broker::Position;
use fanfare_event::Id;

use crate::method::Declared;
use crate::method::declared::{Again, Asking, Met};
use crate::vocabulary::name::GroupName;
use crate::vocabulary::{Membership, Place};

/// One group that a connection asked to be in.
#[derive(Debug)]
pub(crate) struct Joined {
    /// The group, and the intervals in which events granted it.
    pub membership: Membership,
    /// Up to here in the log it is covered by retained values or a resume; everything later comes live.
    pub live_from: Position,
    /// The method that joined it.
    pub method: Arc<Declared>,
    /// Which of its conditions the call has met.
    pub met: Met,
    /// The org that the group belongs to, if it is not the connection's own: events of that org are heard only through
    /// this group.
    pub org: Option<Id>,
    /// How the authorizer that let it in is asked again.
    pub recheck: Option<Box<Recheck>>,
}

/// How an authorizer is asked again while a group is held.
#[derive(Debug)]
pub(crate) struct Recheck {
    /// What it is asked.
    pub asking: Arc<Asking>,
    /// How often, and for how long the group is kept without an answer.
    pub again: Again,
    /// When it is asked next.
    pub due: Instant,
    /// The question that is under way.
    pub under_way: Option<u64>,
    /// Since when there is no answer.
    pub failing: Option<Instant>,
}

/// All of them; allocated with the first one.
#[derive(Debug, Default)]
pub(crate) struct JoinedGroups(Option<Box<Inner>>);

#[derive(Debug)]
struct Inner {
    groups: Vec<Joined>,
    /// The newest position from which any of them is live: after it, all groups are alike.
    until: Position,
}

impl JoinedGroups {
    /// The groups.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Joined> {
        self.0.iter().flat_map(|inner| &inner.groups)
    }

    /// The same, to be changed.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Joined> {
        self.0.iter_mut().flat_map(|inner| &mut inner.groups)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |inner| inner.groups.len())
    }

    /// Whether a group is among them.
    pub(crate) fn holds(&self, group: &GroupName) -> bool {
        self.iter().any(|joined| joined.membership.group == *group)
    }

    /// Adds a group.
    pub(crate) fn add(&mut self, joined: Joined) {
        let from = joined.live_from.clone();
        match &mut self.0 {
            Some(inner) => {
                inner.until = later(&inner.until, &from);
                inner.groups.push(joined);
            }
            none => *none = Some(Box::new(Inner { groups: vec![joined], until: from })),
        }
    }

    /// Removes those that match, and returns them.
    pub(crate) fn remove(&mut self, gone: impl Fn(&Joined) -> bool) -> Vec<Joined> {
        let Some(inner) = &mut self.0 else { return Vec::new() };
        let removed = inner.groups.extract_if(.., |joined| gone(joined)).collect();
        if inner.groups.is_empty() {
            self.0 = None;
        }
        removed
    }

    /// Continues in a new stream, of which everything after `from` comes live.
    pub(crate) fn renew(&mut self, from: &Position) {
        let Some(inner) = &mut self.0 else { return };
        inner.until.clone_from(from);
        inner.groups.iter_mut().for_each(|joined| joined.live_from.clone_from(from));
    }

    /// Makes each group live from `until`, or from where it was joined if that is later.
    pub(crate) fn go_live_from(&mut self, until: &Position) {
        let Some(inner) = &mut self.0 else { return };
        inner.until = later(until, &inner.until);
        inner.groups.iter_mut().for_each(|joined| joined.live_from = later(until, &joined.live_from));
    }

    /// Whether something at this place may lie before a group was joined, so that groups must be looked at
    /// one by one.
    pub(crate) fn may_precede(&self, place: Place) -> bool {
        self.0.as_ref().is_some_and(|inner| place.is_within(&inner.until))
    }

    /// Whether something for these groups comes live through one that was joined.
    pub(crate) fn live_in(&self, groups: &[GroupName], place: Place) -> bool {
        let mut joined = self.iter().filter(|joined| groups.contains(&joined.membership.group));
        joined.any(|joined| !place.is_within(&joined.live_from))
    }

    /// How far a replay must read for a connection that is live from `tab` on.
    pub(crate) fn replay_until(&self, tab: &Position) -> Position {
        self.0.as_ref().map_or_else(|| tab.clone(), |inner| later(tab, &inner.until))
    }
}

/// The position that covers both. If their incarnations differ, the newer one counts.
fn later(earlier: &Position, newer: &Position) -> Position {
    if earlier.incarnation() != newer.incarnation() {
        return newer.clone();
    }
    let mut all = earlier.clone();
    for (partition, offset) in newer.offsets() {
        all.advance_to(*partition, *offset);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::declared::{Action, Authorization, Refused};
    use crate::vocabulary::name::GroupTemplate;

    fn joined(list: &str, offset: u64) -> Joined {
        let template = GroupTemplate::parse("list:{id}").expect("a template");
        let method = Declared {
            name: "Join".into(),
            parameters: Box::default(),
            authorization: Authorization::default(),
            action: Action::default(),
            org: None,
            refused: Refused::default(),
            rates: Box::default(),
        };
        Joined {
            membership: Membership { group: template.name(&[list]).expect("a name"), granted: None },
            live_from: Position::from_parts(1, [(0, offset)]),
            method: Arc::new(method),
            met: Met::default(),
            org: None,
            recheck: None,
        }
    }

    #[test]
    fn what_lies_before_a_join_is_not_live_in_it() {
        let mut groups = JoinedGroups::default();
        assert!(!groups.may_precede(Place { partition: 0, offset: 1, time: 0 }));
        groups.add(joined("a", 5));
        groups.add(joined("b", 9));
        let name = |list: &str| joined(list, 0).membership.group;
        let place = |offset| Place { partition: 0, offset, time: 0 };
        assert!(groups.may_precede(place(9)) && !groups.may_precede(place(10)));
        assert!(groups.live_in(&[name("a")], place(6)) && !groups.live_in(&[name("a")], place(5)));
        assert!(!groups.live_in(&[name("b")], place(6)) && groups.live_in(&[name("b"), name("a")], place(6)));
        assert_eq!(groups.replay_until(&Position::from_parts(1, [(0, 3)])).offsets(), [(0, 9)]);
        assert_eq!(groups.replay_until(&Position::from_parts(1, [(0, 30), (1, 1)])).offsets(), [(0, 30), (1, 1)]);
    }

    #[test]
    fn groups_are_left_one_by_one() {
        let mut groups = JoinedGroups::default();
        groups.add(joined("a", 5));
        groups.add(joined("b", 9));
        let (a, b) = (joined("a", 0).membership.group, joined("b", 0).membership.group);
        assert_eq!(groups.remove(|joined| joined.membership.group == a).len(), 1);
        assert!(!groups.holds(&a) && groups.holds(&b));
        assert_eq!((groups.len(), groups.remove(|_| true).len(), groups.len()), (1, 1, 0));
    }
}
