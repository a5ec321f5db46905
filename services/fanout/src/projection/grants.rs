//! Which user was granted which group by an event, and from whom it was withdrawn.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use fanfare_broker::Position;
use fanfare_event::{Event, Id};

use super::digest::{self, Digest};
use super::update::Update;
use super::versions::{Memory, Version, Versions};
use crate::route::Route;
use crate::vocabulary::name::GroupName;
use crate::vocabulary::{CHANGES_KEPT, Identity, Intervals, Membership, Place};

/// Whose access to which group an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Access {
    /// The hub of the group.
    pub hub: Arc<str>,
    /// The org of the event: it does not concern users of another. None if it concerns all.
    pub org: Option<Id>,
    /// The realm of the user.
    pub realm: Option<Arc<str>>,
    /// The user.
    pub user: Id,
    /// The group.
    pub group: GroupName,
}

impl Access {
    /// The access to a group that an event is about.
    pub(super) fn of(route: &Route, event: &Event, (realm, user): (Option<&Arc<str>>, &Id), group: GroupName) -> Self {
        // An event whose route has `cross_org` is about the user in all orgs.
        let org = event.attributes.org.clone().filter(|_| !route.cross_org());
        Self { hub: Arc::from(route.hub()), org, realm: realm.cloned(), user: user.clone(), group }
    }

    /// Whether it speaks of this identity.
    #[must_use]
    pub fn concerns(&self, who: &Identity) -> bool {
        let claims = who.claims();
        claims.realm == self.realm
            && claims.user == self.user
            && self.org.as_ref().is_none_or(|org| who.belongs_to(org))
    }
}

/// Whether an access is granted, and between which places it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantState {
    /// Whether it is granted or withdrawn.
    pub granted: bool,
    /// Between which places of the log it was granted. Of one that is withdrawn: everything since, which is what is
    /// left to whom the platform's authorizer lets in all the same.
    pub intervals: Intervals,
    /// Where it changed last.
    pub place: Place,
}

/// One event about an access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct GrantRecord {
    granted: bool,
    /// The incarnation of the stream that its place belongs to.
    incarnation: u64,
}

/// A user of a realm, at a hub.
type Member = (Arc<str>, Option<Arc<str>>, Id);

/// The most groups that the connections of a user are in without a call: each of them pays for all.
const MOST_JOINED: usize = 1_000;

/// The accesses that events have granted and withdrawn.
#[derive(Debug, Clone)]
pub struct Grants {
    accesses: HashMap<Access, Versions<GrantRecord>>,
    /// Of each user of a hub: the groups that are granted now, and that its connections are in without a call.
    joined: HashMap<Member, BTreeSet<(Option<Id>, GroupName)>>,
    /// The last withdrawal that found no room: whatever was decided before it is void.
    forgotten: Option<(Place, u64)>,
    limit: usize,
}

impl Grants {
    /// Nothing granted yet; at most `limit` accesses are remembered, withdrawn ones among them.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { accesses: HashMap::new(), joined: HashMap::new(), forgotten: None, limit }
    }

    /// Notes that an event of this incarnation grants or withdraws an access. What was said before `horizon` is
    /// remembered only as far as it still counts.
    ///
    /// A withdrawal stays known, so that a late older grant does not restore the access.
    pub fn change(&mut self, access: Access, change: Change) -> Update {
        let Change { granted, joins, revision, place, incarnation, horizon } = change;
        if self.accesses.len() >= self.limit && !self.accesses.contains_key(&access) {
            if !granted && self.forgotten.is_none_or(|(last, _)| place.is_after(last)) {
                self.forgotten = Some((place, incarnation));
            }
            return Update::Full;
        }
        let versions = self.accesses.entry(access.clone()).or_default();
        let value = GrantRecord { granted, incarnation };
        versions.add(Version { revision, place, value }, Memory { versions: CHANGES_KEPT, horizon });
        let Some(now) = versions.current() else { return Update::Older };
        let (counts, is_granted) = (now.place == place, now.value.granted);
        let fits = !joins || self.note_joined(access, is_granted);
        match (counts, fits) {
            (false, _) => Update::Older,
            (true, true) => Update::Newest,
            (true, false) => Update::Full,
        }
    }

    /// Notes whether the connections of a user are in a group without a call; false if they are in as many as they may.
    fn note_joined(&mut self, access: Access, is_granted: bool) -> bool {
        let Access { hub, org, realm, user, group } = access;
        let member = (hub, realm, user);
        if is_granted {
            let groups = self.joined.entry(member).or_default();
            let has_room = groups.len() < MOST_JOINED || groups.contains(&(org.clone(), group.clone()));
            if has_room {
                groups.insert((org, group));
            }
            return has_room;
        }
        if let Some(groups) = self.joined.get_mut(&member) {
            groups.remove(&(org, group));
            if groups.is_empty() {
                self.joined.remove(&member);
            }
        }
        true
    }

    /// The groups that a connection is in without a call, and between which places of the log they were granted.
    #[must_use]
    pub fn joined(&self, hub: &Arc<str>, who: &Identity) -> Vec<Membership> {
        let claims = who.claims();
        let Some(groups) = self.joined.get(&(Arc::clone(hub), claims.realm.clone(), claims.user.clone())) else {
            return Vec::new();
        };
        let of_its_org = groups.iter().filter(|(org, _)| org.as_ref().is_none_or(|org| who.belongs_to(org)));
        let groups: BTreeSet<&GroupName> = of_its_org.map(|(_, group)| group).collect();
        let held = groups.into_iter().filter_map(|group| {
            let state = self.state(hub, who, group).filter(|state| state.granted)?;
            Some(Membership { group: group.clone(), granted: Some(state.intervals) })
        });
        held.collect()
    }

    /// Someone's access to a group by events: a grant if there is one, else a withdrawal.
    #[must_use]
    pub fn state(&self, hub: &Arc<str>, who: &Identity, group: &GroupName) -> Option<GrantState> {
        let mut best: Option<GrantState> = None;
        for versions in self.of(hub, who, group) {
            let Some(now) = versions.current() else { continue };
            let (granted, place) = (now.value.granted, now.place);
            let intervals = if granted {
                Intervals::of(versions.timeline().map(|version| (version.place, version.value.granted)))
            } else {
                Intervals::since(place)
            };
            best = Some(match best {
                Some(best) if best.granted && granted => {
                    GrantState { intervals: best.intervals.and(&intervals), ..best }
                }
                Some(best) if best.granted || !granted => best,
                _ => GrantState { granted, intervals, place },
            });
        }
        best
    }

    /// The highest known revision of an access, and its place.
    pub(super) fn revision(&self, access: &Access) -> Option<(i64, Place)> {
        self.accesses.get(access)?.highest_revision()
    }

    /// Whether an access was withdrawn after a decision that was made at this position.
    #[must_use]
    pub fn withdrawn_since(&self, hub: &Arc<str>, who: &Identity, group: &GroupName, made_at: &Position) -> bool {
        // Offsets of two incarnations have no order, but the broker's time has: 0 is that of a stream of which nothing
        // was read yet, and everything known then is from the one before it.
        let after = |place: Place, incarnation: u64| {
            if incarnation == made_at.incarnation() {
                return !place.is_within(made_at);
            }
            made_at.newest() != 0 && place.time > made_at.newest()
        };
        let words = self.of(hub, who, group).filter_map(Versions::current).filter(|now| !now.value.granted);
        let mut words = words.map(|now| (now.place, now.value.incarnation)).chain(self.forgotten);
        words.any(|(place, incarnation)| after(place, incarnation))
    }

    fn of(&self, hub: &Arc<str>, who: &Identity, group: &GroupName) -> impl Iterator<Item = &Versions<GrantRecord>> {
        let claims = who.claims();
        let mut orgs = vec![None, claims.org.clone()];
        orgs.extend(who.named_org().filter(|named| claims.org.as_ref() != Some(*named)).cloned().map(Some));
        // A token without an org is in none: events without an org are looked at once.
        orgs.dedup();
        orgs.into_iter().filter_map(move |org| {
            let (hub, realm, user) = (Arc::clone(hub), claims.realm.clone(), claims.user.clone());
            let access = Access { hub, org, realm, user, group: group.clone() };
            self.accesses.get(&access)
        })
    }

    /// How many accesses are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.accesses.len()
    }

    /// Whether none is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.accesses.is_empty()
    }

    /// Forgets what no longer matters at this time, as if it had been read only now.
    pub(super) fn forget_before(&mut self, horizon: i64) {
        for versions in self.accesses.values_mut() {
            versions.forget(Memory { versions: CHANGES_KEPT, horizon });
        }
    }
}

impl Digest for Grants {
    fn digest(&self) -> u64 {
        let accesses = digest::of_set(self.accesses.iter().map(|(access, versions)| {
            let words: Vec<_> = versions.all().iter().map(|said| (said.revision, said.place, said.value)).collect();
            (access, words)
        }));
        accesses.wrapping_add(digest::of(&self.forgotten))
    }

    fn digest_of_now(&self) -> u64 {
        let accesses = digest::of_set(self.accesses.iter().map(|(access, versions)| {
            let now = versions.current();
            (access, now.map(|now| (now.revision, now.value.granted)))
        }));
        accesses.wrapping_add(digest::of(&self.forgotten.is_some()))
    }
}

/// How an event changes an access.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    /// Whether it grants or withdraws it.
    pub granted: bool,
    /// Whether the user's connections are in the group without a call.
    pub joins: bool,
    /// The producer's revision, if it gave one.
    pub revision: Option<i64>,
    /// Its place in the log.
    pub place: Place,
    /// The incarnation of the stream.
    pub incarnation: u64,
    /// The begin of the replay window, in milliseconds of the broker's time.
    pub horizon: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::claims;
    use crate::vocabulary::name::GroupTemplate;

    fn list() -> GroupName {
        GroupTemplate::parse("list:{id}").expect("a template").name(&["7"]).expect("a name")
    }

    fn access(org: Option<&str>) -> Access {
        let id = |text: &str| Id::parse(text).expect("an id");
        Access { hub: "/hub".into(), org: org.map(id), realm: None, user: id("alice"), group: list() }
    }

    fn alice(org: &str) -> Identity {
        Identity::new(Arc::new(claims("alice", org, &[], "s", 1)), None, |_| false).expect("an identity")
    }

    fn at(offset: u64) -> Place {
        Place { partition: 0, offset, time: offset.cast_signed() }
    }

    fn change(granted: bool, offset: u64) -> Change {
        Change { granted, joins: false, revision: None, place: at(offset), incarnation: 1, horizon: 0 }
    }

    fn state(grants: &Grants, org: &str) -> Option<(bool, Vec<u64>)> {
        let state = grants.state(&"/hub".into(), &alice(org), &list())?;
        let held = (1..12).filter(|offset| state.intervals.hold(at(*offset))).collect();
        Some((state.granted, held))
    }

    #[test]
    fn a_grant_holds_between_its_place_and_its_withdrawal_and_after_the_next_one() {
        let mut grants = Grants::new(10);
        assert_eq!(state(&grants, "acme"), None);
        for (offset, granted, held) in
            [(3, true, (4..12).collect()), (5, true, (4..12).collect()), (6, false, (7..12).collect::<Vec<_>>())]
        {
            assert_eq!(grants.change(access(Some("acme")), change(granted, offset)), Update::Newest);
            assert_eq!(state(&grants, "acme"), Some((granted, held)));
        }
        assert_eq!(grants.change(access(Some("acme")), change(true, 9)), Update::Newest);
        assert_eq!(state(&grants, "acme"), Some((true, vec![4, 5, 6, 10, 11])));
        assert_eq!(grants.change(access(Some("acme")), change(true, 9)), Update::Newest, "read again");
        assert_eq!(grants.change(access(Some("acme")), change(false, 8)), Update::Older);
        assert_eq!(state(&grants, "globex"), None, "users of another org are others");
    }

    #[test]
    fn what_lies_before_the_window_is_forgotten_and_changes_are_bounded() {
        let mut grants = Grants::new(10);
        for offset in 1..1000 {
            let change = Change { horizon: (offset as i64) - 5, ..change(offset % 2 == 1, offset) };
            grants.change(access(None), change);
        }
        let words = grants.accesses[&access(None)].all().len();
        assert_eq!(words, 7, "those of the window, and the last before it");
        for offset in 1000..2000 {
            grants.change(access(None), change(offset % 2 == 1, offset));
        }
        assert_eq!(grants.accesses[&access(None)].all().len(), CHANGES_KEPT + 1, "and what counted before them");
    }

    #[test]
    fn a_decision_is_void_after_a_withdrawal() {
        let (mut grants, hub) = (Grants::new(1), Arc::from("/hub"));
        let made_at = |offset| Position::from_parts(1, [(0, offset)]);
        let void = |grants: &Grants, offset| grants.withdrawn_since(&hub, &alice("acme"), &list(), &made_at(offset));
        grants.change(access(Some("acme")), change(false, 6));
        assert!(void(&grants, 5) && !void(&grants, 6));
        assert_eq!(grants.change(access(None), change(true, 8)), Update::Full);
        assert!(!void(&grants, 7));
        assert_eq!(grants.change(access(None), change(false, 9)), Update::Full);
        assert!(void(&grants, 8) && !void(&grants, 9), "a withdrawal without room makes all decisions void");
    }

    #[test]
    fn a_withdrawal_of_an_older_incarnation_voids_no_new_decision() {
        let (mut grants, hub) = (Grants::new(1), Arc::from("/hub"));
        grants.change(access(Some("acme")), change(false, 600));
        let void = |made_at| grants.withdrawn_since(&hub, &alice("acme"), &list(), &made_at);
        assert!(!void(Position::from_parts(2, [(0, 3)]).with_newest(700)));
        assert!(void(Position::from_parts(2, [(0, 3)]).with_newest(500)), "or nothing is known of its time");
    }

    #[test]
    fn users_of_another_realm_share_no_grant() {
        let mut grants = Grants::new(10);
        grants.change(access(None), change(true, 1));
        let partner = fanfare_token::Claims { realm: Some("partner".into()), ..claims("alice", "acme", &[], "s", 1) };
        let partner = Identity::new(Arc::new(partner), None, |_| false).expect("an identity");
        assert_eq!(grants.state(&"/hub".into(), &partner, &list()), None);
        assert!(!access(None).concerns(&partner) && access(None).concerns(&alice("acme")));
        assert!(!access(Some("globex")).concerns(&alice("acme")));
    }
}
