//! Carrying out the methods that the configuration declares.

use std::sync::Arc;

use fanfare_broker::Position;
use fanfare_signalr::{Outcome, Value};

use super::calls::{Running, Work};
use super::opening::Look;
use super::{Authorize, Core, Key, Publish, Task, Ticket};
use crate::connection::{Call, CloseReason, Joined};
use crate::groups::{NotJoined, Terms};
use crate::method::declared::{Asked, Caller, Checked, Refusal};
use crate::method::{Answer, Declared};
use crate::projection::Access;
use crate::rule::{Rule, kept};
use crate::vocabulary::name::GroupName;

impl Core {
    /// Checks a call and begins it.
    pub(super) fn run_declared(&mut self, key: Key, ticket: Ticket, method: Arc<Declared>, call: Call) {
        let roles = self.roles(key);
        let Some(tab) = self.connections.get(key) else { return };
        let caller = Caller { identity: tab.identity.as_ref(), roles: &roles };
        let checked = method.check(caller, &tab.hub.path, call.arguments);
        let (id, target) = (call.id, call.target);
        let Checked { asked, url } = match checked {
            Ok(checked) => checked,
            Err(refusal) => {
                return self.refuse_declared(key, id.as_deref(), &target, &refusal);
            }
        };
        let question = url.and_then(|url| self.question(key, &method, url, &asked));
        self.begin_running(
            key,
            Running { ticket, id, target, work: Work::Declared { method, asked, decided_at: None } },
        );
        match question {
            Some(question) => self.tasks.push_back(Task::Authorize { key, ticket, question }),
            None => self.carry_out_declared(key, ticket),
        }
    }

    fn refuse_declared(&mut self, key: Key, id: Option<&str>, target: &str, refusal: &Refusal) {
        tracing::debug!(method = target, %refusal, "call refused");
        self.complete_running(key, id, Outcome::Error(refusal.text(target).into()));
    }

    /// Ends the declared call that runs.
    fn end_declared(&mut self, key: Key, ticket: Ticket, outcome: Result<Outcome<'static>, Refusal>) {
        let running = self.connections.get_mut(key).and_then(|tab| tab.calls.finish(ticket));
        let Some(Running { id, target, .. }) = running else { return };
        match outcome {
            Ok(outcome) => self.complete_running(key, id.as_deref(), outcome),
            Err(refusal) => self.refuse_declared(key, id.as_deref(), &target, &refusal),
        }
        self.start_next_call(key);
    }

    fn question(&self, key: Key, method: &Declared, url: String, asked: &Asked) -> Option<Authorize> {
        let question = method.authorization.authorizer.as_ref()?;
        let tab = self.connections.get(key)?;
        let asked = match (asked, &tab.identity) {
            (Asked::Join(group), Some(who)) => Some((who.clone(), group.clone())),
            _ => None,
        };
        Some(Authorize {
            authorizer: Arc::clone(&question.authorizer),
            url,
            now: self.context.groups.read(|known| known.position().clone()),
            hub: Arc::clone(&tab.hub.path),
            asked,
        })
    }

    /// Takes the platform's word. A refusal ends what an earlier call of the method joined. What it allowed counts as of
    /// the position before it was asked.
    pub fn authorized(&mut self, key: Key, ticket: Ticket, answer: Answer) {
        self.look_after_joining();
        self.context.metrics.authorizer_answered(answer.label());
        let roles = self.roles(key);
        let Some(tab) = self.connections.get_mut(key) else { return };
        let (is_live, running) = (tab.is_live(), tab.calls.running_mut().filter(|running| running.ticket == ticket));
        let Some(Running { work: Work::Declared { method, asked, decided_at }, .. }) = running else { return };
        let refusal = match answer {
            _ if !is_live => Refusal::Gone,
            // The roles that the call was checked with may be gone by now.
            Answer::Allowed(_) if !method.allows_roles(&roles) => Refusal::Unauthorized,
            Answer::Allowed(made_at) => {
                *decided_at = Some(made_at);
                return self.carry_out_declared(key, ticket);
            }
            Answer::Unknown => Refusal::Unchecked,
            Answer::Refused => {
                if let Asked::Join(group) = asked {
                    let group = group.clone();
                    self.leave_asked(key, &group);
                }
                Refusal::Denied
            }
        };
        self.end_declared(key, ticket, Err(refusal));
    }

    fn carry_out_declared(&mut self, key: Key, ticket: Ticket) {
        let Some(tab) = self.connections.get_mut(key) else { return };
        let running = tab.calls.running_mut().filter(|running| running.ticket == ticket);
        let Some(Running { work: Work::Declared { method, asked, decided_at }, .. }) = running else { return };
        match asked {
            Asked::Join(group) => {
                let (method, group, decided_at) = (Arc::clone(method), group.clone(), decided_at.take());
                self.join_asked(key, ticket, method, group, decided_at);
            }
            Asked::Leave(group) => {
                let group = group.clone();
                self.leave_asked(key, &group);
                self.end_declared(key, ticket, Ok(Outcome::Value(Value::Null)));
            }
            Asked::Publish(draft) => {
                let (hub, identity) = (Arc::clone(&tab.hub.path), tab.identity.clone());
                let event = Box::new(Publish { hub, identity, draft: draft.clone() });
                self.tasks.push_back(Task::Publish { key, ticket, event });
            }
        }
    }

    /// Takes what became of an event that a method published: its id, or why it was not stored.
    pub fn published(&mut self, key: Key, ticket: Ticket, outcome: Result<String, Refusal>) {
        self.look_after_joining();
        self.end_declared(key, ticket, outcome.map(|id| Outcome::Value(Value::from(id))));
    }

    /// The roles in force of a connection.
    fn roles(&self, key: Key) -> Vec<String> {
        let Some(who) = self.connections.get(key).and_then(|tab| tab.identity.as_ref()) else { return Vec::new() };
        let roles = self.context.groups.read(|known| known.roles_of(who.claims()));
        roles.into_iter().map(|(role, _)| role).collect()
    }

    /// Puts a connection into a group that it asked for; it is held against what is known right after. Once it is in,
    /// this changes nothing.
    fn join_asked(
        &mut self,
        key: Key,
        ticket: Ticket,
        method: Arc<Declared>,
        group: GroupName,
        decided_at: Option<Position>,
    ) {
        let most = self.context.joined_groups;
        let Some(tab) = self.connections.get(key) else { return };
        let joined = &tab.subscriptions.joined;
        if !tab.is_live() || joined.holds(&group) {
            self.sign_presence(key, &group, &method.name);
            return self.end_declared(key, ticket, Ok(Outcome::Value(Value::Null)));
        }
        if joined.len() >= most {
            return self.end_declared(key, ticket, Err(Refusal::TooMany(most)));
        }
        self.members.join(&tab.hub.path, &group, key, self.index, self.context.groups.interest());
        self.looks.push_back(Look::Joined { key, ticket, method, group, decided_at });
    }

    /// Lets a connection into a group that it has joined, and tells it what is retained there.
    pub(super) fn look_at_join(
        &mut self,
        key: Key,
        ticket: Ticket,
        method: &Arc<Declared>,
        group: GroupName,
        decided_at: Option<&Position>,
    ) {
        let Some(tab) = self.connections.get_mut(key) else { return };
        let allows_roles = |roles: &[String]| method.allows_roles(roles);
        let terms = Terms { allows_roles: &allows_roles, grant: method.authorization.grant.is_some(), decided_at };
        let admitted = self.context.groups.admit_joined(&tab.hub, tab.identity.as_ref(), group.clone(), terms);
        match admitted {
            Ok((mut membership, live_from)) => {
                membership.granted.take_if(|_| !kept(Rule::GrantsOnResume));
                let was_in = tab.subscriptions.memberships.iter().any(|held| held.group == group);
                let joined = Joined { membership: membership.clone(), live_from, method: Arc::clone(method) };
                tab.subscriptions.joined.add(joined);
                self.sign_presence(key, &group, &method.name);
                if !was_in {
                    self.rejoined(key, &group);
                    self.told_anew(key, std::slice::from_ref(&membership));
                }
                self.end_declared(key, ticket, Ok(Outcome::Value(Value::Null)));
                self.pump(key);
            }
            Err(error) => {
                self.leave_unless_held(key, &group);
                if matches!(error, NotJoined::Refused(_)) {
                    self.close(key, CloseReason::LoggedOut);
                }
                self.end_declared(key, ticket, Err(refusal(error)));
            }
        }
    }

    /// Takes connections out of a group that an event has withdrawn from their user.
    pub(super) fn withdraw(&mut self, access: &Access) {
        let members: Vec<Key> = self.members.of(&access.hub, &access.group).collect();
        for key in members {
            let tab = self.connections.get(key);
            if tab.and_then(|tab| tab.identity.as_ref()).is_some_and(|who| access.concerns(who)) {
                self.leave_asked(key, &access.group);
            }
        }
    }

    /// Takes a connection out of a group that it asked for; its claims may keep it in.
    fn leave_asked(&mut self, key: Key, group: &GroupName) {
        let Some(tab) = self.connections.get_mut(key) else { return };
        let left = tab.subscriptions.joined.remove(|joined| joined.membership.group == *group);
        if !left.is_empty() {
            self.leave_unless_held(key, group);
        }
    }

    /// Takes a connection out of a group, unless it has another claim to it.
    fn leave_unless_held(&mut self, key: Key, group: &GroupName) {
        let Some(tab) = self.connections.get(key) else { return };
        if !tab.subscriptions.holds(group) {
            self.members.leave(&tab.hub.path, group, key, self.index, self.context.groups.interest());
        }
    }
}

fn refusal(error: NotJoined) -> Refusal {
    match error {
        NotJoined::Refused(_) | NotJoined::Roles => Refusal::Unauthorized,
        NotJoined::NotGranted | NotJoined::Withdrawn => Refusal::Denied,
    }
}
