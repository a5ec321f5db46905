//! Logs, traces and metrics of every Fanfare process.
//!
//! A process calls [`init`] once and keeps the [`Guard`] until it ends. Every span then has a W3C trace id, with or
//! without a collector: [`traceparent`] returns that of the current span, [`follow`] makes a span the child of one from
//! another process. Spans are exported only if the variables of the OpenTelemetry standard ask for it, such as
//! `OTEL_EXPORTER_OTLP_ENDPOINT`.
//!
//! Names of log and span fields are in [`fields`], names of metrics in [`metrics::names`].

pub mod fields;
pub mod metrics;

mod error;
mod exporter;
mod line;
mod otlp;
mod propagation;
mod push;
mod redacted;
mod settings;
mod standard;
mod subscriber;

pub use error::TelemetryError;
pub use propagation::{follow, sampled_traceparent, trace_id, traceparent};
pub use redacted::Redacted;
pub use settings::LogFormat;
pub use subscriber::{Guard, init};

#[cfg(test)]
mod tests;
