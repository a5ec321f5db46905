//! Carrying out the methods that the configuration declares.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use fanfare_broker::Position;
use fanfare_signalr::{Outcome, Value};

use super::Shard;
use super::tab::Tab;
use crate::connection::{Call, CloseReason, Joined};
use crate::groups::name::GroupName;
use crate::groups::{NotJoined, Terms};
use crate::method::declared::{Asked, Caller, Checked, Refusal};
use crate::method::{Answer, Declared};
use crate::projection::Access;

impl Shard {
    /// Carries out a call and answers it.
    pub(super) async fn run_declared(self: &Rc<Self>, tab: &Rc<Tab>, method: &Arc<Declared>, call: Call) {
        let (target, id) = (call.target.clone(), call.id.clone());
        let outcome = match self.carry_out_declared(tab, method, call).await {
            Ok(outcome) => outcome,
            Err(refusal) => {
                tracing::debug!(connection = %tab.id, method = %method.name, %refusal, "call refused");
                Outcome::Error(refusal.text(&target).into())
            }
        };
        self.complete(tab, id.as_deref(), outcome);
    }

    async fn carry_out_declared(
        self: &Rc<Self>,
        tab: &Rc<Tab>,
        method: &Arc<Declared>,
        call: Call,
    ) -> Result<Outcome<'static>, Refusal> {
        let roles = self.roles(tab);
        let caller = Caller { identity: tab.identity.as_ref(), roles: &roles };
        let Checked { asked, url } = method.check(caller, &tab.hub.path, call.arguments)?;
        let decided_at = match url {
            Some(url) => self.ask_authorizer(tab, method, &url, &asked).await?,
            None => None,
        };
        match asked {
            Asked::Join(group) => {
                self.told(tab).await;
                self.join_asked(tab, method, group, decided_at.as_ref()).map(|()| Outcome::Value(Value::Null))
            }
            Asked::Leave(group) => {
                self.leave_asked(tab, &group);
                Ok(Outcome::Value(Value::Null))
            }
            Asked::Publish(draft) => Ok(Outcome::Value(Value::from(self.publish_asked(tab, draft).await?))),
        }
    }

    /// Waits for the platform's word. A refusal ends what an earlier call of the method joined.
    /// What it allowed counts as of the position before it was asked.
    async fn ask_authorizer(
        &self,
        tab: &Tab,
        method: &Declared,
        url: &str,
        asked: &Asked,
    ) -> Result<Option<Position>, Refusal> {
        let Some(question) = &method.authorization.authorizer else { return Ok(None) };
        let now = self.shared.groups.read(|known| known.position().clone());
        let still_good = |made_at: &Position| !self.is_withdrawn_since(tab, asked, made_at);
        let answer = self.shared.authorizers.ask(&question.authorizer, url, now, still_good).await;
        self.shared.metrics.authorizer_answered(answer.label());
        if !tab.state.borrow().is_live() {
            return Err(Refusal::Gone);
        }
        match (answer, asked) {
            // The roles that the call was checked with may be gone by now.
            (Answer::Allowed(_), _) if !method.allows_roles(&self.roles(tab)) => Err(Refusal::Unauthorized),
            (Answer::Allowed(made_at), _) => Ok(Some(made_at)),
            (Answer::Unknown, _) => Err(Refusal::Unchecked),
            (Answer::Refused, asked) => {
                if let Asked::Join(group) = asked {
                    self.leave_asked(tab, group);
                }
                Err(Refusal::Denied)
            }
        }
    }

    /// Whether an event has withdrawn what is asked for since a position.
    fn is_withdrawn_since(&self, tab: &Tab, asked: &Asked, made_at: &Position) -> bool {
        let (Asked::Join(group), Some(who)) = (asked, &tab.identity) else { return false };
        self.shared.groups.read(|known| known.grants().withdrawn_since(&tab.hub.path, who, group, made_at))
    }

    /// The roles in force of a connection.
    fn roles(&self, tab: &Tab) -> Vec<String> {
        let Some(who) = &tab.identity else { return Vec::new() };
        let roles = self.shared.groups.read(|known| known.roles_of(who.claims()));
        roles.into_iter().map(|(role, _)| role).collect()
    }

    /// Puts a connection into a group that it asked for and tells it what is retained there; once it is in, this
    /// changes nothing.
    ///
    /// Nothing here waits, so no delivery can come between joining and looking at what is known.
    fn join_asked(
        self: &Rc<Self>,
        tab: &Rc<Tab>,
        method: &Arc<Declared>,
        group: GroupName,
        decided_at: Option<&Position>,
    ) -> Result<(), Refusal> {
        if !self.may_join(tab, &group)? {
            return Ok(());
        }
        self.join(tab, &group);
        let allows_roles = |roles: &[String]| method.allows_roles(roles);
        let terms = Terms { allows_roles: &allows_roles, grant: method.authorization.grant.is_some(), decided_at };
        let admitted = self.shared.groups.admit_joined(&tab.hub, tab.identity.as_ref(), group.clone(), terms);
        let (membership, admission) = match admitted {
            Ok(admitted) => admitted,
            Err(error) => {
                self.unless_held(tab, &group);
                if matches!(error, NotJoined::Refused(_)) {
                    self.close(tab, CloseReason::LoggedOut);
                }
                return Err(refusal(error));
            }
        };
        let known = {
            let mut state = tab.state.borrow_mut();
            let live_from = admission.live_from.clone();
            state.hearing.joined.add(Joined { membership, live_from, method: Arc::clone(method) });
            state.hearing.memberships.iter().any(|held| held.group == group)
        };
        if !known {
            self.tell_retained(tab, admission);
            tab.flush(Instant::now());
        }
        Ok(())
    }

    /// Whether a connection may join another group; false if it is in this one or has ended.
    fn may_join(&self, tab: &Tab, group: &GroupName) -> Result<bool, Refusal> {
        let state = tab.state.borrow();
        if !state.is_live() || state.hearing.joined.holds(group) {
            return Ok(false);
        }
        let most = self.shared.joined_groups;
        if state.hearing.joined.len() < most { Ok(true) } else { Err(Refusal::TooMany(most)) }
    }

    /// Takes connections out of a group that an event has withdrawn from their user.
    pub(super) fn withdraw(&self, access: &Access) {
        let members: Vec<usize> = self.members.borrow().of(&access.hub, &access.group).collect();
        for tab in members.into_iter().filter_map(|key| self.tab(key)) {
            if tab.identity.as_ref().is_some_and(|who| access.concerns(who)) {
                self.leave_asked(&tab, &access.group);
            }
        }
    }

    /// Takes a connection out of a group that it asked for; its claims may keep it in.
    pub(super) fn leave_asked(&self, tab: &Tab, group: &GroupName) {
        let left = tab.state.borrow_mut().hearing.joined.remove(|joined| joined.membership.group == *group);
        if !left.is_empty() {
            self.unless_held(tab, group);
        }
    }

    /// Takes a connection out of a group, unless it has another claim to it.
    pub(super) fn unless_held(&self, tab: &Tab, group: &GroupName) {
        let held = tab.state.borrow().hearing.holds(group);
        if !held {
            self.leave(tab, group);
        }
    }
}

fn refusal(error: NotJoined) -> Refusal {
    match error {
        NotJoined::Refused(_) | NotJoined::Roles => Refusal::Unauthorized,
        NotJoined::NotGranted | NotJoined::Withdrawn => Refusal::Denied,
    }
}
