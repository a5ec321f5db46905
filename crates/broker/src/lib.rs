//! Bytes with positions, in and out: one small trait over several message brokers.
//!
//! A [`Broker`] accepts [`Message`]s and returns them as [`Record`]s, in order, to every [`Reader`], from any stored
//! [`Position`]. It never looks into a message. Every broker passes the same contract suite.

#![warn(clippy::expect_used)]

pub mod address;
mod age_clock;
mod broker;
mod condition;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod embedded;
mod error;
#[cfg(feature = "kafka")]
pub mod kafka;
mod letter;
mod limits;
#[cfg(any(test, feature = "memory"))]
pub mod memory;
mod message;
#[cfg(feature = "nats")]
pub mod nats;
mod node_record;
mod position;
pub mod properties;
#[cfg(any(feature = "nats", feature = "kafka"))]
mod token;
pub mod watched;

pub use age_clock::AgeClock;
pub use broker::{Broker, Reader};
pub use condition::{Condition, Risk, RiskKind, Writes};
pub use error::{BrokerError, PublishError};
pub use letter::{DeadLetter, LETTER_BODY_LIMIT, LETTER_REASON_LIMIT, LETTERS_KEPT};
pub use limits::Limits;
pub use message::{Message, Published, Record, Stream};
pub use node_record::{NODE_LIMIT, NodeReader, NodeRecord, NodeTable};
pub use position::Position;
