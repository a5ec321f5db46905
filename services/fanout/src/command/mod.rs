//! The commands of the `fanfare` binary.

mod asking;
mod broker;
pub mod check;
mod client;
pub mod connections;
pub mod deadletters;
mod descriptors;
pub mod docs;
mod ending;
pub mod events;
pub mod explain;
pub mod health;
pub mod init;
mod memory;
pub(crate) mod node;
pub mod publish;
mod reached;
pub mod relay;
mod reload;
mod secret;
pub mod serve;
mod serving;
mod text;
pub mod token;

use std::process::ExitCode;

pub use broker::open_log;
#[cfg(feature = "embed")]
pub(crate) use ending::drained;
#[cfg(feature = "embed")]
pub(crate) use memory::watch as watch_memory;
pub use node::StartError;

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// The input or the configuration is wrong.
    Wrong,
    /// A server that is needed cannot be reached.
    Unreachable,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::Wrong => Self::from(1),
            Exit::Unreachable => Self::from(3),
        }
    }
}

/// One plain sentence to stderr, and the exit code that goes with it.
fn fail(exit: Exit, message: impl std::fmt::Display) -> Exit {
    use std::io::Write as _;
    // If stderr is closed, nobody can be told.
    let _ = writeln!(std::io::stderr(), "fanfare: {message}");
    exit
}
