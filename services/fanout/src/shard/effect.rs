//! The effects of an event on open connections, besides its notification.

use std::sync::Arc;

use super::joining::keeps;
use super::opening::Look;
use super::{Core, Key};
use crate::connection::{CloseReason, ConnectionId};
use crate::groups::Refused;
use crate::projection::{ClosedOrg, Closing, ConnectionEffect};
use crate::rule::{Rule, kept};

impl Core {
    /// Applies to this shard's connections what an event changed.
    pub fn apply(&mut self, effect: &ConnectionEffect) {
        self.look_after_joining();
        self.handled += 1;
        match effect {
            ConnectionEffect::Withdrawn(access) if kept(Rule::WithdrawalFelt) => return self.withdraw(access),
            ConnectionEffect::Withdrawn(_) => return,
            ConnectionEffect::Renewed(from) => {
                for (_key, tab) in &mut self.connections {
                    tab.subscriptions.renew(from);
                    if let Some(flow) = &mut tab.flow {
                        flow.live.renew();
                    }
                    #[cfg(test)]
                    self.observed.push(super::Observed::Renewed(_key, from.clone()));
                }
                return;
            }
            ConnectionEffect::Closed(closing) => return self.close_for_operator(closing),
            ConnectionEffect::Granted(_) if !kept(Rule::GrantFelt) => return,
            ConnectionEffect::OrgClosed(_) if !kept(Rule::OrgCloseFelt) => return,
            ConnectionEffect::LoggedOut { .. }
            | ConnectionEffect::Roles(_)
            | ConnectionEffect::Granted(_)
            | ConnectionEffect::OrgClosed(_)
            | ConnectionEffect::Gap => {}
        }
        let keys: Vec<Key> = self.connections.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.apply_to(key, effect);
        }
    }

    fn close_for_operator(&mut self, closing: &Closing) {
        let keys: Vec<Key> = match &closing.connection {
            Some(id) => ConnectionId::parse(id).and_then(|id| self.by_id.get(&id).copied()).into_iter().collect(),
            None => self.connections.iter().map(|(key, _)| key).collect(),
        };
        for key in keys {
            if self.connections.get(key).is_some_and(|tab| closing.concerns(tab.identity.as_ref())) {
                self.close(key, CloseReason::ClosedByOperator);
            }
        }
    }

    fn apply_to(&mut self, key: Key, effect: &ConnectionEffect) {
        let Some(tab) = self.connections.get(key) else { return };
        let is_here = |hub: &Arc<str>| **hub == *tab.hub.path;
        match (effect, &tab.identity) {
            (ConnectionEffect::Gap, _) => self.close(key, CloseReason::LogGap),
            (ConnectionEffect::LoggedOut { .. }, Some(who)) if effect.ends(who) && kept(Rule::LogoutFelt) => {
                self.close(key, CloseReason::LoggedOut);
            }
            (ConnectionEffect::Granted(access), Some(who)) if is_here(&access.hub) && access.concerns(who) => {
                self.regroup(key);
            }
            (ConnectionEffect::OrgClosed(closed), Some(who)) if is_here(&closed.hub) && closed.concerns(who) => {
                self.close_for_org(key, closed);
            }
            (ConnectionEffect::Roles(change), Some(who)) if change.concerns(who) && kept(Rule::RolesFelt) => {
                self.regroup(key);
            }
            _ => {}
        }
    }

    /// Ends a connection whose org is closed, unless its user looks after all orgs. Decided by the roles only: a closed
    /// org for which there was no room is remembered nowhere else.
    fn close_for_org(&mut self, key: Key, closed: &ClosedOrg) {
        let roles = self.roles(key);
        if self.connections.get(key).is_some_and(|tab| !tab.hub.may_name_org(&roles)) {
            self.close(key, CloseReason::OrgClosed(Arc::clone(&closed.reason)));
        }
    }

    /// Joins and leaves groups so that the tab is in those that its roles and grants give it now.
    pub(super) fn regroup(&mut self, key: Key) {
        let Some(tab) = self.connections.get_mut(key) else { return };
        let Some(who) = &tab.identity else { return };
        // Looking into another org is a right that goes with the role, also for a tab that is open.
        let (names, wanted) = match self.context.groups.regroup(&tab.hub, who) {
            Ok(found) => found,
            // The connections that it closes are told of it by the event itself.
            Err(Refused::OrgClosed(_)) if !kept(Rule::OrgCloseFelt) => return,
            Err(refused) => return self.close(key, refused.into()),
        };
        if !tab.is_live() {
            return;
        }
        let hub = Arc::clone(&tab.hub);
        let moved = tab.subscriptions.regroup(wanted, |joined| {
            keeps(&joined.method, joined.met, joined.org.as_ref(), &hub, &names) || !kept(Rule::OtherOrgsLeft)
        });
        let (path, interest) = (&tab.hub.path, self.context.groups.interest());
        for group in &moved.left {
            self.members.leave(path, group, key, self.index, interest);
        }
        for new in &moved.entered {
            self.members.join(path, &new.group, key, self.index, interest);
        }
        self.looks.push_back(Look::Granted(key, moved.entered));
        // The pipeline waits for this, so no event falls between; the look is not left for later.
        self.look_after_joining();
    }
}
