//! The relay as a program of its own: it publishes the events of a table that a service in any language fills, to the
//! broker or over HTTP to a node.
//!
//! The table is the contract (docs/publishing.md): the service inserts a row in the transaction that makes the change,
//! and needs no library. The outbox's own relay decides what is published, in which order, and how often it is retried.

pub mod config;
pub mod horizon;
pub mod operator;
pub mod run;

pub use config::{Config, ConfigError};
pub use run::{RunError, check, run};
