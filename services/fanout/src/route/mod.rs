//! Routes: which event becomes which notification for whom.
//!
//! A route file is checked against the schemas and hubs that it names and compiled once ([`RouteTable::compile`]).
//! After that, routing an event is a look-up by its type and reads of fields by index. Nothing here does I/O.
//!
//! `compile.rs` lists and reads the keys of a route, `rule.rs` is the compiled route, `table.rs` finds the routes of an
//! event.

mod argument;
mod audience;
mod builtin;
mod canonical;
mod compile;
mod condition;
mod declared_event;
mod effect;
mod expression;
mod field;
mod isolation;
mod link;
mod not_taken;
mod org_state;
mod realm;
mod routes;
mod rule;
mod scope;
mod source;
mod table;
mod text;
mod throttle;
mod verify;
mod wire;

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use compile::KEYS;
pub use declared_event::with_declared_events;
pub use effect::Effect;
pub use not_taken::NotTaken;
pub use realm::{InRealm, Realms};
pub use routes::Routes;
pub use rule::{Retain, Route};
pub use table::{Match, RouteTable};
pub(crate) use text::pieces;
pub use throttle::Pace;
pub use verify::Unroutable;
pub use wire::Times;

use crate::vocabulary::name::GroupTemplate;

/// A route file: its path, which faults name, and its text.
pub type RouteSource = crate::document::Source;

/// What routes may refer to of a hub.
#[derive(Debug, Clone)]
pub struct HubDeclaration {
    /// Its path, for instance `/hubs/notifications`.
    pub path: String,
    /// The templates of its groups, joined at connect or by a hub method.
    pub groups: Vec<GroupTemplate>,
    /// Those of them that a connection is in without a call, once an event has granted them to its user.
    pub granted: Vec<GroupTemplate>,
    /// How it sends dates and times in MessagePack.
    pub times: Times,
    /// The realms of its users.
    pub realms: Realms,
}
