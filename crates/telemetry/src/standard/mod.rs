//! The environment variables of the OpenTelemetry standard: which are honoured, refused, or reported as ignored.
//!
//! A variable that would send data elsewhere or differently than its operator expects is an error at the start. One
//! that requests a feature this program does not have, such as metrics over StatsD, is a warning: a platform sets such
//! variables for all its programs.

use std::path::PathBuf;
use std::time::Duration;

use opentelemetry_sdk::trace::Sampler;

use crate::error::TelemetryError;

/// The collector's address if a collector is requested without one.
const DEFAULT_COLLECTOR: &str = "http://localhost:4318";

/// How long the collector may take for one post.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The interval between posts of metrics.
const INTERVAL: Duration = Duration::from_secs(60);

/// The kinds of data for a collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signal {
    Traces,
    Metrics,
    Logs,
}

impl Signal {
    /// Its part in the names of variables.
    fn name(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Metrics => "METRICS",
            Self::Logs => "LOGS",
        }
    }

    /// Its path in the OTLP standard.
    fn path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
        }
    }
}

/// The settings from the standard's variables.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standard {
    /// The service's name, overriding the program's.
    pub(crate) service: Option<String>,
    /// Whether the environment names the service's instance.
    pub(crate) names_instance: bool,
    /// The export of spans; none if absent.
    pub(crate) traces: Option<Traces>,
    /// The export of metrics, in addition to scraping; none if absent.
    pub(crate) metrics: Option<Metrics>,
    /// The export of log lines, in addition to standard error; none if absent.
    pub(crate) logs: Option<Export>,
    /// Warnings about requested features that are not supported.
    pub(crate) warnings: Vec<String>,
}

/// The export of spans.
#[derive(Clone, Debug)]
pub(crate) struct Traces {
    /// Its target.
    pub(crate) export: Export,
    /// Which spans are exported.
    pub(crate) sampler: Sampler,
}

/// The export of metrics.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    /// Its target.
    pub(crate) export: Export,
    /// Its interval.
    pub(crate) every: Duration,
}

/// The target of an export.
#[derive(Clone, Debug)]
pub(crate) struct Export {
    /// The full URL of the requests.
    pub(crate) url: String,
    /// Whether requests are compressed.
    pub(crate) gzip: bool,
    /// Additional attributes of each post: names and values.
    pub(crate) headers: Vec<(String, String)>,
    /// The authority that signed the collector's certificate, if machines do not trust it by default.
    pub(crate) certificate: Option<PathBuf>,
    /// The client certificate and key for the collector.
    pub(crate) client: Option<(PathBuf, PathBuf)>,
    /// How long the collector may take.
    pub(crate) timeout: Duration,
}

impl Traces {
    /// Every trace that starts here, exported to this URL.
    #[cfg(test)]
    pub(crate) fn to(url: &str) -> Self {
        let sampler = Sampler::ParentBased(Box::new(Sampler::AlwaysOn));
        let export = Export {
            url: url.to_owned(),
            gzip: false,
            headers: Vec::new(),
            certificate: None,
            client: None,
            timeout: TIMEOUT,
        };
        Self { export, sampler }
    }
}

impl Standard {
    /// Reads the variables; an empty one counts as unset.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, TelemetryError> {
        let variables = Variables(&variable);
        let mut warnings = variables.unheard();
        let attributes = variable("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
        let attribute = |of: &str| {
            let mut pairs = attributes.split(',').filter_map(|pair| pair.split_once('='));
            pairs.find(|(name, _)| name.trim() == of).map(|(_, value)| value.trim().to_owned())
        };
        let service = variable("OTEL_SERVICE_NAME").or_else(|| attribute("service.name"));
        let names_instance = attribute("service.instance.id").is_some();
        let is_disabled = match variable("OTEL_SDK_DISABLED").map(|value| value.trim().to_ascii_lowercase()).as_deref()
        {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => {
                warnings.push(format!("OTEL_SDK_DISABLED={other:?} is taken for false: it is \"true\" or \"false\""));
                false
            }
        };
        let export = |signal| match variables.url(signal)?.filter(|_| !is_disabled) {
            Some(url) => variables.export(signal, url).map(Some),
            None => Ok(None),
        };
        let (traces, metrics, logs) = (export(Signal::Traces)?, export(Signal::Metrics)?, export(Signal::Logs)?);
        let traces = traces.map(|export| Ok(Traces { export, sampler: variables.sampler()? })).transpose()?;
        let metrics = metrics.map(|export| Ok(Metrics { export, every: variables.interval()? })).transpose()?;
        Ok(Self { service, names_instance, traces, metrics, logs, warnings })
    }
}

/// The variables of a process.
struct Variables<'v, V>(&'v V);

impl<V: Fn(&str) -> Option<String>> Variables<'_, V> {
    /// A variable of the exporter, with its name: the one for a signal, else the one for all.
    fn of(&self, signal: Signal, name: &str) -> Option<(String, String)> {
        [format!("OTEL_EXPORTER_OTLP_{}_{name}", signal.name()), format!("OTEL_EXPORTER_OTLP_{name}")]
            .into_iter()
            .find_map(|name| (self.0)(&name).map(|value| (name, value.trim().to_owned())))
    }

    /// The URL for a signal: its own unchanged, else the base URL with the path of the OTLP standard. Naming a
    /// collector exports spans; metrics and logs have other outputs already, so they are exported only if their
    /// exporter variable requests it.
    fn url(&self, signal: Signal) -> Result<Option<String>, TelemetryError> {
        let name = format!("OTEL_{}_EXPORTER", signal.name());
        let exporter = (self.0)(&name);
        let is_asked_for = match (signal, exporter.as_deref().map(str::trim)) {
            (Signal::Traces, None) => false,
            (Signal::Traces, Some("none")) => return Ok(None),
            (Signal::Traces, Some("otlp")) => true,
            (Signal::Traces, Some(other)) => {
                return Err(fault(&name, other, "spans go out as \"otlp\", or \"none\" of them"));
            }
            (Signal::Metrics | Signal::Logs, all) => {
                if !all.unwrap_or_default().split(',').any(|one| one.trim() == "otlp") {
                    return Ok(None);
                }
                true
            }
        };
        let own = (self.0)(&format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.name()));
        let base =
            (self.0)("OTEL_EXPORTER_OTLP_ENDPOINT").or_else(|| is_asked_for.then(|| DEFAULT_COLLECTOR.to_owned()));
        Ok(own.or_else(|| base.map(|base| format!("{}{}", base.trim().trim_end_matches('/'), signal.path()))))
    }

    /// The interval between posts of metrics.
    fn interval(&self) -> Result<Duration, TelemetryError> {
        const NAME: &str = "OTEL_METRIC_EXPORT_INTERVAL";
        let Some(value) = (self.0)(NAME) else { return Ok(INTERVAL) };
        let milliseconds = value.trim().parse().ok().filter(|milliseconds| *milliseconds > 0);
        milliseconds.map(Duration::from_millis).ok_or_else(|| fault(NAME, &value, "it is a number of milliseconds"))
    }

    fn export(&self, signal: Signal, url: String) -> Result<Export, TelemetryError> {
        if let Some((name, value)) = self.of(signal, "PROTOCOL")
            && value != "http/protobuf"
        {
            return Err(fault(
                &name,
                &value,
                "all is posted as \"http/protobuf\" alone, to port 4318 of most collectors",
            ));
        }
        // The exporters of spans and logs read it, and the headers, themselves.
        let gzip = match self.of(signal, "COMPRESSION") {
            None => false,
            Some((name, value)) => match &*value {
                "gzip" => true,
                "none" => false,
                _ => return Err(fault(&name, &value, "it is \"gzip\" or \"none\"")),
            },
        };
        let headers = self.of(signal, "HEADERS").map(|(_, value)| headers(&value)).unwrap_or_default();
        let timeout = match self.of(signal, "TIMEOUT") {
            None => TIMEOUT,
            Some((name, value)) => match value.parse() {
                Ok(milliseconds @ 1..) => Duration::from_millis(milliseconds),
                _ => return Err(fault(&name, &value, "it is a number of milliseconds")),
            },
        };
        let file = |name: &str| self.of(signal, name).map(|(name, value)| (name, PathBuf::from(value)));
        let client = match (file("CLIENT_CERTIFICATE"), file("CLIENT_KEY")) {
            (Some((_, certificate)), Some((_, key))) => Some((certificate, key)),
            (None, None) => None,
            (Some((name, path)), None) | (None, Some((name, path))) => {
                let reason = "a client's certificate and its key come together: set both, ..._CLIENT_CERTIFICATE and ..._CLIENT_KEY";
                return Err(fault(&name, &path.display().to_string(), reason));
            }
        };
        let certificate = file("CERTIFICATE").map(|(_, path)| path);
        Ok(Export { url, gzip, headers, certificate, client, timeout })
    }

    /// Which spans are exported: those of traces that were sampled elsewhere, and a fraction of those that start here.
    fn sampler(&self) -> Result<Sampler, TelemetryError> {
        let name = (self.0)("OTEL_TRACES_SAMPLER");
        let ratio = match (self.0)("OTEL_TRACES_SAMPLER_ARG") {
            None => 1.0,
            Some(text) => match text.trim().parse::<f64>() {
                Ok(ratio) if (0.0..=1.0).contains(&ratio) => ratio,
                _ => return Err(fault("OTEL_TRACES_SAMPLER_ARG", &text, "it is a part of all traces, from 0 to 1")),
            },
        };
        let by_parent = |sampler| Sampler::ParentBased(Box::new(sampler));
        Ok(match name.as_deref().map(str::trim) {
            None | Some("parentbased_traceidratio") => by_parent(Sampler::TraceIdRatioBased(ratio)),
            Some("traceidratio") => Sampler::TraceIdRatioBased(ratio),
            Some("always_on") => Sampler::AlwaysOn,
            Some("always_off") => Sampler::AlwaysOff,
            Some("parentbased_always_on") => by_parent(Sampler::AlwaysOn),
            Some("parentbased_always_off") => by_parent(Sampler::AlwaysOff),
            Some(other) => {
                let reason = "it is parentbased_traceidratio, traceidratio, always_on, always_off, parentbased_always_on or \
                              parentbased_always_off";
                return Err(fault("OTEL_TRACES_SAMPLER", other, reason));
            }
        })
    }

    /// Warnings about requested features that are not supported, one sentence each.
    fn unheard(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let mut look = |name: &str, known: &[&str], instead: &str| {
            let value = (self.0)(name).unwrap_or_default();
            for other in value.split(',').map(str::trim).filter(|part| !part.is_empty() && !known.contains(part)) {
                warnings.push(format!("{name}={other:?} has no effect: {instead}"));
            }
        };
        look(
            "OTEL_METRICS_EXPORTER",
            &["none", "prometheus", "otlp"],
            "metrics are scraped from /metrics, or posted as \"otlp\"",
        );
        look(
            "OTEL_LOGS_EXPORTER",
            &["none", "console", "otlp"],
            "logs are lines on standard error, and posted as \"otlp\"",
        );
        look("OTEL_PROPAGATORS", &["tracecontext", "baggage"], "traces are carried on by traceparent, of the W3C");
        warnings
    }
}

/// `name=value` pairs, whose values are percent-encoded.
fn headers(text: &str) -> Vec<(String, String)> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    let decoded = |value: &str| percent_encoding::percent_decode_str(value.trim()).decode_utf8_lossy().into_owned();
    pairs.map(|(name, value)| (name.trim().to_owned(), decoded(value))).collect()
}

fn fault(name: &str, value: &str, reason: &'static str) -> TelemetryError {
    TelemetryError::Variable { name: name.to_owned(), value: value.to_owned(), reason }
}

#[cfg(test)]
mod tests;
