//! Logs and traces of a producer.

use crate::{Service, Settings};
use fanfare_telemetry::{Guard, TelemetryError};

/// Sets up logs and traces for this process; keep the guard until it ends.
///
/// # Errors
/// If the environment asks for what cannot be done.
pub fn telemetry(service: &Service, settings: &Settings) -> Result<Guard, TelemetryError> {
    fanfare_telemetry::init(service.name, settings.log_format)
}
