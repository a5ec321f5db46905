//! A transactional outbox and its relay, for any producer.
//!
//! An event is appended in the same transaction as the change that it reports ([`Outbox::append`]). The [`Relay`]
//! publishes committed events, at least once and in order per org, and deletes published ones. If a broker may still
//! lose acknowledged events, rows are kept for a while and published again if it has. Several processes may run a relay
//! on one database: a lease allows one of them to work at a time.
//!
//! One pure state machine decides what to send next (`lanes`), another how long to wait (`outage`); the database and
//! the network are at the edge.

#[cfg(feature = "broker")]
mod broker;
mod connect;
mod dialect;
mod error;
mod http;
mod lanes;
mod lease;
#[cfg(feature = "postgres")]
mod listen;
mod outage;
mod outbox;
mod publisher;
mod relay;
mod row;
mod search;
mod session;
mod shape;
mod stats;
mod table;
#[cfg(feature = "broker")]
mod tail;
#[cfg(test)]
mod testing;

#[cfg(feature = "broker")]
pub use broker::BrokerPublisher;
pub use connect::connect;
pub use error::OutboxError;
pub use http::{HttpPublisher, HttpPublisherError, TokenSource};
#[cfg(feature = "postgres")]
pub use listen::wake_on_notify;
pub use outbox::{Outbox, Parked};
pub use publisher::{Found, Place, PublishError, PublishedRow, Publisher};
pub use relay::{Relay, RelayOptions};
pub use stats::RelayStats;
