//! Metrics in the OpenMetrics text format.
//!
//! A service makes one [`Registry`], registers its set of metrics in it ([`FanoutMetrics`] or [`ProducerMetrics`]) and
//! answers `/metrics` with [`encode`]. Both sets are cheap to clone and share their values.
//!
//! Label values are bounded: reasons and outcomes are `&'static str`, so that only words of the program can appear,
//! and what comes from configuration or from the wire goes through a pool that answers `other` once it is full.

mod bounded;
mod fanout;
mod labels;
mod log;
pub mod names;
mod producer;
mod samples;
mod shape;

pub use fanout::FanoutMetrics;
pub use producer::ProducerMetrics;
pub use prometheus_client::registry::Registry;
pub use samples::Samples;

/// The content type of what [`encode`] returns.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The current value of every registered metric.
pub fn encode(registry: &Registry) -> String {
    let mut text = String::with_capacity(8 * 1024);
    // Writing into a String does not fail, and no metric of ours has an encoder that does.
    let _ = prometheus_client::encoding::text::encode(&mut text, registry);
    text
}
