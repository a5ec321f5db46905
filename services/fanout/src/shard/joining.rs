//! Carries out a declared call: joins, leaves and touches groups, and publishes.

use std::sync::Arc;

use fanfare_event::Id;
use fanfare_signalr::{Outcome, Value};
use tracing::Span;

use super::lines::Line;
use super::opening::Look;
use super::tab::Tab;
use super::{Core, Key, Publish, Task, Ticket};
use crate::config::HubConfig;
use crate::connection::Joined;
use crate::groups::{NotJoined, Terms};
use crate::method::declared::{Asking, Declared, Deed, Draft, Met, Refusal, Wanted};
use crate::projection::Access;
use crate::rule::{Rule, kept};
use crate::vocabulary::name::GroupName;

impl Core {
    /// Carries out a call that was judged.
    pub(super) fn carry_out_declared(&mut self, key: Key, ticket: Ticket) {
        let plan = match self.plan(key, ticket) {
            Ok(plan) => plan,
            Err(refusal) => return self.end_declared(key, ticket, Err(refusal)),
        };
        let Some(judging) = self.judging(key, ticket) else { return };
        let method = Arc::clone(&judging.method);
        match method.action.deed() {
            Some(Deed::Join) => return self.join_asked(key, ticket, plan.groups),
            Some(Deed::Touch) => {
                let groups: Vec<GroupName> = plan.groups.into_iter().map(|wanted| wanted.group).collect();
                let subscriptions = self.connections.get(key).map(|tab| &tab.subscriptions);
                if !subscriptions.is_some_and(|held| groups.iter().all(|group| held.holds(group))) {
                    return self.end_declared(key, ticket, Err(Refusal::NotIn));
                }
                groups.iter().for_each(|group| self.sign_presence(key, group, &method));
            }
            // One that publishes as well leaves once the event is stored.
            Some(Deed::Leave) if plan.draft.is_none() => {
                plan.groups.iter().for_each(|wanted| self.leave_asked(key, &wanted.group));
            }
            Some(Deed::Leave) | None => {}
        }
        self.publish_asked(key, ticket, plan.draft);
    }

    /// Publishes the event of a call, or ends the call if it has none.
    fn publish_asked(&mut self, key: Key, ticket: Ticket, draft: Option<Draft>) {
        let Some(draft) = draft else {
            return self.end_declared(key, ticket, Ok(Outcome::Value(Value::Null)));
        };
        let roles = self.roles(key);
        let Some(tab) = self.connections.get(key) else { return };
        let span = tab.calls.running().map_or_else(Span::none, |running| running.span.clone());
        let any_org = tab.hub.may_name_org(&roles).then(|| self.context.issuer_orgs.clone());
        let event =
            Box::new(Publish { hub: Arc::clone(&tab.hub.path), identity: tab.identity.clone(), any_org, draft, span });
        self.tasks.push_back(Task::Publish { key, ticket, event });
    }

    /// Takes the outcome of an event that a method published: its id, or why it was not stored.
    pub fn published(&mut self, key: Key, ticket: Ticket, outcome: Result<String, Refusal>) {
        self.look_after_joining();
        let left: Vec<GroupName> = match (self.judging(key, ticket), &outcome) {
            (Some(judging), Ok(_)) if judging.method.action.deed() == Some(Deed::Leave) => {
                judging.plan.iter().flat_map(|plan| &plan.groups).map(|wanted| wanted.group.clone()).collect()
            }
            _ => Vec::new(),
        };
        left.iter().for_each(|group| self.leave_asked(key, group));
        self.end_declared(key, ticket, outcome.map(|id| Outcome::Value(Value::from(id))));
    }

    /// The org of a group, if it is not the connection's own: only users who may name any org hear it.
    pub(super) fn foreign_org(&self, tab: &Tab, roles: &[String], org: Option<&Id>) -> Result<Option<Id>, Refusal> {
        // A public hub delivers nothing of any org, except what is for all.
        let (Some(org), Some(who)) = (org, &tab.identity) else { return Ok(None) };
        if who.belongs_to(org) {
            return Ok(None);
        }
        let may_hear = tab.hub.may_name_org(roles) && self.context.issuer_orgs.may_name(who.claims(), org.as_str());
        if may_hear { Ok(Some(org.clone())) } else { Err(Refusal::OtherOrg) }
    }

    /// Puts a connection into the groups that it asked for: all of them, or none. They are checked against the state
    /// right after. Groups that it is already in stay as they are.
    fn join_asked(&mut self, key: Key, ticket: Ticket, mut wanted: Vec<Wanted>) {
        let most = self.context.bounds.joined_groups();
        let roles = self.roles(key);
        let Some(tab) = self.connections.get(key) else { return };
        let joined = &tab.subscriptions.joined;
        let foreign = wanted.iter().try_for_each(|one| self.foreign_org(tab, &roles, one.org.as_ref()).map(|_| ()));
        let held: Vec<GroupName> = wanted.extract_if(.., |one| joined.holds(&one.group)).map(|one| one.group).collect();
        let refusal = match foreign {
            Err(refusal) => Some(refusal),
            Ok(()) if joined.len() + wanted.len() > most => Some(Refusal::TooMany(most)),
            Ok(()) => None,
        };
        if let Some(refusal) = refusal {
            return self.end_declared(key, ticket, Err(refusal));
        }
        let (is_live, path) = (tab.is_live(), Arc::clone(&tab.hub.path));
        if let Some(method) = self.judging(key, ticket).map(|judging| Arc::clone(&judging.method)) {
            held.iter().for_each(|group| self.sign_presence(key, group, &method));
        }
        if !is_live || wanted.is_empty() {
            return self.joined_all(key, ticket);
        }
        for one in &wanted {
            self.members.join(&path, &one.group, key, self.index, self.context.groups.interest());
        }
        self.looks.push_back(Look::Joined { key, ticket, wanted });
    }

    /// Adds a connection to groups that it has joined, and sends it what is retained there.
    pub(super) fn look_at_join(&mut self, key: Key, ticket: Ticket, wanted: &[Wanted]) {
        let mut let_in = Vec::with_capacity(wanted.len());
        let mut refused = None;
        for one in wanted {
            match self.let_in(key, ticket, one) {
                Some(Ok(joined)) => let_in.push(joined),
                Some(Err(error)) => {
                    refused = Some(error);
                    break;
                }
                None => {
                    refused = Some(NotJoined::NotGranted);
                    break;
                }
            }
        }
        if let Some(error) = refused {
            wanted.iter().for_each(|one| self.leave_unless_subscribed(key, &one.group));
            if let NotJoined::Refused(refused) = &error {
                self.close(key, refused.clone().into());
            }
            return self.end_declared(key, ticket, Err(refusal(error)));
        }
        for joined in let_in {
            let Some(tab) = self.connections.get_mut(key) else { return };
            let membership = joined.membership.clone();
            let was_in = tab.subscriptions.memberships.iter().any(|held| held.group == membership.group);
            let (recheck, method) = (joined.recheck.as_ref().map(|recheck| recheck.due), Arc::clone(&joined.method));
            tab.subscriptions.joined.add(joined);
            self.sign_presence(key, &membership.group, &method);
            if let Some(due) = recheck {
                self.schedule(key, due);
            }
            if let Some(judging) = self.judging(key, ticket) {
                judging.joined.push(membership.group.clone());
            }
            if !was_in {
                self.rejoined(key, &membership.group);
                self.told_anew(key, std::slice::from_ref(&membership));
            }
        }
        self.joined_all(key, ticket);
        self.pump(key);
    }

    /// The membership of a connection in a group, if it may be in it.
    fn let_in(&mut self, key: Key, ticket: Ticket, wanted: &Wanted) -> Option<Result<Joined, NotJoined>> {
        let judging = self.judging(key, ticket)?;
        let (method, met) = (Arc::clone(&judging.method), judging.met);
        let (asking, decided_at) = judging.decision(wanted.share);
        let asking = asking.cloned();
        let recheck = self.recheck(key, &method, asking);
        let tab = self.connections.get(key)?;
        let roles = self.roles(key);
        let Ok(org) = self.foreign_org(tab, &roles, wanted.org.as_ref()) else { return Some(Err(NotJoined::Roles)) };
        let keeps = |roles: &[String]| keeps(&method, met, org.as_ref(), &tab.hub, roles);
        let terms = Terms {
            allows_roles: &keeps,
            grant: method.authorization.grant.is_some(),
            decided_at: decided_at.as_ref(),
        };
        let admitted = self.context.groups.admit_joined(&tab.hub, tab.identity.as_ref(), wanted.group.clone(), terms);
        Some(admitted.map(|(mut membership, live_from)| {
            membership.granted.take_if(|_| !kept(Rule::GrantsOnResume));
            Joined { membership, live_from, method, met, org, recheck }
        }))
    }

    /// A call is in all groups that it asked for.
    fn joined_all(&mut self, key: Key, ticket: Ticket) {
        let draft = self.judging(key, ticket).and_then(|judging| judging.plan.as_ref()?.draft.clone());
        self.publish_asked(key, ticket, draft);
    }

    /// Takes connections out of a group that an event has withdrawn from their user.
    pub(super) fn withdraw(&mut self, access: &Access) {
        let members: Vec<Key> = self.members.of(&access.hub, &access.group).collect();
        for key in members {
            let tab = self.connections.get(key);
            if tab.and_then(|tab| tab.identity.as_ref()).is_some_and(|who| access.concerns(who)) {
                self.leave_where(key, Some("withdrawn"), |joined| joined.membership.group == access.group);
                // It may have been in it only by the grant.
                self.regroup(key);
            }
        }
    }

    /// Takes a connection out of a group that it asked for; its claims may keep it in.
    pub(super) fn leave_asked(&mut self, key: Key, group: &GroupName) {
        self.leave_where(key, None, |joined| joined.membership.group == *group);
    }

    /// Takes a connection out of the groups that an answer to this question let it into.
    pub(super) fn leave_allowed_by(&mut self, key: Key, asking: &Asking) {
        self.leave_where(key, Some("denied"), |joined| {
            joined.recheck.as_ref().is_some_and(|recheck| *recheck.asking == *asking)
        });
    }

    fn leave_where(&mut self, key: Key, reason: Option<&'static str>, is_left: impl Fn(&Joined) -> bool) {
        let Some(tab) = self.connections.get_mut(key) else { return };
        let span = tab.calls.running().map_or_else(Span::none, |running| running.span.clone());
        for left in tab.subscriptions.joined.remove(is_left) {
            let line = Line { group: Some(&left.membership.group), reason, ..Line::default() };
            self.say(key, &span, "left", &line);
            self.leave_unless_subscribed(key, &left.membership.group);
        }
    }

    /// Takes a connection out of a group, unless it has another claim to it.
    fn leave_unless_subscribed(&mut self, key: Key, group: &GroupName) {
        let Some(tab) = self.connections.get(key) else { return };
        if !tab.subscriptions.holds(group) {
            self.members.leave(&tab.hub.path, group, key, self.index, self.context.groups.interest());
        }
    }
}

/// Whether roles suffice for what a method has joined, in another org too.
pub(super) fn keeps(method: &Declared, met: Met, foreign: Option<&Id>, hub: &HubConfig, roles: &[String]) -> bool {
    method.allows_roles(met, roles) && (foreign.is_none() || hub.may_name_org(roles))
}

fn refusal(error: NotJoined) -> Refusal {
    match error {
        NotJoined::Refused(_) | NotJoined::Roles => Refusal::Unauthorized,
        NotJoined::NotGranted | NotJoined::Withdrawn => Refusal::Denied,
    }
}
