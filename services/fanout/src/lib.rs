//! The fan-out service: from the broker's log to the sockets of open tabs.
//!
//! The modules stand in the order in which an event passes through them:
//! `pipeline` reads and decodes it, `route` says who hears what, `projection` keeps what a node knows
//! from the log, `groups` is the one thing shared with the other half, `shard` decides what each open
//! tab is sent, by the protocol's state machine in `connection`, and `socket` writes it.

pub mod clock;
pub mod command;
pub mod config;
pub mod connection;
pub mod document;
#[cfg(feature = "embed")]
pub mod embed;
pub mod groups;
pub mod limit;
pub mod method;
pub mod nodes;
pub mod operator;
pub mod pipeline;
pub mod presence;
pub mod projection;
pub mod roster;
pub mod route;
mod rule;
#[cfg(test)]
mod scene;
pub mod seal;
pub mod shard;
#[cfg(test)]
mod simulation;
pub mod socket;
pub mod tls;
pub mod vocabulary;
pub mod websocket;
