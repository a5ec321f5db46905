//! Whether a newer event has overtaken one that a resume would send again.

use fanfare_broker::Position;
use fanfare_event::Event;

use super::{Access, Projection, Slot};
use crate::route::{Effect, Retain, Route};
use crate::vocabulary::Place;
use crate::vocabulary::name::GroupName;

impl Projection {
    /// Whether a higher revision of a notification's slot, roles or access is before a cursor.
    ///
    /// A replay begins at the cursor, so by itself it does not know what came before. Events of two types about one
    /// thing have their own keys, and on Kafka are in two partitions: a flag's removal may be before the cursor and the
    /// older toggle after it. That toggle was not delivered live; if it were sent now, the removed flag would be shown.
    ///
    /// By revisions alone. Without them the log's order counts, and a replay sends in that order. What was overtaken
    /// after the cursor was sent live, and is sent again.
    #[must_use]
    pub fn had_newer(&self, route: &Route, event: &Event, cursor: &Position) -> bool {
        let Some(revision) = event.record.revision() else { return false };
        if cursor.incarnation() != self.position.incarnation() {
            return false;
        }
        let is_newer = |known: Option<(i64, Place)>| {
            known.is_some_and(|(known, place)| known > revision && place.is_within(cursor))
        };
        let slot = if route.retain() == Retain::No { None } else { Slot::of(route, event) };
        if slot.is_some_and(|slot| is_newer(self.retained.revision(&slot))) {
            return true;
        }
        match route.effect(event) {
            Effect::None | Effect::Logout { .. } => false,
            Effect::Roles { realm, user, org, .. } => is_newer(self.roles.revision(realm, org, user)),
            Effect::Org { org, .. } => is_newer(self.orgs.revision(route.hub(), &org)),
            Effect::Access { realm, user, groups, .. } => {
                let access = |group| Access::of(route, event, (realm.as_ref(), &user), group);
                groups.into_iter().any(|group| is_newer(self.grants.revision(&access(group))))
            }
        }
    }
}

impl Projection {
    /// Whether an event of the log that a replay has reached at `place` is overtaken by its slot's current notification,
    /// which goes to one of the groups that `is_in` knows, or removed the value: the older must not come after it (rule 2.9).
    ///
    /// If the current one is after `until`, it comes live, or has come. If it is in another partition, nothing says that
    /// the replay tells it after the older one, or at all: it may be before the cursor, or before the window.
    #[must_use]
    pub fn is_overtaken(
        &self,
        route: &Route,
        (event, place): (&Event, Place),
        until: &Position,
        is_in: impl Fn(&GroupName) -> bool,
    ) -> bool {
        let Some(slot) = Slot::of(route, event) else { return false };
        let Some((current, mut groups)) = self.retained.current(&slot) else { return false };
        let is_in_order = current.partition == place.partition && current.is_within(until);
        if until.incarnation() != self.position.incarnation() || is_in_order {
            return false;
        }
        match groups.next() {
            Some(first) => is_in(first) || groups.any(is_in),
            None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use fanfare_broker::Record;

    use super::*;
    use crate::scene::{BOUNDS, Scene};

    fn knows(scene: &Scene, records: &[&Record]) -> Projection {
        let mut known = Projection::new(Position::start(1), &BOUNDS);
        for record in records {
            let event = scene.decode(record);
            known.fold(record, &event, &scene.routes.route(&event));
        }
        known
    }

    /// For a tab that has all that is known.
    fn is_overtaken(known: &Projection, scene: &Scene, record: &Record) -> bool {
        is_overtaken_before(known, scene, record, known.position())
    }

    fn is_overtaken_before(known: &Projection, scene: &Scene, record: &Record, cursor: &Position) -> bool {
        let event = scene.decode(record);
        scene.routes.route(&event).iter().any(|matched| known.had_newer(matched.route, &event, cursor))
    }

    #[test]
    fn a_higher_revision_overtakes_and_no_other() {
        let mut scene = Scene::demo();
        let toggle = |scene: &mut Scene, org: &str, revision: &str| {
            let json = format!(r#"{{"org": "{org}", "flag": "dark", "enabled": true, "revision": {revision}}}"#);
            scene.event("license.FlagToggled", &json)
        };
        let removed = scene.event("license.FlagRemoved", r#"{"org": "acme", "flag": "dark", "revision": 2}"#);
        let known = knows(&scene, &[&removed]);
        for (org, revision, overtaken) in [
            ("acme", "1", true),
            ("acme", "2", false),
            ("acme", "3", false),
            ("acme", "null", false),
            ("globex", "1", false),
        ] {
            let record = toggle(&mut scene, org, revision);
            assert_eq!(is_overtaken(&known, &scene, &record), overtaken, "{revision} in {org}");
        }
        let late = toggle(&mut scene, "acme", "1");
        let earlier = Position::start(1);
        assert!(!is_overtaken_before(&known, &scene, &late, &earlier), "the removal is told again, too");
    }

    #[test]
    fn roles_are_overtaken_by_those_of_the_same_user() {
        let mut scene = Scene::demo();
        let roles = |scene: &mut Scene, user: &str, revision: i64| {
            let json = format!(r#"{{"org": "acme", "user": "{user}", "roles": ["user"], "revision": {revision}}}"#);
            scene.event("auth.RolesChanged", &json)
        };
        let newer = roles(&mut scene, "alice", 5);
        let known = knows(&scene, &[&newer]);
        for (user, revision, overtaken) in [("alice", 4, true), ("alice", 5, false), ("bob", 4, false)] {
            let record = roles(&mut scene, user, revision);
            assert_eq!(is_overtaken(&known, &scene, &record), overtaken, "{revision} of {user}");
        }
    }

    /// A replay of a window without the removal told a tab the flag that was removed.
    #[test]
    fn what_another_partition_has_overtaken_is_not_sent_again() {
        let mut scene = Scene::demo();
        let flag =
            |revision: u32| format!(r#"{{"org": "acme", "flag": "dark", "enabled": true, "revision": {revision}}}"#);
        let older = scene.event("license.FlagToggled", &flag(1));
        let newer = scene.event("license.FlagToggled", &flag(2));
        let removed = scene.event("license.FlagRemoved", r#"{"org": "acme", "flag": "dark", "revision": 3}"#);
        let removed = Record { partition: 1, ..removed };
        let is_overtaken = |known: &[&Record], record: &Record, is_in: bool| {
            let known = knows(&scene, known);
            let event = scene.decode(record);
            let place = (&*event, Place::of(record));
            let matched = scene.routes.route(&event);
            matched.iter().any(|matched| known.is_overtaken(matched.route, place, known.position(), |_| is_in))
        };
        assert!(is_overtaken(&[&older, &removed], &older, true), "the removal has groups no more");
        assert!(!is_overtaken(&[&older, &newer], &older, true), "the replay tells both in their order");
        let newer = Record { partition: 1, ..newer };
        assert!(is_overtaken(&[&older, &newer], &older, true));
        assert!(!is_overtaken(&[&older, &newer], &newer, true));
        assert!(!is_overtaken(&[&older, &newer], &older, false), "the newer value is for others");
    }
}
