//! One shard, step by step, for what chance meets too seldom: the product's intake before its core, and behind it tabs
//! that speak the hub protocol over links which take as much as a test says.

mod calls;
mod floods;
mod leaving;
mod refreshes;
mod resumes;
mod round_trips;
mod slowest;
mod stalls;
mod timeline;
mod wire;

use std::collections::{BTreeMap, VecDeque};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fanfare_broker::{Position, Record};
use fanfare_telemetry::metrics::{FanoutMetrics, Registry as MetricsRegistry, encode};
use serde_json::{Value, json};

use super::{Context, Core, Key, LinkState, Opening, PingNumber, ReplayAnswer, SharedBounds, Task, Ticket};
use crate::config::{Config, HubConfig};
use crate::connection::{ConnectionId, Trail};
use crate::document::Source;
use crate::groups::Groups;
use crate::limit::ConnectionBounds;
use crate::method::Methods;
use crate::pipeline::follower::Mode;
use crate::pipeline::intake::{Effect, Intake};
use crate::pipeline::replay::filter::Extent;
use crate::pipeline::replay::state::{Next, ReplayState};
use crate::pipeline::throttle::Throttles;
use crate::pipeline::{RecentRecords, Written};
use crate::projection::Projection;
use crate::scene::{BOUNDS, Scene, claims};
use crate::seal::Seal;
use crate::vocabulary::Identity;
use wire::{frame, next_frame};

/// When a test begins, in seconds since the epoch; tokens live for an hour from 1 on.
const UNIX: i64 = 10;

/// What one shard may take.
pub(super) struct Limits {
    pub(super) queue_bytes: usize,
    pub(super) resume_notifications: usize,
    pub(super) resume_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { queue_bytes: 64 << 10, resume_notifications: 1_000, resume_bytes: 1 << 20 }
    }
}

/// A tab's link.
#[derive(Default)]
struct Link {
    /// What it has taken and the tab has not read.
    bytes: Vec<u8>,
    /// How many bytes more it takes.
    room: usize,
}

/// A node with one shard, and what drives it.
pub(super) struct OneShard {
    pub(super) core: Core,
    groups: Arc<Groups>,
    scene: Scene,
    hub: Arc<HubConfig>,
    seal: Seal,
    recent: RecentRecords,
    throttles: Mutex<Throttles>,
    metrics: MetricsRegistry,
    now: Instant,
    unix: i64,
    links: BTreeMap<Key, Link>,
    opened: u64,
    replays: BTreeMap<Ticket, ReplayState>,
    /// Batches that the core has asked for, while they are not answered.
    pub(super) asked: VecDeque<(Key, Ticket)>,
    /// Whether what is asked for waits for the test.
    pub(super) answers_by_hand: bool,
    /// Replays that let others read the broker.
    pub(super) paused: Vec<Ticket>,
    /// The pings that were answered, and how long that took.
    pub(super) ponged: Vec<(PingNumber, Duration)>,
}

/// A user of acme with these roles.
pub(super) fn user(name: &str, roles: &[&str]) -> Identity {
    Identity::new(Arc::new(claims(name, "acme", roles, "s", 1)), None, |_| false).expect("the own org")
}

/// What was heard of notifications: the titles of toasts, in order.
pub(super) fn titles(heard: &[Value]) -> Vec<String> {
    let title = |message: &Value| message["arguments"][0]["title"].as_str().map(str::to_owned);
    heard.iter().filter_map(title).collect()
}

/// The answer to a call; nothing if there is none.
pub(super) fn answer<'h>(heard: &'h [Value], id: &str) -> &'h Value {
    const NONE: &Value = &Value::Null;
    heard.iter().find(|message| message["type"] == 3 && message["invocationId"] == id).unwrap_or(NONE)
}

/// Why the server closed the connection, if it said so.
pub(super) fn closed(heard: &[Value]) -> Option<&str> {
    heard.iter().find(|message| message["type"] == 7).map(|close| close["error"].as_str().unwrap_or_default())
}

impl OneShard {
    pub(super) fn new(limits: &Limits) -> Self {
        Self::with(limits, "")
    }

    /// The same with more in the demo's configuration.
    pub(super) fn with(limits: &Limits, more: &str) -> Self {
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo");
        let text = std::fs::read_to_string(demo.join("fanfare.toml")).expect("the demo's config");
        let mut source = Source { path: demo.join("fanfare.toml"), text };
        source.text.push_str(more);
        let hub = Config::parse(&source).expect("the demo's config is sound").hubs.swap_remove(0);
        let (groups, recent) = (Projection::new(Position::start(1), &BOUNDS), RecentRecords::new(1 << 20));
        recent.begin(&Position::start(1));
        // As many as there are shards: what a user has here is taken to be there on each.
        let groups = Arc::new(Groups::new(groups, vec![tokio::sync::mpsc::channel(1).0]));
        let methods = Methods::default();
        methods.declare(std::iter::once((&hub.path, &*hub.methods)));
        let (seal, mut metrics) = (Seal::new(b"secret", &[]), MetricsRegistry::default());
        let context = Context {
            groups: Arc::clone(&groups),
            seal: seal.clone(),
            bounds: Arc::new(SharedBounds::new(ConnectionBounds {
                queue_bytes: limits.queue_bytes,
                resume_notifications: limits.resume_notifications,
                resume_bytes: limits.resume_bytes,
                joined_groups: 100,
            })),
            shard_bytes: 1 << 24,
            methods,
            presence: None,
            rates: Arc::default(),
            issuer_orgs: [].into_iter().collect(),
            metrics: Arc::new(FanoutMetrics::new(&mut metrics)),
        };
        let now = Instant::now();
        Self {
            core: Core::new(0, Arc::new(context), now),
            groups,
            scene: Scene::demo(),
            hub: Arc::new(hub),
            seal,
            recent,
            throttles: Mutex::default(),
            metrics,
            now,
            unix: UNIX,
            links: BTreeMap::new(),
            opened: 0,
            replays: BTreeMap::new(),
            asked: VecDeque::new(),
            answers_by_hand: false,
            paused: Vec::new(),
            ponged: Vec::new(),
        }
    }

    /// An event is published and read, and all that follows from it is carried out.
    pub(super) fn publish(&mut self, event_type: &str, body: &Value) {
        let record: Arc<Record> = Arc::new(self.scene.event_at(2_000, event_type, &body.to_string()));
        let (routes, groups) = (Arc::clone(&self.scene.routes), Arc::clone(&self.groups));
        let intake = Intake {
            routes: &routes,
            groups: &groups,
            recent: &self.recent,
            seal: &self.seal,
            event_bytes: BOUNDS.event_bytes,
            throttles: &self.throttles,
            now: self.now,
        };
        let taken = intake.take(&record, &Written::Own, Mode::Live);
        assert!(taken.letter.is_none(), "{:?}", taken.letter);
        let mut effects = taken.effects;
        while let Some(effect) = effects.next(intake) {
            match effect {
                Effect::Apply(effect) => {
                    self.groups.count_sent(0);
                    self.core.apply(&effect);
                }
                Effect::Notify { delivery: Some((delivery, _)), .. } => {
                    self.groups.count_sent(0);
                    self.core.deliver(&delivery, 2_000);
                }
                Effect::Notify { delivery: None, .. } => {}
            }
        }
        self.settle();
    }

    /// An alert to all of acme.
    pub(super) fn alert(&mut self, title: &str) {
        self.publish("system.Alert", &json!({ "org": "acme", "title": title, "message": "m" }));
    }

    /// A flag of acme, which is retained.
    pub(super) fn turn_on(&mut self, flag: &str) {
        let toggled = json!({ "org": "acme", "flag": flag, "enabled": true, "revision": 1 });
        self.publish("license.FlagToggled", &toggled);
    }

    /// A tab that has shaken hands and has not said where it stands, with a link that takes everything.
    pub(super) fn open(&mut self, identity: Identity, cursor: Option<&str>) -> Key {
        self.opened += 1;
        let opening = Opening {
            id: ConnectionId::from_random(u128::from(self.opened)),
            token_expires: None,
            stateful: false,
            hub: Arc::clone(&self.hub),
            identity: Some(identity),
            trail: Trail::default(),
            cursor: cursor.map(str::to_owned),
            address: None,
            request: None,
        };
        let key = self.core.open_web_socket(opening, self.unix).expect("a new id");
        self.links.insert(key, Link { room: usize::MAX, ..Link::default() });
        self.say(key, &json!({ "protocol": "json", "version": 1 }));
        key
    }

    pub(super) fn say(&mut self, tab: Key, message: &Value) {
        self.send(tab, frame(0x81, format!("{message}\u{1e}").as_bytes()));
    }

    pub(super) fn send(&mut self, tab: Key, mut bytes: Vec<u8>) {
        self.core.receive_frames(tab, &mut bytes);
        self.settle();
    }

    pub(super) fn call(&mut self, tab: Key, id: &str, target: &str, arguments: &Value) {
        self.say(tab, &json!({ "type": 1, "invocationId": id, "target": target, "arguments": arguments }));
    }

    /// Where a tab is that has heard everything up to now.
    pub(super) fn cursor(&mut self) -> String {
        let tab = self.open(user("carol", &[]), None);
        self.call(tab, "where", "Cursor", &json!([]));
        let heard = self.hear(tab);
        self.core.link_lost(tab);
        self.settle();
        answer(&heard, "where")["result"].as_str().expect("a cursor").to_owned()
    }

    /// The tab's link takes so many bytes more.
    pub(super) fn set_room(&mut self, tab: Key, room: usize) {
        self.links.get_mut(&tab).expect("a link").room = room;
        self.write(tab);
        self.settle();
    }

    /// All messages that the tab's link has taken since this was asked last.
    pub(super) fn hear(&mut self, tab: Key) -> Vec<Value> {
        let mut heard = Vec::new();
        for (kind, payload) in self.frames(tab) {
            let texts = payload.split(|byte| *byte == 0x1e).filter(|text| kind == 1 && !text.is_empty());
            heard.extend(texts.map(|text| serde_json::from_slice::<Value>(text).expect("JSON")));
        }
        heard
    }

    /// The same as frames: what kind each is, and what is in it.
    pub(super) fn frames(&mut self, tab: Key) -> Vec<(u8, Vec<u8>)> {
        let link = self.links.get_mut(&tab);
        link.map(|link| std::iter::from_fn(|| next_frame(&mut link.bytes)).collect()).unwrap_or_default()
    }

    /// Lets time pass, a quarter of a second at a time.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += Duration::from_millis(250);
            self.core.advance(self.now);
            self.core.fire();
            self.core.tick(self.unix);
            self.settle();
        }
    }

    /// Answers the batch that was asked for first, with this.
    pub(super) fn answer_with(&mut self, answer: ReplayAnswer) {
        let (key, ticket) = self.asked.pop_front().expect("a batch that was asked for");
        self.core.replayed(key, ticket, answer);
        self.settle();
    }

    /// The value of a metric.
    pub(super) fn metric(&self, name: &str) -> String {
        let text = encode(&self.metrics);
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.rsplit(' ').next().unwrap_or_default().to_owned()
    }

    /// Does all that can be done without time.
    pub(super) fn settle(&mut self) {
        self.core.look_after_joining();
        let mut dirty = Vec::new();
        loop {
            while let Some(task) = self.core.next_task() {
                self.start(task);
            }
            self.core.take_dirty(usize::MAX, &mut dirty);
            if dirty.is_empty() {
                self.core.end_writing();
                if self.answers_by_hand || self.asked.is_empty() {
                    return;
                }
                self.answer_next();
            }
            dirty.drain(..).for_each(|key| self.write(key));
        }
    }

    fn start(&mut self, task: Task) {
        match task {
            Task::Replay { key, ticket, after, until, orgs } => {
                let window = Extent { oldest: Position::start(1), ages: None };
                let state = ReplayState::open((&after, until), orgs, window, false, &BOUNDS, &self.recent);
                self.replays.insert(ticket, state);
                self.asked.push_back((key, ticket));
            }
            Task::ReadOn { key, ticket } => self.asked.push_back((key, ticket)),
            Task::Pause(ticket) => self.paused.push(ticket),
            Task::EndReplay(ticket) => {
                self.replays.remove(&ticket);
                self.asked.retain(|(_, asked)| *asked != ticket);
            }
            Task::Wake(key) => self.write(key),
            Task::Forgotten { key, .. } => {
                self.links.remove(&key);
            }
            Task::Drained(_) => {}
            Task::Ponged { number, took } => self.ponged.push((number, took)),
            other => panic!("no tab of a test causes {other:?}"),
        }
    }

    /// Reads on for the replay that was asked for first, as the product does.
    pub(super) fn answer_next(&mut self) {
        let (key, ticket) = self.asked.pop_front().expect("a batch that was asked for");
        let state = self.replays.get_mut(&ticket).expect("a replay under way");
        let answer = match state.next(&self.recent) {
            Next::Records(records) => {
                let taken = records.iter().filter_map(|record| state.take(&self.scene.routes, record, &Written::Own));
                let events = taken.collect();
                ReplayAnswer::Batch { events, cost: records.len(), complete: state.is_complete() }
            }
            Next::Nothing => ReplayAnswer::End { cost: 0, complete: state.is_complete() },
            Next::Log(_) => panic!("all is in memory"),
        };
        self.core.replayed(key, ticket, answer);
    }

    fn write(&mut self, key: Key) {
        let Some(link) = self.links.get_mut(&key) else { return };
        self.core.write(key, usize::MAX, |slices| {
            let first = slices.first().map_or(&[][..], |first| first);
            let count = link.room.min(first.len());
            if count == 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
            link.bytes.extend_from_slice(&first[..count]);
            link.room -= count;
            Ok(count)
        });
        if self.core.link_state(key) == LinkState::Over {
            self.core.forget(key);
        }
    }
}
