//! Sends a connection what is retained: as its link takes it, and before what came live meanwhile.

use std::collections::HashSet;
use std::sync::Arc;

use fanfare_broker::Position;

use super::{Core, Key};
use crate::connection::{Frame, Subscriptions};
use crate::projection::Retained;
use crate::route::Route;
use crate::rule::{Rule, kept};
use crate::vocabulary::name::GroupName;
use crate::vocabulary::{Membership, Place};

/// Retained values on their way to one tab.
#[derive(Debug)]
pub(super) struct Retaining {
    /// The position of the tab, so that none of them claims more than the tab was handed (rule 2.8).
    cursor: String,
    values: std::vec::IntoIter<Retained>,
}

impl Retaining {
    /// How many values wait.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }
}

impl Core {
    /// Sends what is retained for all groups of a connection that has caught up, except what a replay has sent.
    ///
    /// Values after the position from which the connection is live come live and are left out, except those that a new
    /// stream repeats or may repeat, and those that a group retained before the connection joined it.
    pub(super) fn tell_all_retained(&mut self, key: Key, told: &HashSet<Place>, entered: &[(GroupName, Position)]) {
        let Some(tab) = self.connections.get(key) else { return };
        let Subscriptions { memberships, joined, live_from: Some(live_from), .. } = &tab.subscriptions else { return };
        let (groups, who) = (&self.context.groups, tab.identity.as_ref());
        let all = memberships.iter().chain(joined.iter().map(|joined| &joined.membership)).map(|held| &held.group);
        let mut values = groups.retained(&tab.hub, who, all);
        values.extend(tab.subscriptions.foreign().flat_map(|(group, org)| groups.retained_of(&tab.hub, group, org)));
        values.retain(|value| {
            let is_of_this_log = value.incarnation == live_from.incarnation();
            value.is_repeated || !is_of_this_log || value.place.is_within(live_from)
        });
        for (group, position) in entered {
            let mut of_group = groups.retained(&tab.hub, who, std::iter::once(group));
            let mut foreign = tab.subscriptions.foreign().filter(|(joined, _)| *joined == group);
            of_group.extend(foreign.next().into_iter().flat_map(|(_, org)| groups.retained_of(&tab.hub, group, org)));
            values.extend(
                of_group
                    .into_iter()
                    .filter(|value| !value.place.is_within(live_from) && value.place.is_within(position)),
            );
        }
        // A value may be one of two groups; an event may be retained by two routes.
        let mut seen = HashSet::new();
        values.retain(|value| !told.contains(&value.place) && seen.insert(identity(value)));
        self.retain(key, values);
    }

    /// Sends what is retained for groups that a connection has just joined; if it catches up, it gets all of it then.
    pub(super) fn tell_retained(&mut self, key: Key, entered: &[Membership]) {
        let Some(tab) = self.connections.get(key).filter(|tab| !tab.is_catching_up()) else { return };
        let groups = entered.iter().map(|held| &held.group);
        let mut values = self.context.groups.retained(&tab.hub, tab.identity.as_ref(), groups);
        let foreign = tab.subscriptions.foreign().filter(|(group, _)| entered.iter().any(|held| held.group == **group));
        values.extend(foreign.flat_map(|(group, org)| self.context.groups.retained_of(&tab.hub, group, org)));
        self.retain(key, values);
    }

    fn retain(&mut self, key: Key, values: Vec<Retained>) {
        if values.is_empty() || !kept(Rule::RetainedTold) {
            return;
        }
        let position = self.position_of_retained(key);
        let Some(tab) = self.connections.get(key).filter(|tab| tab.ending.is_none()) else { return };
        let cursor = self.cursor(&tab.hub.path, &position, !tab.is_anchored);
        let Some(tab) = self.connections.get_mut(key) else { return };
        match &mut tab.flow().retained {
            Some(before) => {
                // What waits already comes once: a client may join and leave all the time.
                let waits: HashSet<_> = before.values.as_slice().iter().map(identity).collect();
                let new = values.into_iter().filter(|value| !waits.contains(&identity(value)));
                let all: Vec<Retained> = before.values.by_ref().chain(new).collect();
                // The earlier position: it claims less.
                before.values = all.into_iter();
            }
            none => *none = Some(Retaining { cursor, values: values.into_iter() }),
        }
    }

    fn position_of_retained(&self, key: Key) -> Position {
        let told = self.told_up_to(key);
        told.unwrap_or_else(|| self.context.groups.read(|known| Position::start(known.position().incarnation())))
    }

    /// Sends the next of them, if the connection is still in a group of it.
    pub(super) fn tell_next_retained(&mut self, key: Key) {
        let Some(tab) = self.connections.get_mut(key) else { return };
        let Some(flow) = &mut tab.flow else { return };
        let Some(value) = flow.retained.as_mut().and_then(|retaining| retaining.values.next()) else {
            flow.retained = None;
            return;
        };
        let Some(tab) = self.connections.get_mut(key).filter(|tab| tab.hears_retained(&value)) else { return };
        let Some(retaining) = tab.flow.as_ref().and_then(|flow| flow.retained.as_ref()) else { return };
        let frame = Frame::new(&value.route, &value.event, &retaining.cursor).wire(tab.form()).clone();
        tab.was_told = true;
        #[cfg(test)]
        self.observe_waited(key, &value.route.audience(&value.event));
        self.send_wire(key, frame, true);
    }
}

/// What makes two values the same: one event, by one route.
fn identity(value: &Retained) -> (Place, *const Route) {
    (value.place, Arc::as_ptr(&value.route))
}
