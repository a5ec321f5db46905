//! What an event does to open connections, beyond its notification.

use std::sync::Arc;

use super::joining::keeps;
use super::opening::Look;
use super::{Core, Key};
use crate::connection::{CloseReason, ConnectionId};
use crate::groups::{is_allowed, memberships};
use crate::projection::{Closing, Consequence};
use crate::rule::{Rule, kept};

impl Core {
    /// Makes this shard's connections feel what an event changed.
    pub fn apply(&mut self, effect: &Consequence) {
        self.look_after_joining();
        self.handled += 1;
        match effect {
            Consequence::Withdrawn(access) if kept(Rule::WithdrawalFelt) => return self.withdraw(access),
            Consequence::Withdrawn(_) => return,
            Consequence::Renewed(from) => {
                for (_key, tab) in &mut self.connections {
                    tab.subscriptions.renew(from);
                    #[cfg(test)]
                    self.observed.push(super::Observed::Renewed(_key, from.clone()));
                }
                return;
            }
            Consequence::Closed(closing) => return self.close_for_operator(closing),
            Consequence::LoggedOut { .. } | Consequence::Roles(_) | Consequence::Gap => {}
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

    fn apply_to(&mut self, key: Key, effect: &Consequence) {
        let Some(tab) = self.connections.get(key) else { return };
        match (effect, &tab.identity) {
            (Consequence::Gap, _) => self.close(key, CloseReason::LogGap),
            (Consequence::LoggedOut { .. }, Some(who)) if effect.ends(who) && kept(Rule::LogoutFelt) => {
                self.close(key, CloseReason::LoggedOut);
            }
            (Consequence::Roles(change), Some(who)) if change.concerns(who) && kept(Rule::RolesFelt) => {
                self.regroup(key);
            }
            _ => {}
        }
    }

    /// Joins and leaves groups so that the tab is in those that its roles give it now.
    pub(super) fn regroup(&mut self, key: Key) {
        let Some(tab) = self.connections.get_mut(key) else { return };
        let Some(who) = &tab.identity else { return };
        let roles = self.context.groups.read(|known| known.roles_of(who.claims()));
        // Looking into another org is a right that goes with the role, also for a tab that is open.
        if !is_allowed(&tab.hub, who, &roles) {
            return self.close(key, CloseReason::Forbidden);
        }
        let names: Vec<String> = roles.iter().map(|(role, _)| role.clone()).collect();
        let wanted = memberships(&tab.hub, who, &roles);
        if !tab.is_live() {
            return;
        }
        let hub = Arc::clone(&tab.hub);
        let moved = tab
            .subscriptions
            .regroup(wanted, |joined| keeps(&joined.method, joined.met, joined.org.as_ref(), &hub, &names));
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
