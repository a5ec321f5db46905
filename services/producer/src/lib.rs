//! What the three demo producers have in common: everything around a change and its event.
//!
//! A producer keeps its state in a database and tells of each change with an event. The modules stand
//! in the order in which a request passes through them: [`serve`] accepts it, [`layers`] bound and trace
//! it, [`caller`] says who asks and what they may do ([`standing`] what auth says of them now), [`body`] and [`path`] read what they ask for,
//! [`change`] commits the change together with its event, and [`relay`] brings the event to the [`publisher`]: the
//! broker, or over HTTP a node of the fan-out.

pub mod answer;
pub mod body;
pub mod caller;
pub mod change;
pub mod database;
pub mod error;
mod exit;
pub mod identity;
pub mod layers;
pub mod operations;
pub mod path;
mod private_file;
pub mod producer;
pub mod publisher;
pub mod relay;
pub mod serve;
pub mod settings;
pub mod shutdown;
pub mod standing;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
pub mod verified_tokens;

pub use answer::Accepted;
pub use body::StrictJson;
pub use caller::{Authenticate, Authenticator, Caller, CurrentCaller, Denied};
pub use change::{About, Change, EventId};
pub use database::Database;
pub use error::Error;
pub use exit::exit;
pub use path::PathIds;
pub use producer::{Producer, Service, StartError};
pub use publisher::{PublisherError, publisher};
pub use settings::Settings;
pub use standing::{Standing, Standings};
pub use telemetry::{metrics_registry, telemetry};
pub use verified_tokens::VerifiedTokens;
