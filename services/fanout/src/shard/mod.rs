//! The core of a shard: all rules of delivery, without a socket, a task, a channel or a clock.
//!
//! A [`Core`] owns connections. In: bytes from their links, deliveries and effects from the pipeline, answers of
//! replays, authorizers and publishes, polls, and time. Out: what to write ([`Core::write`]), and what to ask, start
//! and close ([`Task`]). The real shard (`socket::shard`) and the seeded simulation drive this same code.
//!
//! | file | the rule |
//! |---|---|
//! | `opening` | register first, then look again; who may open, poll and post |
//! | `refresh` | another token for an open connection |
//! | `inbound` | a client is charged for what it sends; its bytes are read in turns |
//! | `calls` | calls wait in order, counted as memory; nothing is dropped silently |
//! | `handler` | the streams and uploads of an embedder's code, if the program has such code |
//! | `declared` | whether a declared method is carried out |
//! | `joining` | what it then does: joins all groups or none, and publishes an event |
//! | `recheck` | an authorizer is asked again while a connection is in a group that it allowed |
//! | `catching_up` | a client says where it stands before it hears anything |
//! | `resume`, `replay` | what a returning client missed, pulled as its link takes it, charged by what it costs |
//! | `flow` | what waits between the log and a link; a connection that falls behind reads on from the log |
//! | `delivery`, `effect` | who receives a notification; what an event does to open connections |
//! | `presence` | who is there, sent to the connections in a group |
//! | `retained` | the retained state, sent once a connection has caught up |
//! | `unwritten` | which connection took a notification last, for an operator |
//! | `ending` | why and how a connection ends |
//! | `drain` | connections are closed one after another, to reconnect elsewhere |
//! | `lines` | log lines of connections |
//! | `listing`, `moments`, `round_trip` | which connections there are, what they have been through, and how long they take to answer, for an operator |

mod bounds;
mod budget;
mod calls;
mod catching_up;
mod declared;
mod delivery;
mod drain;
mod effect;
mod ending;
mod flow;
#[cfg(feature = "embed")]
pub mod handler;
#[cfg(not(feature = "embed"))]
#[path = "no_handler.rs"]
pub mod handler;
mod inbound;
mod joining;
mod lines;
mod listing;
mod members;
mod moments;
#[cfg(test)]
mod observed;
mod opening;
mod presence;
mod queue;
mod recheck;
mod refresh;
mod replay;
mod request;
mod resume;
mod retained;
mod round_trip;
mod spending;
mod tab;
mod task;
#[cfg(test)]
mod tests;
mod time;
mod unwritten;
mod used_tokens;

pub use bounds::SharedBounds;
pub use budget::{Budget, Rate};
pub use handler::HandlerTask;
pub use inbound::READ;
pub use listing::Listing;
#[cfg(test)]
pub(crate) use observed::Observed;
pub use request::{Caller, Denied, NotRefreshed, Opening, Welcome};
pub use round_trip::PingNumber;
pub(crate) use tab::LinkState;
pub use task::{Authorize, Key, PollAnswer, Publish, ReplayAnswer, Task, Ticket};

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fanfare_broker::Position;
use fanfare_event::Id;
use fanfare_telemetry::metrics::FanoutMetrics;
use fanfare_token::IssuerOrgs;
use slab::Slab;

use crate::connection::ConnectionId;
use crate::groups::{Delivery, Groups};
use crate::limit::Windows;
use crate::method::Methods;
use crate::projection::{HubTag, seal_cursor};
use crate::roster::Rosters;
use crate::seal::Seal;
use delivery::Overtaken;
use drain::Drain;
use lines::Lines;
use members::Members;
use round_trip::RoundTrips;
use spending::Spending;
use tab::Tab;
use time::PacedClock;
use unwritten::Unwritten;
use used_tokens::UsedTokens;

/// How long an ended connection may take to read its last bytes and close.
pub const LINGER: Duration = Duration::from_secs(5);

/// What every shard of a node uses.
#[derive(Debug, Clone)]
pub struct Context {
    /// The state shared with the pipeline.
    pub groups: Arc<Groups>,
    /// Seals cursors.
    pub seal: Seal,
    /// How much one connection may hold and be sent.
    pub bounds: Arc<SharedBounds>,
    /// The most bytes of memory that wait for all links of one shard.
    pub shard_bytes: usize,
    /// The methods.
    pub methods: Methods,
    /// Presence; none if no hub has it.
    pub presence: Option<Arc<Rosters>>,
    /// Counts of calls with a declared rate; one for all shards of the node.
    pub rates: Arc<Mutex<Windows>>,
    /// The orgs that each issuer may name.
    pub issuer_orgs: IssuerOrgs,
    /// Counts.
    pub metrics: Arc<FanoutMetrics>,
}

/// One shard's connections, and all that is decided about them.
#[derive(Debug)]
pub struct Core {
    index: usize,
    context: Arc<Context>,
    clock: PacedClock,
    /// Each in a box: a list of tabs themselves would be moved as it grows, and keep room for as many again.
    connections: Slab<Box<Tab>>,
    by_id: HashMap<ConnectionId, Key>,
    members: Members,
    used_tokens: UsedTokens,
    /// Connections whose queue has got something since they were last written.
    dirty: Vec<Key>,
    tasks: VecDeque<Task>,
    /// Connections that have joined groups and are still to be checked against the state.
    looks: VecDeque<opening::Look>,
    timers: BinaryHeap<Reverse<(Instant, Key)>>,
    /// How many messages of the pipeline have been handled.
    handled: u64,
    /// The last delivery that was handled.
    last: Option<Arc<Delivery>>,
    deliveries: u64,
    tickets: Ticket,
    /// How many questions to authorizers are under way that were put again.
    rechecks: usize,
    round_trips: RoundTrips,
    unwritten: Unwritten,
    overtaken: Overtaken,
    spending: Spending,
    /// How many connections each user has here.
    tabs_by_user: HashMap<(Option<Arc<str>>, Id), usize>,
    /// What waits for all links, in bytes of memory.
    waiting: usize,
    /// The connections that it has still to close while it drains.
    draining: Option<Drain>,
    /// How many lines of connections that come and go may be written.
    lines: Lines,
    /// What the simulation judges and no client can see.
    #[cfg(test)]
    pub(crate) observed: Vec<Observed>,
}

impl Core {
    /// A shard without connections.
    #[must_use]
    pub fn new(index: usize, context: Arc<Context>, now: Instant) -> Self {
        let members = if context.presence.is_some() { Members::watched() } else { Members::default() };
        Self {
            index,
            context,
            clock: PacedClock::new(now),
            connections: Slab::new(),
            by_id: HashMap::new(),
            members,
            used_tokens: UsedTokens::default(),
            dirty: Vec::new(),
            tasks: VecDeque::new(),
            looks: VecDeque::new(),
            timers: BinaryHeap::new(),
            handled: 0,
            last: None,
            deliveries: 0,
            tickets: 0,
            rechecks: 0,
            round_trips: RoundTrips::default(),
            unwritten: Unwritten::default(),
            overtaken: Overtaken::default(),
            spending: Spending::default(),
            tabs_by_user: HashMap::new(),
            waiting: 0,
            draining: None,
            lines: Lines::of_shard(now),
            #[cfg(test)]
            observed: Vec::new(),
        }
    }

    /// The tasks to start, in order. To be called after every input.
    pub fn next_task(&mut self) -> Option<Task> {
        self.tasks.pop_front()
    }

    /// Takes up to `most` of the connections whose queue has something to write.
    pub fn take_dirty(&mut self, most: usize, into: &mut Vec<Key>) {
        let rest = self.dirty.len().saturating_sub(most);
        into.extend(self.dirty.drain(rest..));
        self.unwritten.will_write(into);
    }

    /// Whether nothing waits to be written or started.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.dirty.is_empty() && self.tasks.is_empty() && self.looks.is_empty() && !self.members.has_moved()
    }

    /// How many connections there are, ended ones among them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        self.tickets
    }

    /// The cursor of a position, for a hub's tabs.
    fn cursor(&self, hub: &str, position: &Position, marked: bool) -> String {
        let Context { groups, seal, .. } = &*self.context;
        let hub = HubTag::of(hub);
        groups.read(|known| seal_cursor(seal, known.cursor_position(position), known.times(), hub, marked))
    }
}
