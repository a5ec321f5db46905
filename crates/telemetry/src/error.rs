//! What can go wrong while logs and traces are set up.

use thiserror::Error;

/// Why [`init`](crate::init) refused; every case is the operator's or the caller's to mend.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// The process already has a subscriber: `init` was called before.
    #[error("logs and traces are already set up in this process; call init once")]
    AlreadyInitialised,
    /// The filter in the environment cannot be read.
    #[error(
        "FANFARE_LOG={value:?} is not a filter: {reason}; write a level (\"debug\") or levels by module (\"info,fanfare_fanout=debug\")"
    )]
    Filter {
        /// The filter as it was given.
        value: String,
        /// What the parser says about it.
        reason: String,
    },
    /// A variable of the OpenTelemetry standard asks for what is not there.
    #[error("{name}={value:?} cannot be done: {reason}")]
    Variable {
        /// The variable.
        name: String,
        /// What it says.
        value: String,
        /// What would be right.
        reason: &'static str,
    },
    /// The exporter for OpenTelemetry could not be built.
    #[error(
        "the exporter for {endpoint:?} cannot be set up: {reason}; OTEL_EXPORTER_OTLP_ENDPOINT takes an http or https base URL such as http://127.0.0.1:4318"
    )]
    Exporter {
        /// The endpoint as it was resolved.
        endpoint: String,
        /// What the exporter says about it.
        reason: String,
    },
}
