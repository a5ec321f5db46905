//! From the broker's log to the groups: read, decode, route, fold, send.

mod address;
mod deadletter;
mod decode;
mod dispatch;
pub(crate) mod follower;
mod ingest;
pub(crate) mod intake;
pub mod letters;
mod message;
mod presence;
mod progress;
mod reader;
pub(crate) mod recent;
pub(crate) mod replay;
mod schema_registry;
mod status;
mod structured;
#[cfg(test)]
mod tests;
pub(crate) mod throttle;
mod watch;
mod written;

pub use deadletter::DeadLetterWriter;
pub use decode::{Unusable, decode};
pub use ingest::{BatchError, Body, Draft, Ingest, IngestError, MOST_IN_BATCH, Taken};
pub use message::to_message;
pub use presence::{Listener, Presence};
pub use reader::{Pipeline, Window};
pub use recent::RecentRecords;
pub use replay::filter::{Notification, Replayed};
pub use replay::{Replay, ReplayOptions, Replaying, ResumeError};
pub use schema_registry::Schemas;
pub use status::{NotReady, Status};
pub use written::{Registered, Written};
