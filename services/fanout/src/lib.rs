//! The fan-out service: from the broker's log to the sockets of clients.
//!
//! An event passes through the modules in this order: `pipeline` reads and decodes it, `route` says who gets what,
//! `projection` keeps the state that a node builds from the log, `groups` is the one state shared with the other half,
//! `shard` decides what each connection is sent, with the protocol's state machine in `connection`, and `socket` writes
//! it.
//!
//! Besides: `config` is the checked configuration, `method` the hub methods, `roster` and `presence` who is online,
//! `nodes` the other nodes, `limit` all limits, `operator` the operator's API, `command` the command line.
//! `ARCHITECTURE.md` says which file to open for a change.

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
