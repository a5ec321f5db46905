//! A shard of a node: the product's core, with links and replays that take small steps when chance says so.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::ErrorKind;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use fanfare_broker::Position;
use fanfare_e2e_tests::Random;
use fanfare_event::Id;
use fanfare_telemetry::metrics::{FanoutMetrics, Registry};
use fanfare_token::NameList;

use super::check::Told;
use super::judged::Judged;
use super::log::Log;
use super::platform::platform;
use super::replay::Reading;
use super::witness::Seen;
use crate::config::HubConfig;
use crate::connection::ConnectionId;
use crate::groups::{Delivery, Groups};
use crate::limit::ConnectionBounds;
use crate::method::Methods;
use crate::pipeline::{RecentRecords, Window};
use crate::projection::ConnectionEffect;
use crate::shard::{Context, Core, Key, LinkState, Opening, ReplayAnswer, SharedBounds, Task, Ticket};
use crate::vocabulary::Identity;
use crate::vocabulary::name::GroupName;

/// What a tab that does not read may leave waiting, in bytes of memory.
const QUEUE: usize = 2 << 10;

/// The most notifications of one resume.
const MOST_REPLAYED: usize = 25;

/// What a shard sees when it acts.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) log: &'a Log,
    pub(super) recent: &'a RecentRecords,
    pub(super) window: Window,
    pub(super) now: i64,
    /// How many records the node has learnt from.
    pub(super) learnt: usize,
}

/// What a shard has to do.
pub(super) enum ShardTask {
    Deliver(Arc<Delivery>, Arc<Seen>),
    Apply(Arc<ConnectionEffect>),
}

/// A connection's link: what is in its socket's buffers.
#[derive(Debug, Default)]
pub(super) struct Wire {
    /// What the server has written and the client has not read.
    pub(super) bytes: Vec<u8>,
    /// How many bytes fit.
    capacity: usize,
    /// Whether the server has shut it.
    pub(super) is_shut: bool,
}

/// One shard.
pub(super) struct SimulatedShard {
    pub(super) index: usize,
    pub(super) core: Core,
    groups: Arc<Groups>,
    inbox: VecDeque<ShardTask>,
    readings: BTreeMap<Ticket, (Key, Reading)>,
    /// Batches that the core has asked for.
    asked: VecDeque<(Key, Ticket)>,
    wires: BTreeMap<Key, Wire>,
    /// The connection of a tab that is looked into.
    pub(super) traced: Option<ConnectionId>,
    /// The keys of connections, which are used again.
    pub(super) keys: BTreeMap<ConnectionId, Key>,
    pub(super) judged: BTreeMap<Key, Judged>,
    /// The connections that were told something before they had said where they stand: also those that have ended, or have
    /// said so since.
    heard_unasked: BTreeSet<ConnectionId>,
    ticked: i64,
    pub(super) broken: Vec<String>,
    /// What replays told of lists.
    pub(super) told: Vec<Told>,
}

impl SimulatedShard {
    pub(super) fn new(index: usize, groups: Arc<Groups>) -> Self {
        let platform = platform();
        let methods = Methods::default();
        methods.declare(platform.hubs.iter().map(|hub| (&hub.path, &*hub.methods)));
        let context = Context {
            groups: Arc::clone(&groups),
            seal: platform.seal.clone(),
            bounds: Arc::new(SharedBounds::new(ConnectionBounds {
                queue_bytes: QUEUE,
                resume_notifications: MOST_REPLAYED,
                resume_bytes: 1 << 20,
                joined_groups: 100,
            })),
            shard_bytes: 10 * QUEUE,
            methods,
            presence: None,
            rates: Arc::default(),
            issuer_orgs: [("http://127.0.0.1:1".to_owned(), NameList::any())].into_iter().collect(),
            metrics: metrics(),
        };
        Self {
            index,
            core: Core::new(index, Arc::new(context), instant(BEGIN)),
            groups,
            inbox: VecDeque::new(),
            readings: BTreeMap::new(),
            asked: VecDeque::new(),
            wires: BTreeMap::new(),
            traced: None,
            keys: BTreeMap::new(),
            judged: BTreeMap::new(),
            heard_unasked: BTreeSet::new(),
            ticked: 0,
            broken: Vec::new(),
            told: Vec::new(),
        }
    }

    pub(super) fn send(&mut self, task: ShardTask) {
        self.groups.count_sent(self.index);
        self.inbox.push_back(task);
    }

    pub(super) fn waiting(&self) -> usize {
        self.inbox.len()
    }

    pub(super) fn is_applying(&self) -> bool {
        self.inbox.iter().any(|task| matches!(task, ShardTask::Apply(_)))
    }

    /// Whether a connection has joined groups and was not held against what is known.
    pub(super) fn is_opening(&self) -> bool {
        self.core.is_looking()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.inbox.is_empty() && self.asked.is_empty() && self.core.is_at_rest()
    }

    /// Whose connections are live.
    pub(super) fn live(&self) -> impl Iterator<Item = &Identity> {
        self.core.live().map(|(_, who, _)| who)
    }

    /// The same, with the groups that they are in without a call.
    pub(super) fn live_groups(&self) -> impl Iterator<Item = (&Identity, Vec<GroupName>)> {
        self.core.live().map(|(key, who, _)| (who, self.core.held(key)))
    }

    /// The groups that connections have joined for orgs that are not their own.
    pub(super) fn live_foreign(&self) -> impl Iterator<Item = (&Identity, Vec<(GroupName, Id, Position)>)> {
        self.core.live().map(|(key, who, _)| (who, self.core.foreign(key)))
    }

    /// The same of one connection.
    pub(super) fn foreign(&self, id: ConnectionId) -> Vec<(GroupName, Id, Position)> {
        self.keys.get(&id).map(|key| self.core.foreign(*key)).unwrap_or_default()
    }

    /// From where on a connection is live, once it has caught up.
    pub(super) fn live_from(&self, id: ConnectionId) -> Option<Position> {
        let key = *self.keys.get(&id)?;
        if self.core.is_catching_up(key) {
            return None;
        }
        self.core.live().find(|(known, ..)| *known == key).map(|(_, _, from)| from.clone())
    }

    /// Whether a replay of the URL has ended: complete or not, and from where on the connection is live.
    pub(super) fn take_resumed(&mut self, id: ConnectionId) -> Option<(bool, Position)> {
        self.judged.get_mut(self.keys.get(&id)?)?.resumed.take()
    }

    /// From where a connection goes on in a new stream, if it does since this was asked last.
    pub(super) fn take_renewed(&mut self, id: ConnectionId) -> Option<Position> {
        self.judged.get_mut(self.keys.get(&id)?)?.renewed.take()
    }

    /// Whether a connection was told something before it had said where it stands.
    pub(super) fn has_heard_unasked(&self, id: ConnectionId) -> bool {
        self.heard_unasked.contains(&id)
    }

    /// One step: a look that is due, a batch that was asked for, or a message of the inbox.
    pub(super) fn step(&mut self, view: View<'_>, random: &mut Random) {
        if self.core.is_looking() && random.chance(60) {
            return self.input(view, Core::look_after_joining);
        }
        if !self.asked.is_empty() && random.chance(40) {
            return self.read_on(view, random);
        }
        match self.inbox.pop_front() {
            Some(ShardTask::Deliver(delivery, seen)) => {
                self.input(view, |core| core.deliver(&delivery, view.now));
                self.verify_live(&delivery, &seen, view.window);
            }
            Some(ShardTask::Apply(effect)) => self.input(view, |core| core.apply(&effect)),
            None => self.input(view, Core::look_after_joining),
        }
    }

    /// Takes a new connection; its handshake comes with its first bytes.
    pub(super) fn accept(
        &mut self,
        view: View<'_>,
        identity: Identity,
        cursor: Option<String>,
        (id, hub): (ConnectionId, &Arc<HubConfig>),
        wire: usize,
    ) {
        let opening = Opening {
            trail: crate::connection::Trail::default(),
            id,
            token_expires: None,
            stateful: false,
            hub: Arc::clone(hub),
            identity: Some(identity.clone()),
            cursor,
            address: None,
            request: None,
        };
        let mut key = None;
        self.input(view, |core| key = core.open_web_socket(opening, view.now / 1000));
        let key = key.expect("a new id");
        self.wires.insert(key, Wire { capacity: wire, ..Wire::default() });
        self.judged.insert(key, Judged::new(identity, self.core.time()));
        self.keys.insert(id, key);
    }

    /// Another token for a connection; whether it goes on with that.
    pub(super) fn refresh(
        &mut self,
        (id, hub): (ConnectionId, &Arc<str>),
        identity: &Identity,
        view: View<'_>,
    ) -> bool {
        let Some(&key) = self.keys.get(&id) else { return false };
        let mut refreshed = false;
        self.input(view, |core| refreshed = core.refresh(id, hub, Some(identity.clone())).is_ok());
        if let (true, Some(judged)) = (refreshed, self.judged.get_mut(&key)) {
            judged.identity = identity.clone();
        }
        refreshed
    }

    /// Takes bytes of a client, as far as the core reads; what it does not take stays in the socket.
    pub(super) fn receive(&mut self, id: ConnectionId, bytes: &mut Vec<u8>, view: View<'_>) {
        let Some(&key) = self.keys.get(&id) else { return bytes.clear() };
        self.input(view, |_| {});
        let most = self.core.may_read(key).min(bytes.len());
        if most > 0 {
            let mut some: Vec<u8> = bytes.drain(..most).collect();
            let taken = some.clone();
            self.input(view, |core| core.receive_frames(key, &mut some));
            let now = self.core.time();
            if let Some(judged) = self.judged.get_mut(&key) {
                self.broken.extend(judged.took(&taken, now));
            }
        }
    }

    /// What the client reads: up to so many bytes.
    pub(super) fn read(&mut self, id: ConnectionId, most: usize, view: View<'_>) -> (Vec<u8>, bool) {
        let Some(&key) = self.keys.get(&id) else { return (Vec::new(), true) };
        let Some(wire) = self.wires.get_mut(&key) else { return (Vec::new(), true) };
        let count = most.min(wire.bytes.len());
        let bytes = wire.bytes.drain(..count).collect();
        let is_over = wire.is_shut && wire.bytes.is_empty();
        self.write(key);
        self.input(view, |_| {});
        (bytes, is_over)
    }

    /// The client's end of the link is gone.
    pub(super) fn hang_up(&mut self, id: ConnectionId, view: View<'_>) {
        let Some(&key) = self.keys.get(&id) else { return };
        self.input(view, |core| core.link_lost(key));
    }

    /// Gives the core an input, and does what it wants done at once.
    fn input(&mut self, view: View<'_>, act: impl FnOnce(&mut Core)) {
        self.core.advance(instant(view.now));
        // First, as what has been joined here is looked at by the next input and no earlier.
        self.core.fire();
        act(&mut self.core);
        if view.now - self.ticked >= 1_000 {
            self.ticked = view.now;
            self.core.tick(view.now / 1000);
        }
        self.heard_unasked.extend(self.core.heard_unasked());
        self.drain(view);
        self.heard_unasked.extend(self.core.heard_unasked());
        for (key, judged) in &mut self.judged {
            judged.note_groups(self.core.granted(*key), view.learnt);
        }
        self.observe();
        self.broken.extend(self.core.wrong());
    }

    fn drain(&mut self, view: View<'_>) {
        let mut dirty = Vec::new();
        loop {
            while let Some(task) = self.core.next_task() {
                self.start(task, view);
            }
            self.core.take_dirty(usize::MAX, &mut dirty);
            if dirty.is_empty() {
                return self.core.end_writing();
            }
            dirty.drain(..).for_each(|key| self.write(key));
        }
    }

    fn start(&mut self, task: Task, view: View<'_>) {
        match task {
            Task::Replay { key, ticket, after, until, orgs } => self.open(key, ticket, &after, until, orgs, view),
            Task::ReadOn { key, ticket } => self.asked.push_back((key, ticket)),
            Task::EndReplay(ticket) => {
                self.readings.remove(&ticket);
                self.asked.retain(|(_, asked)| *asked != ticket);
            }
            Task::Wake(key) => self.write(key),
            Task::Forgotten { key, id } => {
                self.keys.remove(&id);
                self.wires.remove(&key);
                self.judged.remove(&key);
            }
            Task::Pause(_) | Task::Drained(_) | Task::Ponged { .. } => {}
            other => self.broken.push(format!("no client of a run causes {other:?}")),
        }
    }

    fn open(&mut self, key: Key, ticket: Ticket, after: &Position, until: Position, orgs: Vec<Id>, view: View<'_>) {
        match Reading::open(after, until, orgs, view) {
            Ok(reading) => {
                self.readings.insert(ticket, (key, reading));
                self.asked.push_back((key, ticket));
            }
            Err(error) => self.core.replayed(key, ticket, ReplayAnswer::Failed(error)),
        }
    }

    fn read_on(&mut self, view: View<'_>, random: &mut Random) {
        let Some((key, ticket)) = self.asked.pop_front() else { return };
        let Some((_, reading)) = self.readings.get_mut(&ticket) else { return };
        let answer = reading.next(view, random);
        self.input(view, |core| core.replayed(key, ticket, answer));
    }

    /// Writes what waits for a link, as far as its buffer takes it.
    fn write(&mut self, key: Key) {
        let Some(wire) = self.wires.get_mut(&key) else { return };
        self.core.write(key, usize::MAX, |slices| {
            let first = slices.first().map_or(&[][..], |first| first);
            let room = wire.capacity.saturating_sub(wire.bytes.len()).min(first.len());
            if room == 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
            wire.bytes.extend_from_slice(&first[..room]);
            Ok(room)
        });
        match self.core.link_state(key) {
            LinkState::Over => self.core.forget(key),
            LinkState::Shut => wire.is_shut = true,
            LinkState::Open | LinkState::Lost => {}
        }
    }
}

/// When every run begins, in milliseconds.
pub(super) const BEGIN: i64 = 1_800_000_000_000;

/// The moment of a run's time.
pub(super) fn instant(now: i64) -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now) + Duration::from_millis((now - BEGIN).max(0).unsigned_abs())
}

fn metrics() -> Arc<FanoutMetrics> {
    static METRICS: OnceLock<Arc<FanoutMetrics>> = OnceLock::new();
    Arc::clone(METRICS.get_or_init(|| Arc::new(FanoutMetrics::new(&mut Registry::default()))))
}
