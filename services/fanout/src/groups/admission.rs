//! Admits a connection: its groups, and the state that it is sent first.

use std::sync::Arc;

use fanfare_broker::Position;
use fanfare_event::Id;
use fanfare_token::Claims;
use thiserror::Error;

use super::Groups;
use crate::config::{HubConfig, Joiner};
use crate::connection::{self, CloseReason};
use crate::projection::{GrantedRole, Projection, Retained};
use crate::rule::{Rule, kept};
use crate::vocabulary::name::GroupName;
use crate::vocabulary::{Identity, Intervals, Membership};

/// Why a connection must not be admitted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refused {
    /// A logout has made its token worthless.
    #[error("the token was issued before its user logged out")]
    LoggedOut,
    /// The roles that the hub, or the named org, requires were taken away.
    #[error("the user's roles no longer allow the connection")]
    Forbidden,
    /// An event has closed the user's org to the hub, for this reason.
    #[error("the org is closed: {0}")]
    OrgClosed(Arc<str>),
}

impl From<Refused> for CloseReason {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::LoggedOut => Self::LoggedOut,
            Refused::Forbidden => Self::Forbidden,
            Refused::OrgClosed(reason) => Self::OrgClosed(reason),
        }
    }
}

/// What a connection must still have when it joins a group by a method.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    /// Whether the roles suffice.
    pub allows_roles: &'a dyn Fn(&[String]) -> bool,
    /// Whether an event must have granted it.
    pub grant: bool,
    /// The position at which the platform's authorizer allowed it, if it was asked.
    pub decided_at: Option<&'a Position>,
}

/// A connection must not be in a group that it asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotJoined {
    /// The connection itself must end.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The roles do not suffice any more.
    #[error("the roles do not suffice")]
    Roles,
    /// No event has granted it, or one has withdrawn it.
    #[error("no event grants it")]
    NotGranted,
    /// An event has withdrawn it since the authorizer allowed it.
    #[error("an event has withdrawn it since the authorizer was asked")]
    Withdrawn,
}

impl Groups {
    /// The groups that a connection belongs to now.
    #[must_use]
    pub fn memberships(&self, hub: &HubConfig, identity: Option<&Identity>) -> Vec<Membership> {
        let Some(identity) = identity else { return Vec::new() };
        self.read(|known| memberships(known, hub, identity, &known.roles_of(identity.claims())))
    }

    /// The roles in force of an open connection, and the groups that it belongs to now.
    ///
    /// # Errors
    /// [`Refused`] if the connection must end.
    pub fn regroup(&self, hub: &HubConfig, identity: &Identity) -> Result<(Vec<String>, Vec<Membership>), Refused> {
        self.read(|known| {
            let roles = admissible(known, hub, identity)?;
            let memberships = memberships(known, hub, identity, &roles);
            Ok((names(&roles), memberships))
        })
    }

    /// Whether a logout has ended a token, as a request with it is looked at.
    #[must_use]
    pub fn is_logged_out(&self, claims: &Claims) -> bool {
        kept(Rule::RefusedAtConnect) && self.read(|known| known.refuses(claims))
    }

    /// Why a hub is closed to the bearer of these claims; none if it is not.
    #[must_use]
    pub fn closed_org(&self, hub: &HubConfig, identity: &Identity) -> Option<Arc<str>> {
        self.read(|known| closed_org(known, hub, identity, &names(&known.roles_of(identity.claims()))))
    }

    /// Lets a connection in that has joined its groups.
    ///
    /// The caller must have announced the groups to [`super::Interest`] before: the pipeline folds an
    /// event and only then asks who is interested. So an event either was folded before this look, and is
    /// covered by `live_from`, or finds the connection interested.
    ///
    /// The token is checked again here, after joining: it may have been good when the request came in
    /// and worthless by now (rule 1.3).
    ///
    /// Returns the position up to which retained values or a resume cover everything for the connection;
    /// everything later comes live.
    ///
    /// # Errors
    /// [`Refused`] if the connection must end.
    pub fn admit(&self, hub: &HubConfig, identity: Option<&Identity>) -> Result<Position, Refused> {
        self.read(|known| {
            if identity.is_some_and(|identity| known.refuses(identity.claims())) {
                return Err(Refused::LoggedOut);
            }
            if let Some(who) = identity {
                admissible(known, hub, who)?;
            }
            Ok(known.position().clone())
        })
    }

    /// What is retained for groups of a connection, as far as it may receive it.
    #[must_use]
    pub fn retained<'a>(
        &self,
        hub: &HubConfig,
        identity: Option<&Identity>,
        groups: impl Iterator<Item = &'a GroupName>,
    ) -> Vec<Retained> {
        let mut retained = self.read(|known| known.retained().for_groups(&hub.path, groups));
        retained.retain(|value| may_hear(identity, value));
        retained
    }
}

impl Groups {
    /// What is retained for a group that was joined for an org which is not the connection's own: what is of that org.
    #[must_use]
    pub fn retained_of(&self, hub: &HubConfig, group: &GroupName, org: &Id) -> Vec<Retained> {
        let mut retained = self.read(|known| known.retained().for_groups(&hub.path, std::iter::once(group)));
        retained.retain(|value| value.event.attributes.org.as_ref() == Some(org) && !value.route.cross_org());
        retained
    }

    /// Lets a connection into a group that it asked for and has joined.
    ///
    /// Everything is read at once and after joining, for the same reason as in [`Self::admit`]: a withdrawal
    /// either was folded before this look, or finds the connection a member.
    ///
    /// # Errors
    /// [`NotJoined`] if the connection must leave the group again.
    pub fn admit_joined(
        &self,
        hub: &HubConfig,
        identity: Option<&Identity>,
        group: GroupName,
        terms: Terms<'_>,
    ) -> Result<(Membership, Position), NotJoined> {
        let live_from = self.admit(hub, identity)?;
        let granted = self.read(|known| grant_intervals(known, hub, identity, &group, terms))?;
        Ok((Membership { group, granted }, live_from))
    }
}

/// In which intervals events granted this, if any granted or withdrew it.
fn grant_intervals(
    known: &Projection,
    hub: &HubConfig,
    identity: Option<&Identity>,
    group: &GroupName,
    terms: Terms<'_>,
) -> Result<Option<Intervals>, NotJoined> {
    let Some(who) = identity else {
        return if terms.grant { Err(NotJoined::NotGranted) } else { Ok(None) };
    };
    let roles = names(&known.roles_of(who.claims()));
    if !(terms.allows_roles)(&roles) {
        return Err(NotJoined::Roles);
    }
    let grants = known.grants();
    if terms.decided_at.is_some_and(|made_at| grants.withdrawn_since(&hub.path, who, group, made_at)) {
        return Err(NotJoined::Withdrawn);
    }
    let state = grants.state(&hub.path, who, group);
    if terms.grant && !state.as_ref().is_some_and(|state| state.granted) {
        return Err(NotJoined::NotGranted);
    }
    Ok(state.map(|state| state.intervals))
}

/// Whether roles in force and claims allow an identity its connection to a hub, and the org that it named.
#[must_use]
pub fn is_allowed(hub: &HubConfig, identity: &Identity, roles: &[GrantedRole]) -> bool {
    let held = names(roles);
    hub.admits(&held)
        && hub.lacks(&identity.claims().other).is_none()
        && (identity.named_org().is_none() || hub.may_name_org(&held))
}

/// The roles in force of an identity, if they allow it its connection to a hub and the org that it named, and its own
/// org is not closed.
fn admissible(known: &Projection, hub: &HubConfig, who: &Identity) -> Result<Vec<GrantedRole>, Refused> {
    let roles = known.roles_of(who.claims());
    let held = names(&roles);
    if !is_allowed(hub, who, &roles) {
        return Err(Refused::Forbidden);
    }
    closed_org(known, hub, who, &held).map_or(Ok(roles), |reason| Err(Refused::OrgClosed(reason)))
}

/// Why an identity's own org is closed to a hub. Users who may name any org are admitted anyway: somebody has to look
/// after a closed org.
fn closed_org(known: &Projection, hub: &HubConfig, who: &Identity, roles: &[String]) -> Option<Arc<str>> {
    let reason = known.orgs().closed(&hub.path, who.claims().org.as_ref()?)?;
    (!hub.may_name_org(roles)).then(|| Arc::clone(reason))
}

fn names(roles: &[GrantedRole]) -> Vec<String> {
    roles.iter().map(|(role, _)| role.clone()).collect()
}

fn may_hear(identity: Option<&Identity>, retained: &Retained) -> bool {
    connection::may_hear(identity, retained.event.attributes.org.as_ref(), retained.route.cross_org())
}

/// The groups of an identity whose roles, and their grants, are these, and what events have granted it without a call.
fn memberships(known: &Projection, hub: &HubConfig, identity: &Identity, roles: &[GrantedRole]) -> Vec<Membership> {
    let claimed: Vec<String> =
        roles.iter().filter(|(_, granted)| granted.is_none()).map(|(role, _)| role.clone()).collect();
    let mut names = Vec::new();
    join(hub, identity, &claimed, &mut names);
    let mut found: Vec<_> = names.iter().map(|group| Membership { group: group.clone(), granted: None }).collect();
    for (role, granted) in roles {
        let before = names.len();
        join(hub, identity, std::slice::from_ref(role), &mut names);
        let new = names[before..].iter();
        found.extend(new.map(|group| Membership { group: group.clone(), granted: granted.clone() }));
    }
    if !hub.granted.is_empty() {
        let joined = known.grants().joined(&hub.path, identity);
        found.extend(joined.into_iter().filter(|held| !names.contains(&held.group)));
    }
    found
}

fn join(hub: &HubConfig, identity: &Identity, roles: &[String], into: &mut Vec<GroupName>) {
    let joiner = Joiner { named_org: identity.named_org(), roles, ..Joiner::of(identity.claims()) };
    for rule in &hub.join {
        rule.groups(&joiner, into);
    }
}
