//! A node: its directory, its rosters, and one shard with the links of its tabs.

use std::collections::{BTreeMap, VecDeque};
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::{NodeTable, Position};
use fanfare_event::Id;
use fanfare_telemetry::metrics::{FanoutMetrics, Registry};

use crate::config::{Config, HubConfig};
use crate::connection::ConnectionId;
use crate::document::Source;
use crate::groups::Groups;
use crate::limit::ConnectionBounds;
use crate::method::Methods;
use crate::nodes::{Directory, News, NodeId};
use crate::pipeline::Window;
use crate::presence::Room;
use crate::projection::Projection;
use crate::roster::{Notice, Rosters, Time};
use crate::seal::Seal;
use crate::shard::{Context, Core, Key, LinkState, Opening, SharedBounds, Task};
use crate::simulation::platform::bounds;
use crate::vocabulary::Identity;
use crate::vocabulary::name::GroupTemplate;

const CONFIG: &str = r#"
[node]
listen = "127.0.0.1:8080"
admin_listen = "127.0.0.1:9090"
data = "data"
[broker]
url = "embedded:log"
[routes]
path = "."
[development]
signing_key = "key.pem"
[hub."/hub"]
client_timeout_seconds = 3600
[hub."/hub".method.Join]
arguments = ["list"]
allow = true
join = "list:{list}"
[hub."/hub".method.Leave]
arguments = ["list"]
leave = "list:{list}"
[hub."/hub".presence."list:{list}"]
linger_seconds = 3
batch_above = 4
page_members = 2
joined = { target = "joined", arguments = ["{list}", "{user}", "{org}"] }
left = { target = "left", arguments = ["{list}", "{user}", "{org}"] }
snapshot = { target = "there", arguments = ["{list}", "{$members}", "{$page}", "{org}"] }
member = "{user}"
"#;

/// What may wait for a tab that does not read, in bytes of memory: a few notifications.
const QUEUE: usize = 2 << 10;

pub(super) fn hub() -> HubConfig {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fanfare.toml");
    let config = Config::parse(&Source { path, text: CONFIG.to_owned() });
    config.unwrap_or_else(|faults| panic!("{}", faults[0])).hubs.remove(0)
}

/// One node.
pub(super) struct Node {
    pub(super) directory: Directory,
    through: u64,
    pub(super) rosters: Arc<Rosters>,
    core: Core,
    hub: Arc<HubConfig>,
    inbox: VecDeque<Notice>,
    wires: BTreeMap<Key, Vec<u8>>,
    /// What a wire holds that its tab does not read.
    capacity: usize,
    /// Whether it stands still.
    pub(super) stopped: bool,
}

impl Node {
    pub(super) fn new(id: NodeId, now: Time, capacity: usize) -> Self {
        let hub = hub();
        let rosters = Rosters::of(std::slice::from_ref(&hub), now, Box::new(|| {})).expect("a hub with presence");
        let rosters = Arc::new(rosters);
        let window = Window { age: Duration::from_secs(60), records: 100 };
        let groups = Groups::new(Projection::new(Position::start(1), &bounds(window)), Vec::new());
        let methods = Methods::default();
        methods.declare(std::iter::once((&hub.path, &*hub.methods)));
        let context = Context {
            groups: Arc::new(groups),
            seal: Seal::new(b"the secret of the simulated nodes", &[]),
            bounds: Arc::new(SharedBounds::new(ConnectionBounds {
                queue_bytes: QUEUE,
                resume_notifications: 100,
                resume_bytes: 1 << 20,
                joined_groups: 100,
            })),
            shard_bytes: 1 << 20,
            issuer_orgs: [("https://issuer.example".to_owned(), fanfare_token::NameList::any())].into_iter().collect(),
            rates: Arc::default(),
            methods,
            presence: Some(Arc::clone(&rosters)),
            metrics: Arc::new(FanoutMetrics::new(&mut Registry::default())),
        };
        Self {
            directory: Directory::new(id, None),
            through: 0,
            rosters,
            core: Core::new(0, Arc::new(context), now.instant),
            hub: Arc::new(hub),
            inbox: VecDeque::new(),
            wires: BTreeMap::new(),
            capacity,
            stopped: false,
        }
    }

    /// Writes and reads the nodes' stream.
    pub(super) fn exchange(&mut self, stream: &mut NodeTable, now: Time) {
        while let Some(record) = self.directory.next_write(now.instant) {
            stream.tell(record);
            self.directory.wrote(true, now.instant);
        }
        let mut news = Vec::new();
        let (records, through) = stream.after(self.through, usize::MAX).expect("nothing is forgotten");
        let is_begin = self.through == 0;
        self.through = through;
        records.into_iter().for_each(|record| self.directory.read(record, now.instant, &mut news));
        if is_begin {
            self.directory.caught_up(&mut news);
        }
        for news in news {
            let mut core = self.rosters.core();
            match news {
                News::Entry { node, what, body } if node != *self.directory.own() => {
                    core.heard(node.as_str(), &what, &body);
                }
                News::Gone(node) => {
                    core.gone(node.as_str());
                }
                _ => {}
            }
        }
    }

    /// What the driver of presence does.
    pub(super) fn drive(&mut self, now: Time) {
        let mut core = self.rosters.core();
        core.advance(now);
        self.inbox.extend(core.due());
        for write in core.take_writes() {
            self.directory.say(&write.what, write.body);
        }
    }

    /// The shard takes one notice.
    pub(super) fn take(&mut self, now: Time) {
        if let Some(notice) = self.inbox.pop_front() {
            self.input(now, |core| core.tell_who_is_there(&notice));
        }
    }

    /// Who is in a list as far as it knows.
    pub(super) fn known(&self, list: &str, org: &str) -> Vec<String> {
        let group = GroupTemplate::parse("list:{list}").expect("a template").name(&[list]).expect("a name");
        let room = Room { hub: Arc::clone(&self.hub.path), org: Some(Id::parse(org).expect("an id")), group };
        self.rosters.core().users(&room).iter().map(|user| user.id.to_string()).collect()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.inbox.is_empty()
    }

    pub(super) fn accept(&mut self, identity: Identity, id: ConnectionId, now: Time) -> Key {
        let opening = Opening {
            id,
            token_expires: None,
            stateful: false,
            hub: Arc::clone(&self.hub),
            identity: Some(identity),
            cursor: None,
            request: None,
            address: None,
            trail: crate::connection::Trail::default(),
        };
        let mut key = None;
        self.input(now, |core| key = core.open_web_socket(opening, now.unix / 1000));
        let key = key.expect("a new id");
        self.wires.insert(key, Vec::new());
        key
    }

    pub(super) fn receive(&mut self, key: Key, mut bytes: Vec<u8>, now: Time) {
        self.input(now, |core| core.receive_frames(key, &mut bytes));
    }

    pub(super) fn read(&mut self, key: Key, now: Time) -> Vec<u8> {
        let bytes = self.wires.get_mut(&key).map(std::mem::take).unwrap_or_default();
        self.write(key);
        self.input(now, |_| {});
        bytes
    }

    pub(super) fn hang_up(&mut self, key: Key, now: Time) {
        self.input(now, |core| core.link_lost(key));
    }

    /// Gives the shard an input, and does what it wants done.
    pub(super) fn input(&mut self, now: Time, act: impl FnOnce(&mut Core)) {
        self.rosters.core().advance(now);
        self.core.advance(now.instant);
        act(&mut self.core);
        self.core.fire();
        self.core.look_after_joining();
        let mut dirty = Vec::new();
        loop {
            while let Some(task) = self.core.next_task() {
                match task {
                    Task::Wake(key) => self.write(key),
                    Task::Forgotten { key, .. } => drop(self.wires.remove(&key)),
                    _ => {}
                }
            }
            self.core.take_dirty(usize::MAX, &mut dirty);
            if dirty.is_empty() {
                return;
            }
            dirty.drain(..).for_each(|key| self.write(key));
        }
    }

    fn write(&mut self, key: Key) {
        let Some(wire) = self.wires.get_mut(&key) else { return };
        let capacity = self.capacity;
        self.core.write(key, usize::MAX, |slices| {
            let first = slices.first().map_or(&[][..], |first| first);
            let room = capacity.saturating_sub(wire.len()).min(first.len());
            if room == 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
            wire.extend_from_slice(&first[..room]);
            Ok(room)
        });
        if self.core.link_state(key) == LinkState::Over {
            self.core.forget(key);
        }
    }
}
