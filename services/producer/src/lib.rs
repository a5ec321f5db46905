//! Shared by the three demo producers: everything around a change and its event.
//!
//! A producer stores its state in a database and reports each change with an event. The modules are listed in the order
//! of a request: [`serve`] accepts it, [`layers`] limit and trace it, [`caller`] authenticates it ([`standing`] asks
//! auth for the user's current state), [`body`] and [`path`] parse it, [`change`] commits the change with its event,
//! and [`relay`] sends the event to the [`publisher`]: the broker, or a node of the fan-out over HTTP.

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
