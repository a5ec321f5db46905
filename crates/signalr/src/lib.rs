//! The SignalR hub protocol as a pure codec: handshake, negotiation, framing and the nine message types in their JSON
//! and MessagePack forms.
//!
//! Nothing here reads a socket or a clock. [`Protocol::split`] finds complete hub messages in a growing buffer of
//! received bytes, and [`Protocol::decode`] borrows from that buffer where it can. [`Protocol::encode`] appends a
//! framed message to a buffer. [`Protocol::push`] encodes a notification once, to be shared by all connections with the
//! same protocol.
//!
//! ```
//! use fanfare_signalr::{Decoded, Message, Protocol, Value};
//!
//! let bytes = Protocol::Json.push("toast", &[Value::from("hello")]);
//! assert_eq!(bytes, b"{\"type\":1,\"target\":\"toast\",\"arguments\":[\"hello\"]}\x1e");
//!
//! let frame = Protocol::Json.split(&bytes, 1024)?.expect("a whole message");
//! match Protocol::Json.decode(frame.body)? {
//!     Decoded::Message { message: Message::Invocation { target, .. }, .. } => assert_eq!(target, "toast"),
//!     other => panic!("{other:?}"),
//! }
//! # Ok::<(), fanfare_signalr::ProtocolError>(())
//! ```

mod binding;
mod error;
mod frame;
pub mod handshake;
pub mod invocation_error;
mod json;
mod message;
mod messagepack;
pub mod negotiate;
mod nesting;
mod protocol;
mod timestamp;
mod value;

pub use binding::{BindingError, BindingFailure, expect_arguments};
pub use error::ProtocolError;
pub use frame::Frame;
pub use message::{Decoded, Headers, Message, Outcome};
pub use nesting::MAX_DEPTH;
pub use protocol::Protocol;
pub use value::Value;
