//! Tools of the end-to-end tests: the real binaries as processes, and small clients.
//!
//! The binaries are those beside the test executable, so they must be built before the tests run: `cargo build
//! --workspace --bins`, which `make test` does. Nothing here uses a library of the fan-out: the tests know only what is
//! on the wire. Every process listens on free ports of the loopback address and stores its state in a temporary folder
//! of its own. When a test fails, the end of its logs is printed.
//!
//! Random tests print their seed; `FANFARE_TEST_SEED` repeats one.

pub mod backplane;
pub mod client;
pub mod cluster;
pub mod event;
pub mod follower;
pub mod forgery;
pub mod front;
pub mod http;
pub mod line;
pub mod log;
pub mod node;
pub mod platform;
pub mod ports;
pub mod process;
pub mod producer;
pub mod random;
pub mod raw;
pub mod relay;
pub mod schema_registry;
pub mod settings;
pub mod stub;
pub mod token;
pub mod transport;
pub mod wait;
pub mod websocket;

pub use client::{Message, Tab};
pub use cluster::Cluster;
pub use event::NewEvent;
pub use http::{Request, Response};
pub use log::Log;
pub use node::Node;
pub use platform::Platform;
pub use random::Random;
pub use raw::Raw;
pub use relay::Relay;
pub use schema_registry::SchemaRegistry;
pub use settings::Settings;
pub use token::Token;
pub use transport::{Transport, Wire};

/// The hub of the demo platform.
pub const HUB: &str = "/hubs/notifications";
