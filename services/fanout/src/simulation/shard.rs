//! A shard of a node: the server's half of the tabs, with the rules of the real one but without sockets.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::Bytes;
use fanfare_broker::Position;
use fanfare_signalr::Message;

use super::check::Told;
use super::log::Log;
use super::opening::Opening;
use super::platform::platform;
use super::replay::{Replaying, Resumed};
use super::witness::Witness;
use crate::connection::{CloseReason, Connection, Hearing, Identity, Joined, WireForm, may_hear};
use crate::groups::{Delivery, Groups, is_allowed, memberships};
use crate::pipeline::Window;
use crate::projection::{Consequence, Place};
use crate::socket::shard::{Members, SendQueue};

/// What a tab that does not read may leave waiting, in bytes.
const QUEUE: usize = 6 << 10;

/// What a shard sees when it acts.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) groups: &'a Groups,
    pub(super) log: &'a Log,
    pub(super) window: Window,
    pub(super) now: i64,
}

/// What a shard has to do.
pub(super) enum ShardTask {
    Deliver(Arc<Delivery>, Arc<Witness>),
    Apply(Arc<Consequence>),
}

/// One connection.
pub(super) struct ServerTab {
    pub(super) identity: Identity,
    pub(super) connection: Connection,
    pub(super) queue: SendQueue,
    pub(super) hearing: Hearing,
    pub(super) ended: Option<CloseReason>,
    /// The answer to a resume, for the client to take.
    pub(super) resumed: Option<Resumed>,
    pub(super) held: Option<SendQueue>,
    pub(super) replay: Option<Replaying>,
    pub(super) last_live: BTreeMap<(u64, u32), u64>,
}

/// What was pushed that must not have been.
pub(super) type Broken = Vec<String>;

/// One shard.
pub(super) struct SimulatedShard {
    pub(super) index: usize,
    inbox: VecDeque<ShardTask>,
    pub(super) tabs: BTreeMap<usize, ServerTab>,
    pub(super) members: Members,
    pub(super) opening: Option<Opening>,
    pub(super) broken: Broken,
    /// What replays told of lists.
    pub(super) told: Vec<Told>,
    /// The most bytes that ever waited for a tab.
    pub(super) most_waiting: usize,
}

impl SimulatedShard {
    pub(super) fn new(index: usize) -> Self {
        let (inbox, tabs, members) = (VecDeque::new(), BTreeMap::new(), Members::default());
        Self { index, inbox, tabs, members, opening: None, broken: Vec::new(), told: Vec::new(), most_waiting: 0 }
    }

    pub(super) fn send(&mut self, task: ShardTask) {
        self.inbox.push_back(task);
    }

    pub(super) fn waiting(&self) -> usize {
        self.inbox.len()
    }

    pub(super) fn is_applying(&self) -> bool {
        self.inbox.iter().any(|task| matches!(task, ShardTask::Apply(_)))
    }

    pub(super) fn is_opening(&self) -> bool {
        self.opening.is_some()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.inbox.is_empty() && self.opening.is_none() && self.tabs.values().all(|tab| tab.replay.is_none())
    }

    /// One step: of an opening, which nothing else on this shard interrupts, or of the inbox.
    pub(super) fn step(&mut self, view: View<'_>) {
        match self.opening.take() {
            Some(opening) => self.go_on_opening(opening, view),
            None => match self.inbox.pop_front() {
                Some(ShardTask::Deliver(delivery, witness)) => self.deliver(&delivery, &witness, view),
                Some(ShardTask::Apply(consequence)) => self.apply(&consequence, view),
                None => {}
            },
        }
    }

    fn deliver(&mut self, delivery: &Delivery, witness: &Witness, view: View<'_>) {
        let keys: BTreeSet<usize> =
            delivery.groups.iter().flat_map(|group| self.members.of(&delivery.hub, group)).collect();
        let mut slow = Vec::new();
        for key in keys {
            let Some(tab) = self.tabs.get_mut(&key) else { continue };
            if tab.ended.is_some() || delivery.ends.as_ref().is_some_and(|ends| !ends.ends(&tab.identity)) {
                continue;
            }
            if !may_hear(Some(&tab.identity), delivery.org.as_ref(), delivery.cross_org)
                || !tab.hearing.is_live_for(&delivery.groups, delivery.place)
            {
                continue;
            }
            tab.verify_order(witness.incarnation, delivery.place, &mut self.broken);
            if !delivery.groups.iter().any(|group| witness.allows(&tab.identity, group)) {
                let who = tab.identity.claims();
                self.broken.push(format!("{} of {:?} hears of {:?}", who.user, who.org, delivery.groups));
            }
            let frame = delivery.frame.wire(form()).clone();
            let queue = tab.held.as_mut().unwrap_or(&mut tab.queue);
            if queue.push(frame, delivery.conflation, QUEUE).is_err() {
                slow.push(key);
            }
            self.most_waiting = self.most_waiting.max(queue.len());
        }
        for key in slow {
            self.close(key, CloseReason::SlowConsumer, view.groups);
        }
    }

    /// Lets every connection go on in a new log.
    fn renew(&mut self, from: &Position, view: View<'_>) {
        let path = &platform().hub.path;
        for key in self.tabs.keys().copied().collect::<Vec<_>>() {
            let Some(tab) = self.tabs.get_mut(&key) else { continue };
            if tab.ended.is_some() {
                continue;
            }
            if view.groups.read(|known| known.refuses(tab.identity.claims())) {
                self.close(key, CloseReason::LoggedOut, view.groups);
                continue;
            }
            let who = &tab.identity;
            let gone = |joined: &Joined| {
                let group = &joined.membership.group;
                view.groups.read(|known| known.grants().withdrawn_since(path, who, group, &joined.live_from))
            };
            let lost = tab.hearing.joined.remove(gone);
            for joined in lost.iter().filter(|joined| !tab.hearing.holds(&joined.membership.group)) {
                self.members.leave(path, &joined.membership.group, key, self.index, view.groups.interest());
            }
            tab.hearing.renew(from);
            self.regroup(key, view);
        }
    }

    fn apply(&mut self, consequence: &Consequence, view: View<'_>) {
        let platform = platform();
        if let Consequence::Renewed(from) = consequence {
            return self.renew(from, view);
        }
        for key in self.tabs.keys().copied().collect::<Vec<_>>() {
            let Some(tab) = self.tabs.get_mut(&key) else { continue };
            let claims = Arc::clone(tab.identity.claims());
            match consequence {
                _ if tab.ended.is_some() => {}
                Consequence::LoggedOut { .. } if consequence.ends(&tab.identity) => {
                    self.close(key, CloseReason::LoggedOut, view.groups);
                }
                Consequence::Roles(change)
                    if claims.user == change.user && claims.org.as_ref() == Some(&change.org) =>
                {
                    self.regroup(key, view);
                }
                Consequence::Withdrawn(access) if access.concerns(&tab.identity) => {
                    let gone = |joined: &Joined| joined.membership.group == access.group;
                    if !tab.hearing.joined.remove(gone).is_empty() && !tab.hearing.holds(&access.group) {
                        let (path, index) = (&platform.hub.path, self.index);
                        self.members.leave(path, &access.group, key, index, view.groups.interest());
                    }
                }
                _ => {}
            }
        }
    }

    fn regroup(&mut self, key: usize, view: View<'_>) {
        let platform = platform();
        let Some(tab) = self.tabs.get_mut(&key) else { return };
        let roles = view.groups.read(|known| known.roles_of(tab.identity.claims()));
        if !is_allowed(&platform.hub, &tab.identity, &roles) {
            return self.close(key, CloseReason::Forbidden, view.groups);
        }
        if tab.hearing.live_from.is_none() {
            return;
        }
        let names: Vec<String> = roles.iter().map(|(role, _)| role.clone()).collect();
        let moved = tab.hearing.regroup(memberships(&platform.hub, &tab.identity, &roles), &names);
        for group in &moved.left {
            self.members.leave(&platform.hub.path, group, key, self.index, view.groups.interest());
        }
        for new in &moved.entered {
            self.members.join(&platform.hub.path, &new.group, key, self.index, view.groups.interest());
        }
        let admission = view.groups.admit(&platform.hub, Some(&self.tabs[&key].identity), &moved.entered);
        if let Ok(admission) = admission {
            self.tell_retained(key, &admission.live_from, &admission.retained, &BTreeSet::new());
        }
    }

    /// Ends a connection from the server's side; what waits for it may still be taken.
    pub(super) fn close(&mut self, key: usize, reason: CloseReason, groups: &Groups) {
        let Some(tab) = self.tabs.get_mut(&key) else { return };
        let bytes = reason.message().and_then(|message: Message<'_>| tab.connection.encode(&message));
        if let Some(bytes) = bytes {
            push(&mut tab.queue, Bytes::from(form().wrap(&bytes)), None, &mut self.most_waiting);
        }
        if reason == CloseReason::SlowConsumer {
            tab.queue.clear();
        }
        tab.ended.get_or_insert(reason);
        tab.replay = None;
        self.leave_all(key, groups);
    }

    fn leave_all(&mut self, key: usize, groups: &Groups) {
        let Some(tab) = self.tabs.get_mut(&key) else { return };
        let heard = std::mem::take(&mut tab.hearing);
        for group in heard.groups() {
            self.members.leave(&platform().hub.path, group, key, self.index, groups.interest());
        }
    }

    /// The socket is gone.
    pub(super) fn forget(&mut self, key: usize, groups: &Groups) {
        self.leave_all(key, groups);
        self.tabs.remove(&key);
    }
}

impl ServerTab {
    pub(super) fn is_replaying(&self) -> bool {
        self.replay.is_some()
    }

    fn verify_order(&mut self, incarnation: u64, place: Place, broken: &mut Broken) {
        let last = self.last_live.insert((incarnation, place.partition), place.offset);
        if last.is_some_and(|last| last > place.offset) {
            broken.push(format!("live notifications of partition {} went back to {}", place.partition, place.offset));
        }
    }
}

pub(super) fn form() -> WireForm {
    WireForm::Body(fanfare_signalr::Protocol::Json)
}

pub(super) fn push(queue: &mut SendQueue, frame: Bytes, conflation: Option<u64>, most: &mut usize) {
    // A replay waits for room, so it never fills a queue: the limit is of what comes live.
    let _ = queue.push(frame, conflation, usize::MAX);
    *most = (*most).max(queue.len());
}

/// The time that connections are given: none passes in a simulation.
pub(super) fn still() -> Instant {
    static STILL: OnceLock<Instant> = OnceLock::new();
    *STILL.get_or_init(Instant::now)
}
