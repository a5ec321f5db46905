//! One connection without its socket: what it sent, what it is owed, when it must end.
//!
//! Everything here is pure. [`Connection`] takes bytes and time and answers with actions; the transports in `socket`
//! carry them out. So it can be tested, replayed and fuzzed without a network.

mod action;
mod client;
mod close;
mod frame;
mod home;
mod joined;
mod machine;
mod stateful;
#[cfg(feature = "embed")]
mod streaming;
#[cfg(not(feature = "embed"))]
#[path = "no_streaming.rs"]
mod streaming;
mod subscriptions;
mod token;
mod trail;

#[cfg(test)]
mod tests;

pub use action::{Action, Call};
pub use close::{CloseReason, Fault};
pub(crate) use frame::Wires;
pub use frame::{Frame, WireForm};
pub use home::Home;
pub(crate) use joined::{Joined, Recheck};
pub use machine::Connection;
pub use stateful::{Gap, Inbound, TooMuch, UNACKNOWLEDGED_BYTES, Unacknowledged};
pub use streaming::Streamed;
pub(crate) use subscriptions::{Subscriptions, may_hear};
pub use token::{ConnectionId, ConnectionToken, TOKEN_LIFETIME_SECONDS};
pub use trail::Trail;
