//! A connection's beginning on a simulated shard, in the steps between which the pipeline may run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fanfare_broker::Position;

use super::platform::platform;
use super::shard::{ServerTab, SimulatedShard, View, form, push};
use crate::connection::{CloseReason, Connection, Frame, Hearing, Identity, Joined};
use crate::groups::{Groups, Membership, Refused, Terms};
use crate::projection::{ReadTimes, Retained, seal_cursor};
use crate::socket::shard::SendQueue;

/// The steps between a handshake and being let in, in which the pipeline may run.
pub(super) enum Opening {
    Joining { tab: usize, memberships: Vec<Membership>, cursor: Option<Position> },
    Joined { tab: usize, memberships: Vec<Membership>, cursor: Option<Position> },
}

impl SimulatedShard {
    /// Goes on with an opening, which nothing else on this shard interrupts.
    pub(super) fn go_on_opening(&mut self, opening: Opening, view: View<'_>) {
        match opening {
            Opening::Joining { tab, memberships, cursor } => {
                for membership in &memberships {
                    self.members.join(&platform().hub.path, &membership.group, tab, self.index, view.groups.interest());
                }
                self.opening = Some(Opening::Joined { tab, memberships, cursor });
            }
            Opening::Joined { tab, memberships, cursor } => {
                self.let_in(tab, memberships, cursor, view);
            }
        }
    }

    /// The handshake of a connection is done.
    pub(super) fn open(&mut self, tab: usize, groups: &Groups, cursor: Option<Position>) {
        let identity = &self.tabs[&tab].identity;
        let memberships = groups.memberships(&platform().hub, Some(identity));
        self.opening = Some(Opening::Joining { tab, memberships, cursor });
    }

    fn let_in(&mut self, key: usize, memberships: Vec<Membership>, cursor: Option<Position>, view: View<'_>) {
        let groups = view.groups;
        let Some(tab) = self.tabs.get_mut(&key) else {
            // Dropped meanwhile: it leaves what it was about to join.
            for membership in &memberships {
                self.members.leave(&platform().hub.path, &membership.group, key, self.index, groups.interest());
            }
            return;
        };
        let admission = groups.admit(&platform().hub, Some(&tab.identity), &memberships);
        tab.hearing.memberships = memberships;
        match admission {
            Ok(admission) => {
                tab.hearing.live_from = Some(admission.live_from.clone());
                match cursor {
                    Some(cursor) => {
                        tab.held = Some(SendQueue::default());
                        self.resume(key, &cursor, Some(admission), view);
                    }
                    None => self.tell_retained(key, &admission.live_from, &admission.retained, &BTreeSet::new()),
                }
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
    ) {
        let Some(tab) = self.tabs.get_mut(&key) else { return };
        let cursor = seal_cursor(&platform().seal, at, &ReadTimes::default());
        for value in retained.iter().filter(|value| !told.contains(&(value.place.partition, value.place.offset))) {
            let frame = Frame::new(&value.route, &value.event, &cursor);
            push(&mut tab.queue, frame.wire(form()).clone(), None, &mut self.most_waiting);
        }
    }

    /// Joins a list; whether it was let in.
    pub(super) fn join_list(&mut self, key: usize, list: &str, groups: &Groups) -> bool {
        let platform = platform();
        let Some(tab) = self.tabs.get_mut(&key) else { return false };
        let group = platform.list(list);
        if tab.hearing.live_from.is_none() || tab.hearing.joined.holds(&group) || tab.ended.is_some() {
            return false;
        }
        self.members.join(&platform.hub.path, &group, key, self.index, groups.interest());
        let terms = Terms { allows_roles: &|_| true, grant: true, decided_at: None };
        match groups.admit_joined(&platform.hub, Some(&tab.identity), group.clone(), terms) {
            Ok((membership, admission)) => {
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
        let (queue, hearing, last_live) = (SendQueue::default(), Hearing::default(), BTreeMap::new());
        let tab = ServerTab {
            identity,
            connection,
            queue,
            hearing,
            ended: None,
            resumed: None,
            held: None,
            replay: None,
            last_live,
        };
        self.tabs.insert(key, tab);
    }
}
