//! Carrying out the methods that the configuration declares.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use fanfare_signalr::{Outcome, Value};

use super::Shard;
use super::joined::Joined;
use super::tab::Tab;
use crate::connection::{Call, CloseReason};
use crate::groups::Membership;
use crate::groups::name::GroupName;
use crate::method::declared::{Asked, Caller, Checked, Refusal};
use crate::method::{Answer, Declared};

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
        if let Some(url) = url {
            self.ask_authorizer(tab, method, &url, &asked).await?;
        }
        match asked {
            Asked::Join(group) => self.join_asked(tab, method, group).map(|()| Outcome::Void),
            Asked::Leave(group) => {
                self.leave_asked(tab, &group);
                Ok(Outcome::Void)
            }
            Asked::Publish(draft) => Ok(Outcome::Value(Value::from(self.publish_asked(tab, draft).await?))),
        }
    }

    /// Waits for the platform's word. A refusal ends what an earlier call of the method joined.
    async fn ask_authorizer(&self, tab: &Tab, method: &Declared, url: &str, asked: &Asked) -> Result<(), Refusal> {
        let Some(question) = &method.authorization.authorizer else { return Ok(()) };
        let now = self.shared.groups.read(|known| known.position().clone());
        let answer = self.shared.authorizers.ask(&question.authorizer, url, now).await;
        if !tab.state.borrow().is_live() {
            return Err(Refusal::Gone);
        }
        match (answer, asked) {
            // The roles that the call was checked with may be gone by now.
            (Answer::Allowed(_), _) if !method.allows_roles(&self.roles(tab)) => Err(Refusal::Unauthorized),
            (Answer::Allowed(_), _) => Ok(()),
            (Answer::Unknown, _) => Err(Refusal::Unchecked),
            (Answer::Refused, asked) => {
                if let Asked::Join(group) = asked {
                    self.leave_asked(tab, group);
                }
                Err(Refusal::Denied)
            }
        }
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
    fn join_asked(self: &Rc<Self>, tab: &Rc<Tab>, method: &Arc<Declared>, group: GroupName) -> Result<(), Refusal> {
        {
            let state = tab.state.borrow();
            if !state.is_live() || state.joined.holds(&group) {
                return Ok(());
            }
            if state.joined.len() >= self.shared.joined_groups {
                return Err(Refusal::TooMany(self.shared.joined_groups));
            }
        }
        let membership = Membership { group, since: None };
        self.join(tab, &membership);
        let asked = std::slice::from_ref(&membership);
        let Ok(admission) = self.shared.groups.admit(&tab.hub, tab.identity.as_ref(), asked) else {
            self.unless_held(tab, &membership.group);
            self.close(tab, CloseReason::LoggedOut);
            return Err(Refusal::Unauthorized);
        };
        let known = {
            let mut state = tab.state.borrow_mut();
            let known = state.memberships.iter().any(|held| held.group == membership.group);
            let live_from = admission.live_from.clone();
            state.joined.add(Joined { membership, live_from, method: Arc::clone(method) });
            known
        };
        if !known {
            self.tell_retained(tab, &admission.live_from, &admission.retained, &Default::default());
            tab.flush(Instant::now());
        }
        Ok(())
    }

    /// Takes a connection out of a group that it asked for; its claims may keep it in.
    fn leave_asked(&self, tab: &Tab, group: &GroupName) {
        let left = tab.state.borrow_mut().joined.remove(|joined| joined.membership.group == *group);
        if !left.is_empty() {
            self.unless_held(tab, group);
        }
    }

    /// Takes a connection out of a group, unless it has another claim to it.
    pub(super) fn unless_held(&self, tab: &Tab, group: &GroupName) {
        let held = tab.state.borrow().holds(group);
        if !held {
            self.leave(tab, group);
        }
    }
}
