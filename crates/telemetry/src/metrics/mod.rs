//! Metrics in the text formats of OpenMetrics and Prometheus.
//!
//! A service creates one [`registry`], registers its metrics in it ([`FanoutMetrics`] or [`ProducerMetrics`]) and
//! answers `/metrics` with [`expose`]. Both sets are cheap to clone and share their values.
//!
//! Label values are bounded: reasons and outcomes are `&'static str`, so that only words of the program can appear.
//! Values from configuration or from the wire go through a pool that returns `other` once it is full.

mod bounded;
mod exposition;
pub(crate) mod families;
mod fanout;
mod labels;
mod limits;
mod log;
pub mod names;
mod process;
mod producer;
mod samples;
mod shape;
mod tls;

pub use exposition::{Exposition, encode, expose};
pub use fanout::FanoutMetrics;
pub use limits::NodeLimits;
pub use process::registry;
pub use producer::ProducerMetrics;
pub use prometheus_client::registry::Registry;
pub use samples::Samples;
