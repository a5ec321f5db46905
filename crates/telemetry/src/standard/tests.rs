//! The effects of OpenTelemetry's variables.

use super::*;

const HERE: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318");

fn read(variables: &[(&str, &str)]) -> Result<Standard, String> {
    let of = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    Standard::read(of).map_err(|error| error.to_string())
}

fn url(variables: &[(&str, &str)]) -> Option<String> {
    read(variables).expect("sound").traces.map(|traces| traces.export.url)
}

#[test]
fn the_base_url_gets_the_standard_path() {
    assert_eq!(url(&[]), None);
    assert_eq!(url(&[HERE]).as_deref(), Some("http://c:4318/v1/traces"));
    assert_eq!(url(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/")]).as_deref(), Some("http://c:4318/v1/traces"));
    assert_eq!(url(&[HERE, ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t/x")]).as_deref(), Some("http://t/x"));
}

#[test]
fn spans_are_not_exported_if_the_environment_disables_that() {
    assert_eq!(url(&[HERE, ("OTEL_SDK_DISABLED", "TRUE")]), None);
    assert_eq!(url(&[HERE, ("OTEL_TRACES_EXPORTER", "none")]), None);
    assert_eq!(url(&[("OTEL_TRACES_EXPORTER", "otlp")]).as_deref(), Some("http://localhost:4318/v1/traces"));
    let warned = read(&[HERE, ("OTEL_SDK_DISABLED", "yes")]).expect("sound");
    assert!(warned.traces.is_some() && warned.warnings[0].contains("OTEL_SDK_DISABLED=\"yes\""), "{warned:?}");
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
fn urls_that_name_another_target_are_refused_by_name() {
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
    // If no spans are exported, the protocol does not matter.
    assert!(read(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).is_ok());
    assert!(
        read(&[HERE, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf")])
            .is_ok()
    );
}

#[test]
fn a_sample_of_the_traces_that_start_here_is_exported() {
    let sampler = |variables: &[(&str, &str)]| {
        let all: Vec<_> = [HERE].iter().chain(variables).copied().collect();
        format!("{:?}", read(&all).expect("sound").traces.expect("a collector").sampler)
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
fn metrics_and_logs_are_posted_where_they_are_asked_for() {
    let asked = [
        HERE,
        ("OTEL_METRICS_EXPORTER", "prometheus, otlp"),
        ("OTEL_LOGS_EXPORTER", "otlp"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://l/x"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=b%20c, d = e"),
        ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "gzip"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "5000"),
    ];
    let Standard { metrics, logs, warnings, .. } = read(&asked).expect("sound");
    let (metrics, logs) = (metrics.expect("metrics"), logs.expect("logs"));
    assert_eq!((&*metrics.export.url, &*logs.url), ("http://c:4318/v1/metrics", "http://l/x"));
    assert_eq!((metrics.every, metrics.export.gzip, logs.gzip), (Duration::from_secs(5), true, false));
    assert_eq!(metrics.export.headers, [("a".to_owned(), "b c".to_owned()), ("d".to_owned(), "e".to_owned())]);
    assert!(warnings.is_empty());
    // A collector for spans does not get what is scraped or logged anyway.
    let Standard { metrics, logs, .. } = read(&[HERE]).expect("sound");
    assert!(metrics.is_none() && logs.is_none());
    let fault = read(&[asked[0], asked[1], ("OTEL_METRIC_EXPORT_INTERVAL", "1m")]).expect_err("no number");
    assert!(fault.contains("OTEL_METRIC_EXPORT_INTERVAL") && fault.contains("milliseconds"), "{fault}");
    let off = read(&[asked[1], asked[2], ("OTEL_SDK_DISABLED", "true")]).expect("sound");
    assert!(off.metrics.is_none() && off.logs.is_none());
}

#[test]
fn what_is_asked_for_and_not_done_is_named() {
    let warned = read(&[
        ("OTEL_METRICS_EXPORTER", "statsd"),
        ("OTEL_LOGS_EXPORTER", "syslog,console"),
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
