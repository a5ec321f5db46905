//! Errors of setting up logs and traces.

use thiserror::Error;

/// Why [`init`](crate::init) refused; the operator or the caller must fix it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// The process already has a subscriber: `init` was called before.
    #[error("logs and traces are already set up in this process; call init once")]
    AlreadyInitialised,
    /// The filter in the environment is invalid.
    #[error(
        "FANFARE_LOG={value:?} is not a filter: {reason}; write a level (\"debug\") or levels by module (\"info,fanfare_fanout=debug\")"
    )]
    Filter {
        /// The filter.
        value: String,
        /// The parser's message.
        reason: String,
    },
    /// A variable of the OpenTelemetry standard requests an unsupported feature.
    #[error("{name}={value:?} cannot be done: {reason}")]
    Variable {
        /// The variable.
        name: String,
        /// Its value.
        value: String,
        /// What would be right.
        reason: &'static str,
    },
    /// The exporter for OpenTelemetry could not be created.
    #[error(
        "the exporter for {endpoint:?} cannot be set up: {reason}; OTEL_EXPORTER_OTLP_ENDPOINT takes an http or https base URL such as http://127.0.0.1:4318"
    )]
    Exporter {
        /// The resolved endpoint.
        endpoint: String,
        /// The exporter's message.
        reason: String,
    },
}
