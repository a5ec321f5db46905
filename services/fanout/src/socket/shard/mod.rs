//! A shard: one thread that owns links and drives a [`Core`].
//!
//! Nothing is decided here. Bytes, messages of the pipeline, requests and answers go into the core. What the core wants
//! written is written, in one call for everything that became ready in a tick, and the tasks that it wants are started.
//! A delivery wakes no task and passes no channel.

mod authorize;
mod command;
mod event_stream;
#[cfg(feature = "embed")]
mod handler;
#[cfg(not(feature = "embed"))]
#[path = "no_handler.rs"]
mod handler;
mod link;
mod listing;
mod publish;
mod replay;
mod request;
mod round_trip;
mod secure;
mod start;
mod stream;
mod web_socket;

pub use command::{Arrival, Command};
#[cfg(feature = "embed")]
pub use handler::Question;
pub use link::EVENTS_AHEAD;
pub use listing::Page;
pub use round_trip::Measured;

pub use crate::shard::{Caller, Denied, LINGER, NotRefreshed, Opening, PollAnswer, Welcome};

use std::cell::{Cell, RefCell, RefMut};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::LocalSet;
use tokio::time::MissedTickBehavior;

use super::authorizers::Authorizers;
use super::seat::Hold;
use crate::clock::{unix_millis, unix_seconds};
use crate::groups::ShardMessage;
use crate::pipeline::{Ingest, Replay, Replaying};
use crate::shard::{Context, Core, Key, PingNumber, READ, Ticket};
use link::Link;

/// How many messages are taken from the inbox before sockets are written: what is joined in one write.
const TICK_DELIVERIES: usize = 256;

/// How many sockets are written before reads, accepts and timers get a turn. Ten thousand take 90 ms.
const SOCKETS_PER_TURN: usize = 256;

/// What every shard of a node uses.
#[derive(Debug)]
pub struct Shared {
    /// What its core uses.
    pub context: Arc<Context>,
    /// Reads the log again for tabs that return.
    pub replay: Replay,
    /// Whom declared methods ask.
    pub authorizers: Authorizers,
    /// Takes the events that declared methods publish.
    pub ingest: Ingest,
}

pub(super) struct Shard {
    shared: Arc<Shared>,
    core: RefCell<Core>,
    /// The links of the connections, by their keys.
    links: RefCell<Vec<Option<Rc<Link>>>>,
    /// The buffer that all sockets of a shard are read through.
    read_buffer: RefCell<Vec<u8>>,
    /// Replays that wait to be read on.
    replays: RefCell<HashMap<Ticket, Replaying>>,
    /// What the code behind hubs has open.
    handlers: handler::Open,
    /// Who waits for the answers to pings.
    pings: RefCell<HashMap<PingNumber, Vec<oneshot::Sender<Duration>>>>,
    /// What the connections hold of their node.
    holds: RefCell<HashMap<Key, Hold>>,
    /// When the loop wakes by itself.
    due: Cell<Option<Instant>>,
    /// Wakes the loop: something is due earlier, more is to be written, or the last connection is gone.
    changed: Notify,
}

/// Runs a shard on a thread of its own until it has been drained or its senders are gone.
///
/// # Errors
/// The operating system gave no thread or no event queue.
pub fn spawn(
    index: usize,
    shared: Arc<Shared>,
    inbox: mpsc::Receiver<ShardMessage>,
    commands: mpsc::Receiver<Command>,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name(format!("shard-{index}")).spawn(move || {
        let shard = Rc::new(Shard::new(index, shared));
        LocalSet::new().block_on(&runtime, shard.run(inbox, commands));
    })
}

impl Shard {
    fn new(index: usize, shared: Arc<Shared>) -> Self {
        let core = Core::new(index, Arc::clone(&shared.context), Instant::now());
        Self {
            shared,
            core: RefCell::new(core),
            links: RefCell::default(),
            read_buffer: RefCell::new(vec![0; READ]),
            replays: RefCell::default(),
            handlers: Default::default(),
            pings: RefCell::default(),
            holds: RefCell::default(),
            due: Cell::new(None),
            changed: Notify::new(),
        }
    }

    async fn run(self: Rc<Self>, mut inbox: mpsc::Receiver<ShardMessage>, mut commands: mpsc::Receiver<Command>) {
        let mut batch = Vec::with_capacity(TICK_DELIVERIES);
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.is_drained() {
            let due = self.core().next_due();
            self.due.set(due.map(|due| Instant::now() + due));
            let more_may_wait = tokio::select! {
                taken = inbox.recv_many(&mut batch, TICK_DELIVERIES) => match taken {
                    0 => return,
                    _ => { self.take(&mut batch); true }
                },
                command = commands.recv() => match command {
                    Some(command) => { self.request(command); true }
                    None => return,
                },
                _ = second.tick() => { self.tick(); false }
                () = tokio::time::sleep(due.unwrap_or_default()), if due.is_some() => { self.core().fire(); false }
                () = self.changed.notified() => false,
            };
            self.carry_out();
            // Whatever is ready comes round between two turns, however much there is of one thing. Otherwise the turn ends
            // by itself, and giving way would cost a look at all sockets.
            if more_may_wait || !self.core.borrow().is_settled() {
                tokio::task::yield_now().await;
            }
        }
    }

    /// The core, at this moment's time.
    fn core(&self) -> RefMut<'_, Core> {
        let mut core = self.core.borrow_mut();
        core.advance(Instant::now());
        core
    }

    fn is_drained(&self) -> bool {
        let core = self.core.borrow();
        core.is_draining() && core.is_empty()
    }

    /// Takes a batch of messages of the pipeline.
    fn take(&self, batch: &mut Vec<ShardMessage>) {
        let mut answers = Vec::new();
        let now = unix_millis();
        let mut core = self.core();
        for message in batch.drain(..) {
            match message {
                ShardMessage::Deliver(delivery) => core.deliver(&delivery, now),
                ShardMessage::Presence(notice) => core.tell_who_is_there(&notice),
                ShardMessage::Apply(effect, answer) => {
                    core.apply(&effect);
                    answers.push(answer);
                }
            }
        }
        for answer in answers {
            // The pipeline may have gone meanwhile; then nobody waits.
            let _ = answer.send(());
        }
    }

    fn tick(&self) {
        self.core().tick(unix_seconds());
        let links = self.links.borrow();
        for (key, link) in links.iter().enumerate() {
            if link.as_ref().is_some_and(|link| link.is_abandoned_poll()) {
                self.core().poll_abandoned(key);
            }
        }
    }

    /// Starts the tasks of the core and writes its bytes, as far as that takes one turn.
    fn carry_out(self: &Rc<Self>) {
        self.core().look_after_joining();
        let (mut keys, mut written) = (Vec::new(), 0);
        loop {
            while let Some(task) = self.next_task() {
                self.start(task);
            }
            self.core.borrow_mut().take_dirty(SOCKETS_PER_TURN, &mut keys);
            if keys.is_empty() {
                break;
            }
            written += keys.len();
            keys.drain(..).for_each(|key| self.flush(key));
            if written >= SOCKETS_PER_TURN {
                break;
            }
        }
        if self.core.borrow().is_written() {
            // At the time that it is now: writing took some.
            self.core().end_writing();
        }
        let core = self.core.borrow();
        let is_earlier = |due: Duration| self.due.get().is_none_or(|known| Instant::now() + due < known);
        if !core.is_settled() || core.next_due().is_some_and(is_earlier) || (core.is_draining() && core.is_empty()) {
            self.changed.notify_one();
        }
    }

    fn next_task(&self) -> Option<crate::shard::Task> {
        self.core.borrow_mut().next_task()
    }

    fn link(&self, key: Key) -> Option<Rc<Link>> {
        self.links.borrow().get(key)?.clone()
    }

    /// Makes a link the one of its connection.
    fn connect(&self, key: Key, link: Link) -> Rc<Link> {
        let link = Rc::new(link);
        let mut links = self.links.borrow_mut();
        if links.len() <= key {
            links.resize_with(key + 1, || None);
        }
        if let Some(older) = links[key].replace(Rc::clone(&link)) {
            older.wake_all();
        }
        link
    }

    /// Whether a link is still the one of its connection.
    fn is_current(&self, key: Key, link: &Rc<Link>) -> bool {
        self.links.borrow().get(key).is_some_and(|known| known.as_ref().is_some_and(|known| Rc::ptr_eq(known, link)))
    }
}
