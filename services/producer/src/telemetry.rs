//! Logs and traces of a producer.

use crate::{Service, Settings};
use fanfare_telemetry::metrics::{self, Registry};
use fanfare_telemetry::{Guard, TelemetryError};

/// Sets up logs and traces for this process; keep the guard until it ends.
///
/// # Errors
/// If the environment requests an unsupported feature.
pub fn telemetry(service: &Service, settings: &Settings) -> Result<Guard, TelemetryError> {
    fanfare_telemetry::init(service.name, settings.log_format)
}

/// A registry for a producer's metrics, including those of every process.
#[must_use]
pub fn metrics_registry() -> Registry {
    metrics::registry(&[
        ("nats", cfg!(feature = "nats")),
        ("kafka", cfg!(feature = "kafka")),
        ("postgres", cfg!(feature = "postgres")),
    ])
}
