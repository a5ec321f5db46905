//! Groups: the only state that the two halves of a node share.
//!
//! The pipeline writes the projection and sends deliveries. The shards read the projection when a client connects, and
//! take the deliveries. Nothing else passes between them.

mod admission;
mod delivery;
mod evictions;
mod interest;
mod reach;
mod shared;

pub use admission::{NotJoined, Refused, Terms, is_allowed};
pub use delivery::{Delivery, Followed, FollowedBy, ShardMessage};
pub use evictions::Evictions;
pub use interest::{Interest, MAX_SHARDS, ShardSet};
pub use reach::{ReachNumber, Reached, Reaches};
pub use shared::{Groups, SHARD_INBOX};
