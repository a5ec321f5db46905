//! A shard: one thread that owns connections and writes to their sockets.
//!
//! Deliveries come in through one bounded inbox. The shard hands the ready bytes to each member's queue
//! and writes every queue that got something once: what became ready in one tick leaves in one call. No
//! task is woken and no channel is passed for a delivery; a queue holds bytes only after a short write.

mod act;
mod broadcast;
mod calls;
mod command;
mod declared;
mod event_stream;
mod link;
mod long_polling;
mod members;
mod open;
mod publish;
mod queue;
mod requests;
mod resume;
mod run;
mod spent;
mod tab;
mod telling;
mod web_socket;

pub use command::{Caller, Command, Denied, Opening, Welcome};
pub use link::{EVENTS_AHEAD, PollAnswer};
#[cfg(test)]
pub(crate) use queue::SendQueue;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use slab::Slab;
use tokio::sync::{Notify, mpsc};
use tokio::task::LocalSet;
use tokio::time::MissedTickBehavior;

use crate::connection::{CloseReason, ConnectionId, Settings};
use crate::groups::{Groups, ShardMessage};
use crate::method::{Authorizers, Methods};
use crate::pipeline::{Ingest, Replay};
use crate::seal::Seal;
use fanfare_telemetry::metrics::FanoutMetrics;
pub(crate) use members::Members;
use spent::Spent;
use tab::Tab;

/// How long an ended connection may take to read its last bytes and close.
pub const LINGER: Duration = Duration::from_secs(5);

/// How many deliveries are taken from the inbox before sockets are written: what is joined in one write.
const TICK_DELIVERIES: usize = 256;

/// How many sockets are written before reads, accepts and timers get a turn. Ten thousand take 90 ms.
const SOCKETS_PER_TURN: usize = 256;

/// The buffer that all connections of a shard read through, in bytes.
const READ_BUFFER: usize = 16 * 1024;

/// What every shard of a node works with.
#[derive(Debug)]
pub struct Shared {
    /// The state shared with the pipeline.
    pub groups: Arc<Groups>,
    /// Reads the log again for tabs that resume.
    pub replay: Replay,
    /// Seals cursors.
    pub seal: Seal,
    /// Times and limits of a connection.
    pub settings: Settings,
    /// The most bytes that wait for one socket.
    pub queue_bytes: usize,
    /// The most notifications of one resume.
    pub resume_notifications: usize,
    /// The most bytes of one resume.
    pub resume_bytes: usize,
    /// The most groups that one connection joins by hub methods.
    pub joined_groups: usize,
    /// What clients may call.
    pub methods: Methods,
    /// Whom declared methods ask.
    pub authorizers: Authorizers,
    /// Takes the events that declared methods publish.
    pub ingest: Ingest,
    /// Counts.
    pub metrics: Arc<FanoutMetrics>,
}

pub(super) struct Shard {
    index: usize,
    shared: Arc<Shared>,
    tabs: RefCell<Slab<Rc<Tab>>>,
    members: RefCell<Members>,
    /// Tabs with something to write since the last flush.
    dirty: RefCell<Vec<usize>>,
    deliveries: Cell<u64>,
    read_buffer: RefCell<Vec<u8>>,
    /// How many messages have been taken from the inbox and handled.
    handled: Cell<u64>,
    /// Answers to `Cursor()` that wait for deliveries which were queued before them.
    cursors: RefCell<Vec<PendingCursor>>,
    /// The connections by their public id.
    by_id: RefCell<HashMap<ConnectionId, usize>>,
    /// Tokens that have opened their connection.
    spent: RefCell<Spent>,
    /// Cursors of connections whose handshake comes with a later request than the one that opened them.
    cursors_at_connect: RefCell<HashMap<usize, String>>,
    draining: Cell<bool>,
    /// Told when the last connection of a draining shard is gone.
    emptied: Notify,
}

struct PendingCursor {
    tab: Rc<Tab>,
    invocation: Option<String>,
    cursor: String,
    /// How many messages must have been handled before the cursor is true for this tab.
    after: u64,
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
        Self {
            index,
            shared,
            tabs: RefCell::default(),
            members: RefCell::default(),
            dirty: RefCell::default(),
            deliveries: Cell::new(0),
            read_buffer: RefCell::new(vec![0; READ_BUFFER]),
            handled: Cell::new(0),
            cursors: RefCell::default(),
            by_id: RefCell::default(),
            spent: RefCell::default(),
            cursors_at_connect: RefCell::default(),
            draining: Cell::new(false),
            emptied: Notify::new(),
        }
    }

    async fn run(self: Rc<Self>, mut inbox: mpsc::Receiver<ShardMessage>, mut commands: mpsc::Receiver<Command>) {
        let mut batch = Vec::with_capacity(TICK_DELIVERIES);
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !(self.draining.get() && self.tabs.borrow().is_empty()) {
            tokio::select! {
                taken = inbox.recv_many(&mut batch, TICK_DELIVERIES) => {
                    if taken == 0 {
                        return;
                    }
                    self.take(&mut batch).await;
                }
                command = commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => return,
                },
                _ = second.tick() => self.tick(),
                () = self.emptied.notified() => {}
            }
        }
    }

    /// Handles a batch of messages: queues first, then one write per socket.
    async fn take(self: &Rc<Self>, batch: &mut Vec<ShardMessage>) {
        let taken = batch.len() as u64;
        let mut answers = Vec::new();
        for message in batch.drain(..) {
            match message {
                ShardMessage::Deliver(delivery) => self.deliver(&delivery),
                ShardMessage::Apply(consequence, answer) => {
                    self.apply(&consequence);
                    answers.push(answer);
                }
            }
        }
        self.handled.set(self.handled.get() + taken);
        for answer in answers {
            // The pipeline may have gone meanwhile; then nobody waits.
            let _ = answer.send(());
        }
        self.answer_cursors();
        self.flush_dirty().await;
    }

    /// Writes every queue that got something, giving other work a turn in between.
    async fn flush_dirty(&self) {
        loop {
            let some: Vec<usize> = {
                let mut dirty = self.dirty.borrow_mut();
                let rest = dirty.len().saturating_sub(SOCKETS_PER_TURN);
                dirty.drain(rest..).collect()
            };
            if some.is_empty() {
                return;
            }
            let now = Instant::now();
            for key in some {
                if let Some(tab) = self.tab(key) {
                    tab.flush(now);
                }
            }
            tokio::task::yield_now().await;
        }
    }

    fn tab(&self, key: usize) -> Option<Rc<Tab>> {
        self.tabs.borrow().get(key).cloned()
    }

    fn all_tabs(&self) -> Vec<Rc<Tab>> {
        self.tabs.borrow().iter().map(|(_, tab)| Rc::clone(tab)).collect()
    }

    fn tick(self: &Rc<Self>) {
        let now = Instant::now();
        let unix = crate::clock::unix_seconds();
        let mut actions = Vec::new();
        for tab in self.all_tabs() {
            {
                let mut state = tab.state.borrow_mut();
                if let Some(ending) = &mut state.ending {
                    ending.over |= now >= ending.deadline;
                    tab.wake.notify_one();
                    drop(state);
                    self.tick_poll(&tab, now);
                    continue;
                }
                state.connection.tick(&self.shared.settings, now, &mut actions);
                if tab.identity.as_ref().is_some_and(|who| who.ends_at() <= unix) {
                    state.connection.close(CloseReason::TokenExpired, &mut actions);
                }
            }
            if !actions.is_empty() {
                self.carry_out(&tab, &mut actions, now);
                tab.flush(now);
                tab.wake.notify_one();
            }
            self.tick_poll(&tab, now);
        }
    }

    fn drain(self: &Rc<Self>) {
        self.draining.set(true);
        for tab in self.all_tabs() {
            self.close(&tab, CloseReason::Draining);
        }
    }
}
