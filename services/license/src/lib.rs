//! The license service: feature flags and the license of each org.
//!
//! It shows what a producer looks like: each change and the event that tells of it are one transaction.

mod app;
pub mod flags;
pub mod plan;

pub use app::App;

use fanfare_producer::Service;

/// What this service is.
pub const SERVICE: Service = Service { name: "license", port: 8082, publishes: &["license.*"] };
