//! From the broker's log to the groups: read, decode, route, fold, send.
//!
//! | file | what it does |
//! |---|---|
//! | `follower`, `reader` | where the reader of the log stands and what it does next; its driver |
//! | `intake`, `decode`, `address`, `dispatch` | one record: judged, decoded, checked, carried out |
//! | `throttle` | notifications that wait for their turn |
//! | `replay`, `recent` | the log read again for resumes; the newest records in memory |
//! | `ingest`, `message` | events from outside, into the log |
//! | `deadletter`, `letters` | records that could not be used: written, and shown to the operator |
//! | `schema_registry`, `structured`, `written` | other encodings of events |
//! | `presence` | who is there, between this node's connections and the other nodes |
//! | `event_path`, `event_paths` | what became of the newest events, for operators |
//! | `status`, `progress`, `watch` | health, and how far the node has read |

mod address;
mod deadletter;
mod decode;
mod dispatch;
mod event_bytes;
mod event_path;
mod event_paths;
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
pub use event_bytes::EventBytes;
pub use event_path::{EventPath, Notified, Outcome};
pub use event_paths::EventPaths;
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
