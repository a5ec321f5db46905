//! The license service: feature flags and the license of each org.
//!
//! It is an example of a producer: each change and the event that reports it are one transaction.

mod app;
pub mod flags;
pub mod plan;

pub use app::App;

use fanfare_producer::Service;

/// The declaration of this service.
pub const SERVICE: Service = Service { name: "license", port: 8082, publishes: &["license.*"] };
