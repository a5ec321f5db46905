//! Settings for a process's logs and the export of its spans.

use crate::error::TelemetryError;
use crate::standard::Standard;

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// One line for people, coloured on a terminal.
    #[default]
    Pretty,
    /// One JSON object per line.
    Json,
}

impl std::str::FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "pretty" => Ok(Self::Pretty),
            "json" => Ok(Self::Json),
            other => Err(format!("{other:?} is not a log format: it is \"pretty\" or \"json\"")),
        }
    }
}

/// The filter if `FANFARE_LOG` is not set.
pub(crate) const DEFAULT_FILTER: &str = "info";

/// The settings for [`init`](crate::init); tests build them without an environment.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The service's name in lines and spans.
    pub(crate) service: &'static str,
    /// The format of lines.
    pub(crate) format: LogFormat,
    /// The filter of lines.
    pub(crate) filter: String,
    /// Whether lines are coloured.
    pub(crate) colour: bool,
    /// The settings from OpenTelemetry's variables.
    pub(crate) standard: Standard,
}

impl Settings {
    /// Reads OpenTelemetry's and Fanfare's variables for operators.
    ///
    /// # Errors
    /// [`TelemetryError::Variable`] if one of them requests an unsupported feature.
    pub(crate) fn from_env(service: &'static str, format: LogFormat) -> Result<Self, TelemetryError> {
        // Telemetry is set up before a service has read its own configuration, and the OTEL_ variables are the
        // standard's own; this is the one library that reads the environment.
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
        Ok(Self {
            service,
            format,
            filter: set("FANFARE_LOG").unwrap_or_else(|| DEFAULT_FILTER.to_owned()),
            colour: terminal && set("NO_COLOR").is_none(),
            standard: Standard::read(set)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::LogFormat;

    #[test]
    fn a_log_format_is_pretty_or_json() {
        assert_eq!("json".parse(), Ok(LogFormat::Json));
        assert_eq!("pretty".parse(), Ok(LogFormat::Pretty));
        let fault = "xml".parse::<LogFormat>().expect_err("no such format");
        assert!(fault.contains("xml") && fault.contains("json"), "{fault}");
    }
}
