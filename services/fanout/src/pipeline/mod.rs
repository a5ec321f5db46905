//! From the broker's log to the groups: read, decode, route, fold, send.

mod deadletter;
mod decode;
mod dispatch;
mod ingest;
pub mod letters;
mod message;
pub(crate) mod past;
mod reader;
mod replay;
mod schema_registry;
mod status;
mod written;

pub use decode::{Unusable, decode};
pub use ingest::{Body, Ingest, IngestError};
pub use message::to_message;
pub use past::{Notification, Replayed};
pub use reader::{Pipeline, Window};
pub use replay::{Replay, ResumeError};
pub use schema_registry::Schemas;
pub use status::Status;
pub use written::{Registered, Written};
