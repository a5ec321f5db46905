//! A log in memory, for tests: deterministic, and faulty whenever a test says so.
//!
//! [`Log`] is the log itself, without I/O, waiting or a clock: a simulation drives it in virtual time. [`Memory`] is a
//! [`Broker`](crate::Broker) over it, which passes the contract suite in each [`Shape`] as any other broker does.

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

/// Which broker the log resembles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One partition for events and state, and a table of the newest state; ids are known.
    Embedded,
    /// A partition of events and one of state, of which each key keeps its newest record alone; ids are known.
    Nats,
    /// Several partitions of events and of state, which is compacted now and then; ids are not known.
    Kafka,
}

impl Shape {
    /// All shapes.
    pub const ALL: [Self; 3] = [Self::Embedded, Self::Nats, Self::Kafka];
}

/// What the state is kept by: org, topic and key.
pub type StateKey = (Option<String>, String, Option<String>);

/// What newer state takes the place of.
#[must_use]
pub fn key_of(message: &Message) -> StateKey {
    (message.org.clone(), message.topic.clone(), message.key.clone())
}
