//! What a node has read of roles and access, folded by revisions alone: the comparison for what it lets pass.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fanfare_event::Event;

use super::producer::LISTS;
use crate::route::Effect;
use crate::vocabulary::Identity;
use crate::vocabulary::name::GroupName;

/// What is known of roles: by org and user the revision, the second and the roles.
pub(super) type KnownRoles = BTreeMap<(String, String), (i64, i64, Vec<String>)>;

/// What goes with a delivery, for judging it.
#[derive(Debug)]
pub(super) struct Seen {
    /// Of the log that the event was read from.
    pub(super) incarnation: u64,
    pub(super) notification: String,
    /// How many records the node had folded.
    pub(super) folded: usize,
    pub(super) known: Arc<Witness>,
}

/// What is known by revisions alone, for comparison.
#[derive(Debug, Clone, Default)]
pub(super) struct Witness {
    pub(super) roles: KnownRoles,
    pub(super) access: BTreeMap<(String, GroupName), (i64, bool)>,
    /// By org the revision, and whether it is closed.
    orgs: BTreeMap<String, (i64, bool)>,
}

impl Witness {
    /// Whether someone may be in a group, by what was read before.
    pub(super) fn allows(&self, who: &Identity, group: &GroupName) -> bool {
        let claims = who.claims();
        let org = claims.org.as_ref().map(ToString::to_string).unwrap_or_default();
        let (user, roles) = (claims.user.to_string(), self.roles_of(who));
        let values: Vec<&str> = group.values().collect();
        match (group.shape(), &values[..]) {
            ("user:{}", [of]) => **of == *user,
            ("session:{}", [of]) => claims.session.as_ref().is_some_and(|session| session.as_str() == *of),
            ("org:{}", [of]) => **of == *org || self.may_name_any_org(who),
            ("org:{}/role:{}", [of, role]) => **of == *org && roles.iter().any(|has| has == role),
            ("admin", []) => roles.iter().any(|role| role == "admin" || role == "superadmin"),
            ("list:{}" | "crew:{}", _) => self.access.get(&(user, group.clone())).is_some_and(|(_, granted)| *granted),
            _ => false,
        }
    }

    fn roles_of<'a>(&'a self, who: &'a Identity) -> &'a [String] {
        let claims = who.claims();
        let org = claims.org.as_ref().map(ToString::to_string).unwrap_or_default();
        match self.roles.get(&(org, claims.user.to_string())) {
            Some((_, at, roles)) if *at >= claims.issued_at => roles,
            _ => &claims.roles,
        }
    }

    /// Whether someone looks after all orgs.
    pub(super) fn may_name_any_org(&self, who: &Identity) -> bool {
        self.roles_of(who).iter().any(|role| role == "superadmin")
    }

    /// Whether an org is closed to someone.
    pub(super) fn is_closed(&self, who: &Identity) -> bool {
        if self.may_name_any_org(who) {
            return false;
        }
        let org = who.claims().org.as_ref().map(ToString::to_string).unwrap_or_default();
        self.orgs.get(&org).is_some_and(|(_, closed)| *closed)
    }

    /// The groups that somebody is in without a call.
    pub(super) fn crews(&self, who: &Identity) -> BTreeSet<GroupName> {
        let (user, org) = (who.claims().user.to_string(), who.claims().org.as_ref());
        let of_org = |group: &GroupName| {
            let lists = LISTS.iter().filter(|(_, of)| org.is_some_and(|org| org.as_str() == *of));
            lists.into_iter().any(|(list, _)| group.values().eq([*list]))
        };
        let granted = self.access.iter().filter(|((of, _), (_, granted))| *of == user && *granted);
        let groups = granted.map(|((_, group), _)| group).filter(|group| group.shape() == "crew:{}" && of_org(group));
        groups.cloned().collect()
    }

    /// Notes what an event says of roles and access: by revisions alone, unlike the projection.
    pub(super) fn note(&mut self, event: &Event, effects: impl Iterator<Item = Effect>) {
        let revision = event.record.revision().unwrap_or_default();
        for effect in effects {
            match effect {
                Effect::Roles { user, org, roles, .. } => {
                    let known = self.roles.entry((org.to_string(), user.to_string())).or_default();
                    if revision > known.0 {
                        *known = (revision, event.attributes.time.0.div_euclid(1000), roles);
                    }
                }
                Effect::Access { user, groups, granted, .. } => {
                    for group in groups {
                        let known = self.access.entry((user.to_string(), group)).or_default();
                        if revision > known.0 {
                            *known = (revision, granted);
                        }
                    }
                }
                Effect::Org { org, closed } => {
                    let known = self.orgs.entry(org.to_string()).or_default();
                    if revision > known.0 {
                        *known = (revision, closed.is_some());
                    }
                }
                Effect::None | Effect::Logout { .. } => {}
            }
        }
    }
}
