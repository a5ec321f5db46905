//! What a connection is let into: its groups and the state it is told of first.

use fanfare_broker::Position;
use thiserror::Error;

use super::Groups;
use super::name::GroupName;
use crate::config::{HubConfig, Joiner};
use crate::connection::Identity;
use crate::projection::{GrantedRole, Place, Retained};

/// One group that a connection is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The group.
    pub group: GroupName,
    /// Where in the log an event granted it; a resume gives nothing from before.
    pub since: Option<Place>,
}

/// What a connection gets when it has joined its groups.
#[derive(Debug)]
pub struct Admission {
    /// Everything up to here is known to the connection by `retained` or by a resume; what lies behind
    /// comes live.
    pub live_from: Position,
    /// What is retained for its groups.
    pub retained: Vec<Retained>,
}

/// The connection must not be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refused {
    /// A logout has made its token worthless.
    #[error("the token was issued before its user logged out")]
    LoggedOut,
}

impl Groups {
    /// The groups that a connection belongs to now.
    #[must_use]
    pub fn memberships(&self, hub: &HubConfig, identity: Option<&Identity>) -> Vec<Membership> {
        let Some(identity) = identity else { return Vec::new() };
        memberships(hub, identity, &self.read(|known| known.roles_of(identity.claims())))
    }

    /// Lets a connection in that has joined its groups.
    ///
    /// The caller must have announced the groups to [`super::Interest`] before: the pipeline folds an
    /// event and only then asks who is interested. So an event either was folded before this look, and is
    /// covered by `live_from`, or finds the connection interested.
    ///
    /// The token is checked again here, after joining: it may have been good when the request came in
    /// and worthless by now (SEMANTICS 1.3).
    ///
    /// # Errors
    /// [`Refused`] if the connection must end.
    pub fn admit(
        &self,
        hub: &HubConfig,
        identity: Option<&Identity>,
        joined: &[Membership],
    ) -> Result<Admission, Refused> {
        self.read(|known| {
            if identity.is_some_and(|identity| known.refuses(identity.claims())) {
                return Err(Refused::LoggedOut);
            }
            let groups = joined.iter().map(|membership| &membership.group);
            let mut retained = known.retained().for_groups(&hub.path, groups);
            retained.retain(|value| may_hear(identity, value));
            Ok(Admission { live_from: known.position().clone(), retained })
        })
    }
}

fn may_hear(identity: Option<&Identity>, retained: &Retained) -> bool {
    match (&retained.event.attributes.org, identity) {
        (None, _) => true,
        (Some(_), _) if retained.route.cross_org() => true,
        (Some(org), Some(identity)) => identity.belongs_to(org),
        (Some(_), None) => false,
    }
}

/// The groups of an identity whose roles, and their grants, are these.
#[must_use]
pub fn memberships(hub: &HubConfig, identity: &Identity, roles: &[GrantedRole]) -> Vec<Membership> {
    let claimed: Vec<String> =
        roles.iter().filter(|(_, since)| since.is_none()).map(|(role, _)| role.clone()).collect();
    let mut names = Vec::new();
    join(hub, identity, &claimed, &mut names);
    let mut found: Vec<_> = names.iter().map(|group| Membership { group: group.clone(), since: None }).collect();
    for (role, since) in roles {
        let before = names.len();
        join(hub, identity, std::slice::from_ref(role), &mut names);
        let granted = names[before..].iter();
        found.extend(granted.map(|group| Membership { group: group.clone(), since: *since }));
    }
    found
}

fn join(hub: &HubConfig, identity: &Identity, roles: &[String], into: &mut Vec<GroupName>) {
    let joiner = Joiner { named_org: identity.named_org(), roles, ..Joiner::of(identity.claims()) };
    for rule in &hub.join {
        rule.groups(&joiner, into);
    }
}
