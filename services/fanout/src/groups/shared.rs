//! The shared state itself, and the inboxes of the shards.
//!
//! The pipeline writes the [`Projection`] and sends deliveries. The shards read the projection when a client connects,
//! and take the deliveries. Nothing else passes between them.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use fanfare_broker::{Position, Record};
use tokio::sync::{mpsc, oneshot};

use super::{Evictions, Interest, MAX_SHARDS, Reaches, ShardMessage};
use crate::projection::{ConnectionEffect, Held, Projection};

/// How many messages may wait for one shard. A shard that is behind makes the reader of the log wait,
/// which loses nothing: the log keeps what is not read yet.
pub const SHARD_INBOX: usize = 4096;

/// The state shared by pipeline and sockets.
#[derive(Debug)]
pub struct Groups {
    projection: RwLock<Projection>,
    /// Every delivery up to here has been handed to the inboxes; a moment behind the projection.
    passed: Mutex<Passed>,
    interest: Interest,
    shards: Vec<mpsc::Sender<ShardMessage>>,
    /// How many messages were sent to each shard.
    sent: Vec<AtomicU64>,
    connections: AtomicUsize,
    evictions: Evictions,
    reaches: Reaches,
}

/// What has been handed to the inboxes.
#[derive(Debug)]
struct Passed {
    /// Everything up to here, except what waits in a throttle.
    position: Position,
    held: Arc<Held>,
}

impl Groups {
    /// Shared state around a projection, with the inboxes of the shards.
    #[must_use]
    pub fn new(projection: Projection, shards: Vec<mpsc::Sender<ShardMessage>>) -> Self {
        let passed = Mutex::new(Passed { position: projection.position().clone(), held: Arc::default() });
        let projection = RwLock::new(projection);
        let sent = (0..MAX_SHARDS).map(|_| AtomicU64::new(0)).collect();
        Self {
            projection,
            passed,
            interest: Interest::default(),
            shards,
            sent,
            connections: AtomicUsize::new(0),
            evictions: Evictions::default(),
            reaches: Reaches::default(),
        }
    }

    /// Reads the projection.
    pub fn read<T>(&self, look: impl FnOnce(&Projection) -> T) -> T {
        // A poisoned lock means that a fold panicked; the state that it left is still the best there is.
        look(&self.projection.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the projection; only the pipeline does.
    pub fn fold<T>(&self, change: impl FnOnce(&mut Projection) -> T) -> T {
        change(&mut self.projection.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Which shards have members of which groups.
    #[must_use]
    pub fn interest(&self) -> &Interest {
        &self.interest
    }

    /// A connection was taken over by a shard.
    pub fn opened(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection of a shard is gone.
    pub fn closed(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many connections there are.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Who was closed as slow lately.
    #[must_use]
    pub fn evictions(&self) -> &Evictions {
        &self.evictions
    }

    /// Whom the newest notifications have reached.
    #[must_use]
    pub fn reaches(&self) -> &Reaches {
        &self.reaches
    }

    /// How many shards there are.
    #[must_use]
    pub fn shard_count(&self) -> usize {
        self.shards.len()
    }

    /// Notes that everything up to `position` has been handed to the inboxes.
    pub fn pass(&self, position: &Position) {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner).position.clone_from(position);
    }

    /// The same for one record after it; updated in place, as this is done for every record.
    pub fn pass_record(&self, record: &Record) {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner).position.advance(record);
    }

    /// Notes what waits in a throttle: before the position moves past it, and once it was sent.
    pub fn hold(&self, held: Held) {
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        if *passed.held != held {
            passed.held = Arc::new(held);
        }
    }

    /// A position such that all deliveries up to it were sent to the shards, except throttled ones, and how many
    /// messages `shard` was sent by then: a shard that has handled that many has passed on everything up to that
    /// position.
    #[must_use]
    pub fn passed(&self, shard: usize) -> (Position, Arc<Held>, u64) {
        let (position, held) = self.handed_on();
        (position, held, self.sent.get(shard).map_or(0, |sent| sent.load(Ordering::Acquire)))
    }

    /// Counts a message to a shard, before it is sent.
    pub fn count_sent(&self, shard: usize) {
        if let Some(sent) = self.sent.get(shard) {
            sent.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// The end of everything sent so far, except throttled notifications: a delivery that is sent now comes after it.
    #[must_use]
    pub fn handed_on(&self) -> (Position, Arc<Held>) {
        let passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        (passed.position.clone(), Arc::clone(&passed.held))
    }

    /// Hands a message to one shard, waiting while its inbox is full; false if the shard is gone.
    pub async fn send(&self, shard: usize, message: ShardMessage) -> bool {
        self.count_sent(shard);
        match self.shards.get(shard) {
            Some(inbox) => inbox.send(message).await.is_ok(),
            None => false,
        }
    }

    /// The same for a message that is not from the log, and counts for no position.
    pub async fn tell(&self, shard: usize, message: ShardMessage) {
        if let Some(inbox) = self.shards.get(shard) {
            // A shard that has ended has no connections to send to.
            let _ = inbox.send(message).await;
        }
    }

    /// Makes every shard apply an effect and waits until all have.
    pub async fn apply(&self, effect: ConnectionEffect) {
        let effect = Arc::new(effect);
        let mut answers = Vec::with_capacity(self.shards.len());
        for shard in 0..self.shards.len() {
            let (answer, applied) = oneshot::channel();
            if self.send(shard, ShardMessage::Apply(Arc::clone(&effect), answer)).await {
                answers.push(applied);
            }
        }
        for applied in answers {
            // A shard that ends before it answers has no connections left to feel anything.
            let _ = applied.await;
        }
    }
}
