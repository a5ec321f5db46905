//! RFC 6455 as far as a SignalR server needs it: pure, no sockets.
//!
//! A library would give each connection its own buffers; with ten thousand idle connections those are most of the
//! memory of a node. Here a connection keeps a few bytes of state, and the bytes pass through a buffer that all
//! connections of a shard share.

mod reader;
mod upgrade;
mod writer;

#[cfg(test)]
mod tests;

pub use reader::{FrameError, FrameReader, Received};
pub use upgrade::{UpgradeError, accept_key, check as check_upgrade};
pub use writer::{CloseCode, Opcode, PING, close_frame, frame_header, ping_frame, pong_frame};
