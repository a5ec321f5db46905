//! The expected audience, computed without groups, templates or anything else that the node uses.

use std::collections::BTreeMap;

use crate::isolation::world::{Audience, Event, Person, Route};

/// One received notification: the route, and the event's id.
pub(super) type Heard = (String, String);

/// All events so far, and their effect on present and future tabs.
#[derive(Debug)]
pub(super) struct Oracle {
    routes: Vec<Route>,
    /// The roles of a user in an org, once an event changed them.
    roles: BTreeMap<(String, String), Vec<String>>,
    /// The event that last set each flag of each org.
    flags: BTreeMap<(String, String), String>,
}

impl Oracle {
    pub(super) fn new(routes: &[Route]) -> Self {
        Self { routes: routes.to_vec(), roles: BTreeMap::new(), flags: BTreeMap::new() }
    }

    /// The notifications of a user for an event that happens now.
    pub(super) fn hears(&self, person: &Person, event: &Event, id: &str) -> Vec<Heard> {
        let heard = |route: &str| vec![(route.to_owned(), id.to_owned())];
        match event {
            Event::Barrier => heard("barrier"),
            Event::Roles { org, user, .. } if *user == person.user && is_of(person, org) => heard("roles"),
            Event::Flag { org, .. } if is_of(person, org) => heard("flag"),
            Event::FlagRemoved { org, .. } if is_of(person, org) => heard("flag-removed"),
            Event::Roles { .. } | Event::Flag { .. } | Event::FlagRemoved { .. } => Vec::new(),
            Event::Note { .. } => {
                let routes = self.routes.iter().filter(|route| self.hears_note(person, event, route));
                routes.map(|route| (route.name.clone(), id.to_owned())).collect()
            }
        }
    }

    /// Records the effects of an event on later ones.
    pub(super) fn happened(&mut self, event: &Event, id: &str) {
        match event {
            Event::Roles { org, user, roles } => {
                self.roles.insert((user.clone(), org.clone()), roles.clone());
            }
            Event::Flag { org, flag, .. } => {
                self.flags.insert((org.clone(), flag.clone()), id.to_owned());
            }
            Event::FlagRemoved { org, flag } => {
                self.flags.remove(&(org.clone(), flag.clone()));
            }
            Event::Note { .. } | Event::Barrier => {}
        }
    }

    /// The first notifications of a user who connects now, sorted.
    pub(super) fn told_at_connect(&self, person: &Person) -> Vec<Heard> {
        let of_theirs = self.flags.iter().filter(|((org, _), _)| is_of(person, org));
        let mut told: Vec<Heard> = of_theirs.map(|(_, id)| ("flag".to_owned(), id.clone())).collect();
        told.sort();
        told
    }

    /// Whether an event has changed the user's roles.
    pub(super) fn roles_changed(&self, person: &Person) -> bool {
        person.org.as_ref().is_some_and(|org| self.roles.contains_key(&(person.user.clone(), org.clone())))
    }

    fn hears_note(&self, person: &Person, event: &Event, route: &Route) -> bool {
        let Event::Note { org, user, level, kind, .. } = event else { return false };
        let when = &route.when;
        let taken = when.level.is_none_or(|(min, max)| min <= *level && *level <= max)
            && when.kinds.as_ref().is_none_or(|kinds| kinds.contains(kind))
            && when.user_present.is_none_or(|present| user.is_some() == present)
            && when.org_present.is_none_or(|present| org.is_some() == present);
        let allowed = route.cross_org || org.as_ref().is_none_or(|org| is_of(person, org));
        taken
            && allowed
            && person.hub == route.hub
            && route.audiences.iter().any(|audience| self.is_in(person, *audience, event))
    }

    fn is_in(&self, person: &Person, audience: Audience, event: &Event) -> bool {
        let Event::Note { org, user, team, watchers, kind, .. } = event else { return false };
        let has_role = |role: &str| self.has_role(person, role);
        let of_own_org = org.is_some() && *org == person.org;
        match audience {
            Audience::User => user.as_ref() == Some(&person.user),
            Audience::Watchers => watchers.contains(&person.user),
            Audience::UserInText => *team == person.user,
            // A session belongs to one user, whom the event names.
            Audience::SessionInText => person.session.as_ref() == Some(team) && user.as_ref() == Some(&person.user),
            Audience::Org => org.as_ref().is_some_and(|org| is_of(person, org)),
            Audience::OrgInText => is_of(person, team),
            // A user who names another org receives what all its members receive, and has no role in it.
            Audience::OrgAdmins => of_own_org && has_role("admin"),
            Audience::OrgRoleInText => of_own_org && has_role(team),
            Audience::OrgUser => of_own_org && user.as_ref() == Some(&person.user),
            Audience::RoleOfKind => has_role(kind),
            Audience::Admins => has_role("admin") || has_role("superadmin"),
            Audience::Superadmins => has_role("superadmin"),
        }
    }

    /// The roles of an event apply to older tokens, in the org that it names.
    fn has_role(&self, person: &Person, role: &str) -> bool {
        let changed = person.org.as_ref().and_then(|org| self.roles.get(&(person.user.clone(), org.clone())));
        changed.unwrap_or(&person.roles).iter().any(|held| held == role)
    }
}

fn is_of(person: &Person, org: &str) -> bool {
    person.org.as_deref() == Some(org) || person.named_org.as_deref() == Some(org)
}
