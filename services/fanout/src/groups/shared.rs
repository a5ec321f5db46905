//! Groups: the only state that the two halves of a node share.
//!
//! The pipeline writes the [`Projection`] and sends deliveries; the shards read the projection when a
//! tab connects and take the deliveries. Nothing else passes between them.

mod admission;
mod delivery;
mod interest;
pub mod name;

pub use admission::{Admission, Membership, Refused};
pub use delivery::{Delivery, ShardMessage};
pub use interest::Interest;

use std::sync::RwLock;

use tokio::sync::mpsc;

use crate::projection::Projection;

/// How many messages may wait for one shard. A shard that is behind holds up the reader of the log,
/// which loses nothing: the log keeps what is not yet read.
pub const SHARD_INBOX: usize = 4096;

/// The state shared by pipeline and sockets.
#[derive(Debug)]
pub struct Groups {
    projection: RwLock<Projection>,
    interest: Interest,
    shards: Vec<mpsc::Sender<ShardMessage>>,
}

impl Groups {
    /// Shared state around a projection, with the inboxes of the shards.
    #[must_use]
    pub fn new(projection: Projection, shards: Vec<mpsc::Sender<ShardMessage>>) -> Self {
        Self { projection: RwLock::new(projection), interest: Interest::default(), shards }
    }

    /// Reads what the node knows.
    pub fn read<T>(&self, look: impl FnOnce(&Projection) -> T) -> T {
        // A poisoned lock means that a fold panicked; what it left is still the best that is known.
        look(&self.projection.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Changes what the node knows; the pipeline alone does.
    pub fn fold<T>(&self, change: impl FnOnce(&mut Projection) -> T) -> T {
        change(&mut self.projection.write().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Which shards have members of which groups.
    #[must_use]
    pub fn interest(&self) -> &Interest {
        &self.interest
    }

    /// How many shards there are.
    #[must_use]
    pub fn shard_count(&self) -> usize {
        self.shards.len()
    }

    /// Hands a message to one shard, waiting while its inbox is full; false if the shard is gone.
    pub async fn send(&self, shard: usize, message: ShardMessage) -> bool {
        match self.shards.get(shard) {
            Some(inbox) => inbox.send(message).await.is_ok(),
            None => false,
        }
    }

    /// Hands a message to every shard.
    pub async fn send_all(&self, message: &ShardMessage)
    where
        ShardMessage: Clone,
    {
        for shard in 0..self.shards.len() {
            self.send(shard, message.clone()).await;
        }
    }
}
