//! Real servers for tests: started on free ports of the loopback address with state in their own folder, killed,
//! restarted and stopped.
//!
//! A server that `scripts/setup.sh` could not install is [`StartError::Missing`]; a test then calls [`skip`] and ends.

#![allow(clippy::missing_panics_doc)]

pub mod certificates;
pub mod kafka;
pub mod nats;
pub mod nats_version;
pub mod nginx;
mod place;
pub mod postgres;
mod process;
mod server;

pub use place::{copy_folder, free_port, skip, tool};
pub use process::{Process, Signal, StartError};
pub use server::{Program, Server};
