//! The environment variables of the OpenTelemetry standard: what of them is honoured, and what is refused or named.
//!
//! What would send spans elsewhere or otherwise than its operator believes is an error at the start. What asks for something
//! that this program does not do at all, such as metrics over OTLP, is a warning: a platform sets such variables for all
//! programs alike.

use std::path::PathBuf;
use std::time::Duration;

use opentelemetry_sdk::trace::Sampler;

use crate::error::TelemetryError;

/// Where spans go if a collector is asked for and not named.
const DEFAULT_COLLECTOR: &str = "http://localhost:4318";

/// How long the collector may take for one post.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What the standard's variables ask for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standard {
    /// The service's name in spans, in the place of the program's.
    pub(crate) service: Option<String>,
    /// Where spans go; nowhere if absent.
    pub(crate) export: Option<Export>,
    /// What is asked for and not done.
    pub(crate) warnings: Vec<String>,
}

/// Where spans go, and how.
#[derive(Clone, Debug)]
pub(crate) struct Export {
    /// The full URL that they are posted to.
    pub(crate) url: String,
    /// Which of them are sent.
    pub(crate) sampler: Sampler,
    /// Whose signature the collector's certificate bears, if it is not one that every machine knows.
    pub(crate) certificate: Option<PathBuf>,
    /// The certificate and the key by which the collector knows this program.
    pub(crate) client: Option<(PathBuf, PathBuf)>,
    /// How long the collector may take.
    pub(crate) timeout: Duration,
}

impl Export {
    /// Every trace that begins here, to this URL.
    #[cfg(test)]
    pub(crate) fn to(url: &str) -> Self {
        let sampler = Sampler::ParentBased(Box::new(Sampler::AlwaysOn));
        Self { url: url.to_owned(), sampler, certificate: None, client: None, timeout: TIMEOUT }
    }
}

impl Standard {
    /// Reads the variables; an empty one is as good as none.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, TelemetryError> {
        let variables = Variables(&variable);
        let mut warnings = variables.unheard();
        let attributes = variable("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
        let named = attributes.split(',').filter_map(|pair| pair.split_once('='));
        let named = named.map(|(name, value)| (name.trim(), value.trim())).find(|(name, _)| *name == "service.name");
        let service = variable("OTEL_SERVICE_NAME").or_else(|| named.map(|(_, value)| value.to_owned()));
        let is_disabled = match variable("OTEL_SDK_DISABLED").map(|value| value.trim().to_ascii_lowercase()).as_deref()
        {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => {
                warnings.push(format!("OTEL_SDK_DISABLED={other:?} is taken for false: it is \"true\" or \"false\""));
                false
            }
        };
        let url = variables.traces_url()?;
        let export = match url.filter(|_| !is_disabled) {
            Some(url) => Some(variables.export(url)?),
            None => None,
        };
        Ok(Self { service, export, warnings })
    }
}

/// The variables of a process.
struct Variables<'v, V>(&'v V);

impl<V: Fn(&str) -> Option<String>> Variables<'_, V> {
    /// A variable of the exporter: the one for traces, else the one for all signals. With its name.
    fn of_traces(&self, name: &str) -> Option<(String, String)> {
        [format!("OTEL_EXPORTER_OTLP_TRACES_{name}"), format!("OTEL_EXPORTER_OTLP_{name}")]
            .into_iter()
            .find_map(|name| (self.0)(&name).map(|value| (name, value.trim().to_owned())))
    }

    /// The URL for spans: the one given for traces as it is, else the base URL with the path of the OTLP standard.
    fn traces_url(&self) -> Result<Option<String>, TelemetryError> {
        let exporter = (self.0)("OTEL_TRACES_EXPORTER");
        let is_asked_for = match exporter.as_deref().map(str::trim) {
            None => false,
            Some("none") => return Ok(None),
            Some("otlp") => true,
            Some(other) => {
                return Err(fault("OTEL_TRACES_EXPORTER", other, "spans go out as \"otlp\", or \"none\" of them"));
            }
        };
        let traces = (self.0)("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
        let base =
            (self.0)("OTEL_EXPORTER_OTLP_ENDPOINT").or_else(|| is_asked_for.then(|| DEFAULT_COLLECTOR.to_owned()));
        Ok(traces.or_else(|| base.map(|base| format!("{}/v1/traces", base.trim().trim_end_matches('/')))))
    }

    fn export(&self, url: String) -> Result<Export, TelemetryError> {
        if let Some((name, value)) = self.of_traces("PROTOCOL")
            && value != "http/protobuf"
        {
            return Err(fault(
                &name,
                &value,
                "spans are posted as \"http/protobuf\" alone, to port 4318 of most collectors",
            ));
        }
        // The exporter reads it by itself.
        if let Some((name, value)) = self.of_traces("COMPRESSION")
            && !["gzip", "none"].contains(&&*value)
        {
            return Err(fault(&name, &value, "it is \"gzip\" or \"none\""));
        }
        let timeout = match self.of_traces("TIMEOUT") {
            None => TIMEOUT,
            Some((name, value)) => match value.parse() {
                Ok(milliseconds @ 1..) => Duration::from_millis(milliseconds),
                _ => return Err(fault(&name, &value, "it is a number of milliseconds")),
            },
        };
        let file = |name: &str| self.of_traces(name).map(|(name, value)| (name, PathBuf::from(value)));
        let client = match (file("CLIENT_CERTIFICATE"), file("CLIENT_KEY")) {
            (Some((_, certificate)), Some((_, key))) => Some((certificate, key)),
            (None, None) => None,
            (Some((name, path)), None) | (None, Some((name, path))) => {
                let reason = "a client's certificate and its key come together: set both, ..._CLIENT_CERTIFICATE and ..._CLIENT_KEY";
                return Err(fault(&name, &path.display().to_string(), reason));
            }
        };
        let certificate = file("CERTIFICATE").map(|(_, path)| path);
        Ok(Export { url, sampler: self.sampler()?, certificate, client, timeout })
    }

    /// Which spans are sent: those whose trace began with a sampled one elsewhere, and of those that begin here a part.
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

    /// What is asked for and not done, one sentence each.
    fn unheard(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let mut look = |name: &str, known: &[&str], instead: &str| {
            let value = (self.0)(name).unwrap_or_default();
            for other in value.split(',').map(str::trim).filter(|part| !part.is_empty() && !known.contains(part)) {
                warnings.push(format!("{name}={other:?} has no effect: {instead}"));
            }
        };
        look("OTEL_METRICS_EXPORTER", &["none", "prometheus"], "metrics are scraped from /metrics");
        look("OTEL_LOGS_EXPORTER", &["none", "console"], "logs are lines on standard error");
        look("OTEL_PROPAGATORS", &["tracecontext", "baggage"], "traces are carried on by traceparent, of the W3C");
        warnings
    }
}

fn fault(name: &str, value: &str, reason: &'static str) -> TelemetryError {
    TelemetryError::Variable { name: name.to_owned(), value: value.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318");

    fn read(variables: &[(&str, &str)]) -> Result<Standard, String> {
        let of = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Standard::read(of).map_err(|error| error.to_string())
    }

    fn url(variables: &[(&str, &str)]) -> Option<String> {
        read(variables).expect("sound").export.map(|export| export.url)
    }

    #[test]
    fn the_base_url_gets_the_standard_path() {
        assert_eq!(url(&[]), None);
        assert_eq!(url(&[HERE]).as_deref(), Some("http://c:4318/v1/traces"));
        assert_eq!(
            url(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/")]).as_deref(),
            Some("http://c:4318/v1/traces")
        );
        assert_eq!(url(&[HERE, ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t/x")]).as_deref(), Some("http://t/x"));
    }

    #[test]
    fn spans_stay_here_where_the_environment_says_so() {
        assert_eq!(url(&[HERE, ("OTEL_SDK_DISABLED", "TRUE")]), None);
        assert_eq!(url(&[HERE, ("OTEL_TRACES_EXPORTER", "none")]), None);
        assert_eq!(url(&[("OTEL_TRACES_EXPORTER", "otlp")]).as_deref(), Some("http://localhost:4318/v1/traces"));
        let warned = read(&[HERE, ("OTEL_SDK_DISABLED", "yes")]).expect("sound");
        assert!(warned.export.is_some() && warned.warnings[0].contains("OTEL_SDK_DISABLED=\"yes\""), "{warned:?}");
    }

    #[test]
    fn the_name_of_the_service_is_the_environments() {
        let service = |variables: &[(&str, &str)]| read(variables).expect("sound").service;
        assert_eq!(service(&[]), None);
        let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=live, service.name = tabs");
        assert_eq!(service(&[attributes]).as_deref(), Some("tabs"));
        assert_eq!(service(&[attributes, ("OTEL_SERVICE_NAME", "push")]).as_deref(), Some("push"));
    }

    #[test]
    fn what_would_go_elsewhere_or_otherwise_is_refused_by_name() {
        for (name, value, right) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "gzip"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "milliseconds"),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/key.pem", "CLIENT_CERTIFICATE"),
            ("OTEL_TRACES_EXPORTER", "zipkin", "otlp"),
            ("OTEL_TRACES_SAMPLER", "jaeger_remote", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "10%", "from 0 to 1"),
        ] {
            let fault = read(&[HERE, (name, value)]).expect_err(name);
            assert!(fault.contains(name) && fault.contains(value) && fault.contains(right), "{fault}");
        }
        // Where no spans are sent it does not matter how.
        assert!(read(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).is_ok());
        assert!(
            read(&[
                HERE,
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
                ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf")
            ])
            .is_ok()
        );
    }

    #[test]
    fn a_part_of_the_traces_that_begin_here_is_sent() {
        let sampler = |variables: &[(&str, &str)]| {
            let all: Vec<_> = [HERE].iter().chain(variables).copied().collect();
            format!("{:?}", read(&all).expect("sound").export.expect("a collector").sampler)
        };
        assert_eq!(sampler(&[]), "ParentBased(TraceIdRatioBased(1.0))");
        assert_eq!(sampler(&[("OTEL_TRACES_SAMPLER_ARG", "0.05")]), "ParentBased(TraceIdRatioBased(0.05))");
        assert_eq!(
            sampler(&[("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0.5")]),
            "TraceIdRatioBased(0.5)"
        );
        assert_eq!(sampler(&[("OTEL_TRACES_SAMPLER", "always_off")]), "AlwaysOff");
    }

    #[test]
    fn what_is_asked_for_and_not_done_is_named() {
        let warned = read(&[
            ("OTEL_METRICS_EXPORTER", "otlp"),
            ("OTEL_LOGS_EXPORTER", "otlp,console"),
            ("OTEL_PROPAGATORS", "tracecontext,b3"),
        ]);
        let warnings = warned.expect("sound").warnings;
        assert_eq!(warnings.len(), 3, "{warnings:?}");
        assert!(warnings[0].contains("/metrics") && warnings[2].contains("OTEL_PROPAGATORS=\"b3\""), "{warnings:?}");
        let sound = [
            ("OTEL_METRICS_EXPORTER", "none"),
            ("OTEL_LOGS_EXPORTER", "none"),
            ("OTEL_PROPAGATORS", "tracecontext,baggage"),
        ];
        assert!(read(&sound).expect("sound").warnings.is_empty());
    }
}
