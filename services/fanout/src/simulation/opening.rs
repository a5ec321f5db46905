//! A connection's beginning on a simulated shard, in the steps between which the pipeline may run.

use std::collections::BTreeSet;
use std::sync::Arc;

use fanfare_broker::Position;

use super::platform::platform;
use super::rule::Rule;
use super::shard::{ServerTab, SimulatedShard, View, form, push};
use crate::connection::{CloseReason, Connection, Frame, Identity, Joined};
use crate::groups::{Admission, Groups, Membership, Refused, Terms};
use crate::projection::{Retained, seal_cursor};
use crate::socket::shard::SendQueue;

/// A connect between its handshake and being let in: steps between which the pipeline may run.
pub(super) struct Opening {
    tab: usize,
    memberships: Vec<Membership>,
    cursor: Option<Position>,
    step: Step,
}

enum Step {
    Joining,
    Looking,
    /// With the rule broken that groups are announced first.
    JoiningLate(Result<Admission, Refused>),
}

impl SimulatedShard {
    /// The handshake of a connection is done.
    pub(super) fn open(&mut self, tab: usize, groups: &Groups, cursor: Option<Position>) {
        let identity = &self.tabs[&tab].identity;
        let memberships = groups.memberships(&platform().hub, Some(identity));
        self.opening = Some(Opening { tab, memberships, cursor, step: Step::Joining });
    }

    /// Goes on with an opening, which nothing else on this shard interrupts.
    pub(super) fn go_on_opening(&mut self, mut opening: Opening, view: View<'_>) {
        let key = opening.tab;
        // Dropped meanwhile: nothing of it is left.
        let Some(tab) = self.tabs.get_mut(&key) else { return };
        let look = |tab: &ServerTab| view.groups.admit(&platform().hub, Some(&tab.identity), &opening.memberships);
        opening.step = match opening.step {
            Step::Joining if !view.rules.keep(Rule::JoinBeforeLook) => Step::JoiningLate(look(tab)),
            Step::Joining => {
                tab.hearing.memberships.clone_from(&opening.memberships);
                self.announce(key, &opening.memberships, view.groups);
                Step::Looking
            }
            Step::Looking => {
                let admission = look(tab);
                return self.let_in(key, admission, opening.cursor, view);
            }
            Step::JoiningLate(admission) => {
                tab.hearing.memberships.clone_from(&opening.memberships);
                self.announce(key, &opening.memberships, view.groups);
                return self.let_in(key, admission, opening.cursor, view);
            }
        };
        self.opening = Some(opening);
    }

    fn announce(&mut self, key: usize, memberships: &[Membership], groups: &Groups) {
        for membership in memberships {
            self.members.join(&platform().hub.path, &membership.group, key, self.index, groups.interest());
        }
    }

    fn let_in(&mut self, key: usize, admission: Result<Admission, Refused>, cursor: Option<Position>, view: View<'_>) {
        let groups = view.groups;
        let Some(tab) = self.tabs.get_mut(&key) else { return };
        match admission {
            Ok(admission) => {
                tab.hearing.live_from = Some(admission.live_from.clone());
                match cursor {
                    Some(cursor) => {
                        tab.held = Some(SendQueue::default());
                        self.resume(key, &cursor, Some(admission), view);
                    }
                    None if !view.rules.keep(Rule::RetainedAtConnect) => {}
                    None => self.tell_retained(key, &admission.live_from, &admission.retained, &BTreeSet::new(), view),
                }
            }
            // As if nobody had looked.
            Err(Refused::LoggedOut) if !view.rules.keep(Rule::LookAfterJoining) => {
                tab.hearing.live_from = Some(groups.read(|known| known.position().clone()));
            }
            Err(Refused::LoggedOut) => self.close(key, CloseReason::LoggedOut, groups),
            Err(Refused::Forbidden) => self.close(key, CloseReason::Forbidden, groups),
        }
    }

    pub(super) fn tell_retained(
        &mut self,
        key: usize,
        at: &Position,
        retained: &[Retained],
        told: &BTreeSet<(u32, u64)>,
        view: View<'_>,
    ) {
        let Some(tab) = self.tabs.get_mut(&key) else { return };
        let cursor = view.groups.read(|known| seal_cursor(&platform().seal, known.told_as(at), known.times()));
        for value in retained.iter().filter(|value| !told.contains(&(value.place.partition, value.place.offset))) {
            let frame = Frame::new(&value.route, &value.event, &cursor);
            push(&mut tab.queue, frame.wire(form()).clone(), None, &mut self.most_waiting);
        }
    }

    /// Joins a list; whether it was let in.
    pub(super) fn join_list(&mut self, key: usize, list: &str, view: View<'_>) -> bool {
        let (platform, groups) = (platform(), view.groups);
        let Some(tab) = self.tabs.get_mut(&key) else { return false };
        let group = platform.list(list);
        if tab.hearing.live_from.is_none() || tab.hearing.joined.holds(&group) || tab.ended.is_some() {
            return false;
        }
        self.members.join(&platform.hub.path, &group, key, self.index, groups.interest());
        let terms = Terms { allows_roles: &|_| true, grant: true, decided_at: None };
        match groups.admit_joined(&platform.hub, Some(&tab.identity), group.clone(), terms) {
            Ok((mut membership, admission)) => {
                if !view.rules.keep(Rule::GrantsOnResume) {
                    membership.granted = None;
                }
                tab.joined_at.insert(membership.group.clone(), view.learnt);
                let method = Arc::clone(&platform.hub.methods[0]);
                tab.hearing.joined.add(Joined { membership, live_from: admission.live_from, method });
                true
            }
            Err(_) => {
                self.members.leave(&platform.hub.path, &group, key, self.index, groups.interest());
                false
            }
        }
    }

    /// Takes a new connection.
    pub(super) fn accept(&mut self, key: usize, identity: Identity, connection: Connection) {
        self.tabs.insert(key, ServerTab::new(identity, connection));
    }
}
