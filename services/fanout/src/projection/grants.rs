//! Who was let into which group by an event, and who was taken out.

use std::collections::HashMap;
use std::sync::Arc;

use fanfare_broker::Position;
use fanfare_event::Id;

use super::Place;
use crate::connection::Identity;
use crate::groups::name::GroupName;

/// Whose access to what an event speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Access {
    /// The hub of the group.
    pub hub: Arc<str>,
    /// The org of the event: it says nothing about users of another. None if it concerns all.
    pub org: Option<Id>,
    /// The user.
    pub user: Id,
    /// The group.
    pub group: GroupName,
}

impl Access {
    /// Whether it speaks of this identity.
    #[must_use]
    pub fn concerns(&self, who: &Identity) -> bool {
        let claims = who.claims();
        // Events name users of the platform's own realm.
        claims.realm.is_none() && claims.user == self.user && self.org.as_ref().is_none_or(|org| who.belongs_to(org))
    }
}

/// What the newest event said of an access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether it granted or withdrew it.
    pub granted: bool,
    /// From where in the log it has been so without a break that is known.
    pub since: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    standing: Standing,
    revision: Option<i64>,
    place: Place,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// It is the newest now.
    Newest,
    /// It was said at this very place before.
    Again,
    /// Something newer is known.
    Older,
    /// There are as many accesses as are allowed: a grant is not remembered, and so lets nobody in.
    Full,
}

/// The accesses that events have granted and withdrawn.
#[derive(Debug, Clone)]
pub struct Grants {
    states: HashMap<Access, State>,
    /// The last withdrawal that found no room: whatever was decided before it is void.
    forgotten: Option<Place>,
    limit: usize,
}

impl Grants {
    /// Nothing granted yet; at most `limit` accesses are remembered, withdrawn ones among them.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { states: HashMap::new(), forgotten: None, limit }
    }

    /// Notes that an event grants or withdraws an access.
    ///
    /// What was withdrawn stays known, so that a late older grant does not bring it back.
    pub fn change(&mut self, access: Access, granted: bool, revision: Option<i64>, place: Place) -> Noted {
        let known = self.states.get(&access).copied();
        match known {
            Some(known) if known.place == place => return Noted::Again,
            Some(known) if place.is_older(revision, known.place, known.revision) => return Noted::Older,
            None if self.states.len() >= self.limit => {
                if !granted {
                    self.forgotten = Some(place);
                }
                return Noted::Full;
            }
            _ => {}
        }
        let unbroken = known.filter(|known| known.standing.granted == granted && follows(revision, place, known));
        let since = unbroken.map_or(place, |known| known.standing.since);
        self.states.insert(access, State { standing: Standing { granted, since }, revision, place });
        Noted::Newest
    }

    /// What events said of someone's access to a group: a grant if there is one, else a withdrawal.
    #[must_use]
    pub fn standing(&self, hub: &Arc<str>, who: &Identity, group: &GroupName) -> Option<Standing> {
        let found = self.of(hub, who, group).map(|state| state.standing);
        found.max_by_key(|standing| standing.granted)
    }

    /// Whether an access was withdrawn after a decision that was made at this position.
    #[must_use]
    pub fn withdrawn_since(&self, hub: &Arc<str>, who: &Identity, group: &GroupName, made_at: &Position) -> bool {
        let after = |place: Place| !place.is_within(made_at);
        let mut withdrawn = self.of(hub, who, group).filter(|state| !state.standing.granted);
        withdrawn.any(|state| after(state.place)) || self.forgotten.is_some_and(after)
    }

    fn of(&self, hub: &Arc<str>, who: &Identity, group: &GroupName) -> impl Iterator<Item = &State> {
        let claims = who.claims();
        let orgs = [claims.org.clone(), who.named_org().cloned(), None];
        let known = orgs.into_iter().enumerate().filter_map(move |(at, org)| {
            // Only the last one is of no org.
            if org.is_none() && at < 2 {
                return None;
            }
            let access = Access { hub: Arc::clone(hub), org, user: claims.user.clone(), group: group.clone() };
            self.states.get(&access)
        });
        known.filter(|_| claims.realm.is_none())
    }

    /// How many accesses are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.states.len()
    }

    /// Whether none is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }
}

/// Whether nothing of the same access can lie between what is known and what comes now.
///
/// Partitions are read in any interleaving: with revisions, a withdrawal between two grants may come last.
fn follows(revision: Option<i64>, place: Place, known: &State) -> bool {
    match (known.revision, revision) {
        (Some(before), Some(now)) => before.checked_add(1) == Some(now),
        _ => place.is_after(known.place),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::groups::name::GroupTemplate;
    use crate::scene::claims;

    fn list() -> GroupName {
        GroupTemplate::parse("list:{id}").expect("a template").name(&["7"]).expect("a name")
    }

    fn access(org: Option<&str>) -> Access {
        let id = |text: &str| Id::parse(text).expect("an id");
        Access { hub: "/hub".into(), org: org.map(id), user: id("alice"), group: list() }
    }

    fn alice(org: &str) -> Identity {
        Identity::new(Arc::new(claims("alice", org, &[], "s", 1)), None, |_| false).expect("an identity")
    }

    fn at(offset: u64) -> Place {
        Place { partition: 0, offset, time: 0 }
    }

    fn standing(grants: &Grants, org: &str) -> Option<(bool, u64)> {
        let found = grants.standing(&"/hub".into(), &alice(org), &list());
        found.map(|standing| (standing.granted, standing.since.offset))
    }

    #[test]
    fn a_grant_counts_from_its_place_until_it_is_withdrawn() {
        let mut grants = Grants::new(10);
        assert_eq!(standing(&grants, "acme"), None);
        for (offset, granted, expected) in
            [(3, true, (true, 3)), (5, true, (true, 3)), (6, false, (false, 6)), (9, true, (true, 9))]
        {
            assert_eq!(grants.change(access(Some("acme")), granted, None, at(offset)), Noted::Newest);
            assert_eq!(standing(&grants, "acme"), Some(expected));
        }
        assert_eq!(grants.change(access(Some("acme")), true, None, at(9)), Noted::Again);
        assert_eq!(grants.change(access(Some("acme")), false, None, at(8)), Noted::Older);
        assert_eq!(standing(&grants, "globex"), None, "users of another org are others");
    }

    #[test]
    fn a_decision_is_void_after_a_withdrawal() {
        let (mut grants, hub) = (Grants::new(1), Arc::from("/hub"));
        let made_at = |offset| Position::from_parts(1, [(0, offset)]);
        let void = |grants: &Grants, offset| grants.withdrawn_since(&hub, &alice("acme"), &list(), &made_at(offset));
        grants.change(access(Some("acme")), false, None, at(6));
        assert!(void(&grants, 5) && !void(&grants, 6));
        assert_eq!(grants.change(access(None), true, None, at(8)), Noted::Full);
        assert!(!void(&grants, 7));
        assert_eq!(grants.change(access(None), false, None, at(9)), Noted::Full);
        assert!(void(&grants, 8) && !void(&grants, 9), "a withdrawal without room makes all decisions void");
    }

    #[test]
    fn users_of_another_realm_share_no_grant() {
        let mut grants = Grants::new(10);
        grants.change(access(None), true, None, at(1));
        let partner = fanfare_token::Claims { realm: Some("partner".into()), ..claims("alice", "acme", &[], "s", 1) };
        let partner = Identity::new(Arc::new(partner), None, |_| false).expect("an identity");
        assert_eq!(grants.standing(&"/hub".into(), &partner, &list()), None);
        assert!(!access(None).concerns(&partner) && access(None).concerns(&alice("acme")));
        assert!(!access(Some("globex")).concerns(&alice("acme")));
    }

    proptest! {
        /// With revisions, every interleaving of partitions ends alike.
        #[test]
        fn the_order_of_partitions_does_not_matter(
            steps in prop::collection::vec(any::<bool>(), 1..8),
            order in prop::collection::vec(any::<prop::sample::Index>(), 8),
        ) {
            let changes: Vec<(bool, Option<i64>, Place)> = steps.iter().zip(0u32..)
                .map(|(granted, at)| (*granted, Some(i64::from(at)), Place { partition: at, offset: 1, time: 0 }))
                .collect();
            let mut shuffled = changes.clone();
            for (at, index) in order.iter().enumerate().take(shuffled.len()) {
                let other = index.index(shuffled.len());
                shuffled.swap(at, other);
            }
            let fold = |changes: &[(bool, Option<i64>, Place)]| {
                let mut grants = Grants::new(10);
                for (granted, revision, place) in changes {
                    grants.change(access(None), *granted, *revision, *place);
                }
                grants.standing(&"/hub".into(), &alice("acme"), &list()).map(|standing| standing.granted)
            };
            prop_assert_eq!(fold(&changes), fold(&shuffled));
        }
    }
}
