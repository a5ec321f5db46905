//! A log in memory, for tests: deterministic, with faults on demand.
//!
//! [`Log`] is the log itself, without I/O, waiting or a clock: a simulation drives it in virtual time. [`Memory`] is a
//! [`Broker`](crate::Broker) over it, which passes the contract suite in each [`Shape`] like any other broker.

mod broker;
mod log;
mod look;
mod partition;
mod reader;

#[cfg(test)]
mod tests;

pub use broker::Memory;
pub use log::{Log, Stored};

use crate::message::Message;

/// The broker that the log resembles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One partition for events and state, and a table of the newest state; ids are remembered.
    Embedded,
    /// One partition of events, and one of state that keeps only the newest record of each key; ids are remembered.
    Nats,
    /// Several partitions of events and of state, which is compacted now and then; ids are not remembered.
    Kafka,
}

impl Shape {
    /// All shapes.
    pub const ALL: [Self; 3] = [Self::Embedded, Self::Nats, Self::Kafka];
}

/// The key of a state: org, topic and key.
pub type StateKey = (Option<String>, String, Option<String>);

/// The state key of a message, if it is state.
#[must_use]
pub fn key_of(message: &Message) -> StateKey {
    (message.org.clone(), message.topic.clone(), message.key.clone())
}
