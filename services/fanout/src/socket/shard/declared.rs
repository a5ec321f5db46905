//! Carrying out the methods that the configuration declares.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use fanfare_signalr::Outcome;

use super::Shard;
use super::joined::Joined;
use super::tab::Tab;
use crate::connection::{Call, CloseReason};
use crate::groups::Membership;
use crate::groups::name::GroupName;
use crate::method::Declared;
use crate::method::declared::{Asked, Caller, Refusal};

impl Shard {
    /// Carries out a call and answers it.
    pub(super) async fn run_declared(self: &Rc<Self>, tab: &Rc<Tab>, method: &Arc<Declared>, call: Call) {
        let (target, id) = (call.target.clone(), call.id.clone());
        let outcome = match self.carry_out_declared(tab, method, call) {
            Ok(outcome) => outcome,
            Err(refusal) => Outcome::Error(refusal.text(&target).into()),
        };
        self.complete(tab, id.as_deref(), outcome);
    }

    fn carry_out_declared(
        self: &Rc<Self>,
        tab: &Rc<Tab>,
        method: &Arc<Declared>,
        call: Call,
    ) -> Result<Outcome<'static>, Refusal> {
        let roles = self.roles(tab);
        let caller = Caller { identity: tab.identity.as_ref(), roles: &roles };
        match method.check(caller, call.arguments)? {
            Asked::Join(group) => self.join_asked(tab, method, group).map(|()| Outcome::Void),
            Asked::Leave(group) => {
                self.leave_asked(tab, &group);
                Ok(Outcome::Void)
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
