//! A shard of a node: the server's half of the tabs, with the rules of the real one but without sockets.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
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
use super::rule::{Rule, Rules};
use super::witness::Seen;
use crate::connection::{CloseReason, Connection, Hearing, Identity, Joined, WireForm, may_hear};
use crate::groups::name::GroupName;
use crate::groups::{Delivery, Groups, is_allowed, memberships};
use crate::pipeline::{Recent, Window};
use crate::projection::{Consequence, Place, seal_cursor};
use crate::socket::shard::{Members, SendQueue};

/// What a tab that does not read may leave waiting, in bytes.
const QUEUE: usize = 6 << 10;

/// What a shard sees when it acts.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) groups: &'a Groups,
    pub(super) log: &'a Log,
    pub(super) recent: &'a Recent,
    pub(super) window: Window,
    pub(super) now: i64,
    pub(super) rules: Rules,
    /// How many records the node has learnt from.
    pub(super) learnt: usize,
}

/// What a shard has to do.
pub(super) enum ShardTask {
    Deliver(Arc<Delivery>, Arc<Seen>),
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
    pub(super) asked: Option<Asked>,
    /// From where it goes on in a new stream, until the client has seen it.
    pub(super) renewed: Option<Position>,
    /// Up to where the node had told of everything when it closed this for a gap.
    pub(super) gap_at: Option<Position>,
    /// Of each list that it joined: how many records the node had learnt from then.
    pub(super) joined_at: HashMap<GroupName, usize>,
    last_live: BTreeMap<(u64, u32), u64>,
    /// When each notification that came live was stored, and how many records the node had folded then.
    heard: HashMap<String, (i64, usize)>,
}

/// An answer to `Cursor()` that waits for what was queued before it.
pub(super) struct Asked {
    cursor: String,
    after: u64,
}

/// What was pushed that must not have been.
pub(super) type Broken = Vec<String>;

/// One shard.
pub(super) struct SimulatedShard {
    pub(super) index: usize,
    inbox: VecDeque<ShardTask>,
    /// How much of its inbox it has handled.
    handled: u64,
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
        let (inbox, handled, tabs, members) = (VecDeque::new(), 0, BTreeMap::new(), Members::default());
        Self {
            index,
            inbox,
            handled,
            tabs,
            members,
            opening: None,
            broken: Vec::new(),
            told: Vec::new(),
            most_waiting: 0,
        }
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
            None => self.handle_next(view),
        }
    }

    fn handle_next(&mut self, view: View<'_>) {
        let next = if view.rules.keep(Rule::OrderKept) { self.inbox.pop_front() } else { self.inbox.pop_back() };
        match next {
            Some(ShardTask::Deliver(delivery, seen)) => self.deliver(&delivery, &seen, view),
            Some(ShardTask::Apply(consequence)) => self.apply(&consequence, view),
            None => return,
        }
        self.handled += 1;
    }

    /// `Cursor()`: what has been handed on, told once what waits before it was handled.
    pub(super) fn ask_cursor(&mut self, key: usize, groups: &Groups) {
        let (position, _) = groups.passed(self.index);
        let cursor = groups.read(|known| seal_cursor(&platform().seal, known.told_as(&position), known.times()));
        let after = self.handled + self.inbox.len() as u64;
        // A connection that has ended takes no calls any more.
        let may_ask = |tab: &&mut ServerTab| tab.asked.is_none() && tab.ended.is_none();
        if let Some(tab) = self.tabs.get_mut(&key).filter(may_ask) {
            tab.asked = Some(Asked { cursor, after });
        }
    }

    /// The answer, once it may be given.
    pub(super) fn answer_cursor(&mut self, key: usize, rules: Rules) -> Option<String> {
        let behind = |asked: &mut Asked| self.handled >= asked.after || !rules.keep(Rule::CursorBehindDeliveries);
        Some(self.tabs.get_mut(&key)?.asked.take_if(behind)?.cursor)
    }

    fn deliver(&mut self, delivery: &Delivery, seen: &Seen, view: View<'_>) {
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
            tab.verify_order(seen.incarnation, delivery.place, &mut self.broken);
            tab.verify_news(seen, delivery.place, view.window, &mut self.broken);
            if !delivery.groups.iter().any(|group| seen.known.allows(&tab.identity, group)) {
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

    fn apply(&mut self, consequence: &Consequence, view: View<'_>) {
        let platform = platform();
        if let Consequence::Renewed(from) = consequence {
            for tab in self.tabs.values_mut() {
                tab.hearing.renew(from);
                tab.renewed = Some(from.clone());
            }
            return;
        }
        for key in self.tabs.keys().copied().collect::<Vec<_>>() {
            let Some(tab) = self.tabs.get_mut(&key) else { continue };
            let claims = Arc::clone(tab.identity.claims());
            match consequence {
                _ if tab.ended.is_some() || !is_felt(consequence, view.rules) => {}
                Consequence::Gap => {
                    tab.gap_at = Some(view.groups.passed(self.index).0);
                    self.close(key, CloseReason::LogGap, view.groups);
                }
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
            self.tell_retained(key, &admission.live_from, &admission.retained, &BTreeSet::new(), view);
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
    pub(super) fn new(identity: Identity, connection: Connection) -> Self {
        Self {
            identity,
            connection,
            queue: SendQueue::default(),
            hearing: Hearing::default(),
            ended: None,
            resumed: None,
            held: None,
            replay: None,
            renewed: None,
            gap_at: None,
            asked: None,
            joined_at: HashMap::new(),
            last_live: BTreeMap::new(),
            heard: HashMap::new(),
        }
    }

    pub(super) fn is_replaying(&self) -> bool {
        self.replay.is_some()
    }

    fn verify_order(&mut self, incarnation: u64, place: Place, broken: &mut Broken) {
        let last = self.last_live.insert((incarnation, place.partition), place.offset);
        if last.is_some_and(|last| last > place.offset) {
            broken.push(format!("live notifications of partition {} went back to {}", place.partition, place.offset));
        }
    }

    /// What comes twice within the window is told once.
    fn verify_news(&mut self, seen: &Seen, place: Place, window: Window, broken: &mut Broken) {
        let Some((time, folded)) = self.heard.insert(seen.notification.clone(), (place.time, seen.folded)) else {
            return;
        };
        // Clocks of partitions differ by less than a second.
        let recent = place.time + 1_000 - time < window.age.as_millis() as i64;
        if recent && ((seen.folded - folded) as u64) < window.records {
            broken.push(format!("what is told live at {place:?} was told before"));
        }
    }
}

/// Whether a run's rules let shards feel this at all.
fn is_felt(consequence: &Consequence, rules: Rules) -> bool {
    match consequence {
        Consequence::LoggedOut { .. } => rules.keep(Rule::LogoutFelt),
        Consequence::Withdrawn(_) => rules.keep(Rule::WithdrawalFelt),
        Consequence::Roles(_) => rules.keep(Rule::RolesFelt),
        Consequence::Renewed(_) | Consequence::Gap => true,
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
