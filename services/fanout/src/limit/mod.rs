//! Limits of what one client may take of a node: pure rules, with time as an argument.
//!
//! Nothing here waits, locks or reads a clock; `socket` holds these rules and asks them. A new limit is a rule here, a
//! key in `config/edge.rs` or `config/limits.rs`, and a row in `docs/operating.md`.

mod address;
mod bodies;
mod bucket;
mod capacity;
mod connection;
mod connects;
mod forwards;
mod http_connections;
mod keyed;
mod memory;
mod oldest_first;
mod sampled;
mod windows;

pub use address::{NotNetwork, TrustedProxies, of_network};
pub use bodies::{Bodies, BodyBounds, BodyScope, NoRoom, Owner};
pub use bucket::{Rate, TokenBucket};
pub use capacity::{Capacity, DEFAULT_CONNECTIONS, TooFewFiles};
pub use connection::ConnectionBounds;
pub use connects::{ConnectBounds, ConnectRefusal, Connects, Who};
pub use forwards::{Forwards, NoPlace, Place};
pub use http_connections::{Full, HttpConnections, HttpKey};
pub use keyed::KeyedBuckets;
pub use memory::{AskedMemory, MemoryBounds, Pressure, TooLittleMemory};
pub use oldest_first::OldestFirst;
pub use sampled::{Decision, Sampled};
pub use windows::Windows;
