//! `init` as a process calls it: its environment, its exporter and its second call.
//!
//! The environment belongs to a whole process, so each case runs in a child process: this test binary again, with one
//! of the ignored tests below.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use fanfare_telemetry::{LogFormat, TelemetryError};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{metric, number_data_point};
use prost::Message as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use tracing::{info, info_span, warn};

fn child(case: &str, environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(std::env::current_exe().expect("the path of this binary"));
    command.args(["--exact", case, "--ignored", "--nocapture"]);
    for (name, _) in std::env::vars().filter(|(name, _)| name == "FANFARE_LOG" || name.starts_with("OTEL_")) {
        command.env_remove(name);
    }
    // The collector of the test is on this machine; a proxy in between would not find it.
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        command.env_remove(name);
    }
    let output = command.envs(environment.iter().copied()).output().expect("the child starts");
    assert!(
        output.status.success(),
        "{case}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{case} did not run");
    output
}

#[test]
#[ignore = "runs in a child"]
fn in_child_init_twice() {
    let _guard = fanfare_telemetry::init("twice", LogFormat::Json).unwrap();
    let fault = fanfare_telemetry::init("twice", LogFormat::Pretty).expect_err("the process has a subscriber");
    assert!(matches!(fault, TelemetryError::AlreadyInitialised), "{fault:?}");
    info!("still logging");
}

#[test]
fn a_second_init_is_an_error_and_the_first_goes_on() {
    let output = child("in_child_init_twice", &[]);
    let lines = String::from_utf8(output.stderr).unwrap();
    assert!(lines.contains("\"service\":\"twice\"") && lines.contains("still logging"), "{lines}");
}

#[test]
#[ignore = "runs in a child"]
fn in_child_log_two_levels() {
    let _guard = fanfare_telemetry::init("levels", LogFormat::Pretty).unwrap();
    info!("said quietly");
    warn!("said loudly");
}

#[test]
fn the_environment_filters_the_lines() {
    let quiet = String::from_utf8(child("in_child_log_two_levels", &[("FANFARE_LOG", "warn")]).stderr).unwrap();
    assert!(!quiet.contains("said quietly") && quiet.contains("said loudly"), "{quiet}");
    let default = String::from_utf8(child("in_child_log_two_levels", &[("FANFARE_LOG", " ")]).stderr).unwrap();
    assert!(default.contains("said quietly"), "an empty variable is as good as none: {default}");
}

#[test]
#[ignore = "runs in a child"]
fn in_child_make_one_span() {
    let guard = fanfare_telemetry::init("exporting-service", LogFormat::Json).unwrap();
    info_span!("the-only-span", event_type = "license.FlagToggled").in_scope(|| {
        println!("trace {}", fanfare_telemetry::traceparent().unwrap());
        warn!("something to tell");
    });
    guard.shutdown();
}

#[test]
fn spans_are_posted_to_the_collector_as_protobuf() {
    let (endpoint, posts) = collector();

    let output = child("in_child_make_one_span", &[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())]);

    let post = posts.recv_timeout(Duration::from_secs(10)).expect("the collector was asked");
    assert_eq!(post.request, "POST /v1/traces HTTP/1.1");
    assert!(post.headers.iter().any(|header| header == "content-type: application/x-protobuf"), "{:?}", post.headers);
    for word in ["exporting-service", "the-only-span", "license.FlagToggled", "something to tell"] {
        assert!(contains(&post.body, word.as_bytes()), "{word} is not in the body");
    }
    let stdout = String::from_utf8(output.stdout).unwrap();
    let header = stdout.lines().find_map(|line| line.split_once("trace 00-")).expect("the child printed it").1;
    assert!(header.ends_with("-01"), "a span that is exported is sampled: {header}");
    assert!(contains(&post.body, &unhex(&header[..32])), "the posted span has the trace id of the traceparent");
}

/// A collector that answers and passes on what it receives.
fn collector() -> (String, mpsc::Receiver<Post>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let (tell, posts) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let post = answer(stream.expect("a connection")).expect("a post");
            tell.send(post).expect("the test goes on");
        }
    });
    (endpoint, posts)
}

#[test]
fn the_environment_names_the_service_and_how_its_spans_are_sent() {
    let (endpoint, posts) = collector();
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_SERVICE_NAME", "push"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=seven"),
        ("OTEL_METRICS_EXPORTER", "statsd"),
    ];
    let output = child("in_child_make_one_span", &environment);
    let post = posts.recv_timeout(Duration::from_secs(10)).expect("the collector was asked");
    assert!(contains(&post.body, b"push") && !contains(&post.body, b"exporting-service"));
    assert!(post.headers.iter().any(|header| header == "x-tenant: seven"), "{:?}", post.headers);
    let lines = String::from_utf8(output.stderr).unwrap();
    assert!(lines.contains("OTEL_METRICS_EXPORTER") && lines.contains("/metrics"), "{lines}");

    child("in_child_make_one_span", &[environment[0], ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")]);
    let post = posts.recv_timeout(Duration::from_secs(10)).expect("the collector was asked");
    assert!(post.headers.iter().any(|header| header == "content-encoding: gzip"), "{:?}", post.headers);
    assert!(post.body.starts_with(&[0x1f, 0x8b]), "{:?}", post.body);
}

#[test]
#[ignore = "runs in a child"]
fn in_child_count_and_log() {
    let mut guard = fanfare_telemetry::init("counting-service", LogFormat::Json).unwrap();
    let mut registry = fanfare_telemetry::metrics::registry(&[]);
    let metrics = fanfare_telemetry::metrics::FanoutMetrics::new(&mut registry);
    metrics.event_duplicate();
    guard.push_metrics(move || fanfare_telemetry::metrics::encode(&registry)).unwrap();
    info_span!("a-span").in_scope(|| {
        println!("trace {}", fanfare_telemetry::trace_id().unwrap());
        warn!(org = "acme", "something to tell");
    });
    guard.shutdown();
}

#[test]
fn metrics_and_log_lines_are_posted_where_the_environment_asks_for_it() {
    let (endpoint, posts) = collector();
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_METRICS_EXPORTER", "otlp"),
        ("OTEL_LOGS_EXPORTER", "otlp"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=number%20seven"),
    ];
    let output = child("in_child_count_and_log", &environment);
    let all: Vec<Post> = posts.try_iter().collect();
    let posted = |path: &str| {
        let post = all.iter().find(|post| post.request == format!("POST {path} HTTP/1.1"));
        let post = post.unwrap_or_else(|| panic!("nothing was posted to {path}"));
        assert!(post.headers.iter().any(|header| header == "x-tenant: number seven"), "{:?}", post.headers);
        &post.body[..]
    };
    let metrics = ExportMetricsServiceRequest::decode(posted("/v1/metrics")).expect("metrics");
    let [of] = &metrics.resource_metrics[..] else { panic!("{metrics:?}") };
    let attributes = &of.resource.as_ref().expect("a resource").attributes;
    let names: Vec<&str> = attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    assert!(names.contains(&"service.name") && names.contains(&"service.instance.id"), "{names:?}");
    let duplicates = of.scope_metrics[0].metrics.iter().find(|metric| metric.name == "fanfare_events_duplicate");
    let Some(metric::Data::Sum(sum)) = duplicates.and_then(|metric| metric.data.clone()) else { panic!("{of:?}") };
    assert_eq!(sum.data_points[0].value, Some(number_data_point::Value::AsDouble(1.0)));
    let logs = ExportLogsServiceRequest::decode(posted("/v1/logs")).expect("log lines");
    let lines = logs.resource_logs.iter().flat_map(|of| &of.scope_logs).flat_map(|of| &of.log_records);
    let line = lines.into_iter().find(|line| format!("{:?}", line.body).contains("something to tell"));
    let line = line.unwrap_or_else(|| panic!("{logs:?}"));
    assert!(line.severity_text == "WARN" && format!("{:?}", line.attributes).contains("acme"), "{line:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let trace = stdout.lines().find_map(|line| line.split_once("trace ")).expect("the child printed it").1;
    assert_eq!(line.trace_id, unhex(trace), "a line is found by the trace that it was written in");
    assert!(String::from_utf8(output.stderr).unwrap().contains("something to tell"), "and is written as ever");
}

#[test]
fn metrics_of_a_collector_that_hangs_end_with_the_process() {
    // It accepts connections, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", silent.local_addr().expect("an address"));
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_METRICS_EXPORTER", "otlp"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "600000"),
    ];
    let (done, ended) = mpsc::channel();
    let begun = std::time::Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            child("in_child_count_and_log", &environment);
            done.send(()).expect("the test goes on");
        });
        ended.recv_timeout(Duration::from_secs(120)).expect("the process ends");
    });
    assert!(begun.elapsed() < Duration::from_secs(100), "it waits for 5 seconds: {:?}", begun.elapsed());
}

/// Certificates of a private authority: its own, a server's and a client's, each with its key.
struct Certificates {
    ca: String,
    server: (String, KeyPair),
    client: (String, KeyPair),
}

impl Certificates {
    fn new() -> Self {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = || KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(authority, key()).expect("an authority");
        let issue = |name: &str, purpose| {
            let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
            params.extended_key_usages = vec![purpose];
            let key = key();
            (params.signed_by(&key, &authority).expect("a certificate").pem(), key)
        };
        let server = issue("127.0.0.1", ExtendedKeyUsagePurpose::ServerAuth);
        let client = issue("client", ExtendedKeyUsagePurpose::ClientAuth);
        Self { ca: authority.pem(), server, client }
    }

    /// The configuration of a server that requires client certificates.
    fn server(&self) -> Arc<ServerConfig> {
        let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(der(&self.ca)).expect("an authority");
        let clients = WebPkiClientVerifier::builder(Arc::new(roots)).build().expect("a verifier");
        let key = PrivateKeyDer::from_pem_slice(self.server.1.serialize_pem().as_bytes()).expect("a key");
        let config = ServerConfig::builder().with_client_cert_verifier(clients);
        Arc::new(config.with_single_cert(vec![der(&self.server.0)], key).expect("a certificate and its key"))
    }
}

#[test]
fn the_environment_names_the_certificates_of_the_collector_and_for_it() {
    let certificates = Certificates::new();
    let config = certificates.server();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("https://{}", listener.local_addr().expect("an address"));
    let (tell, posts) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let session = ServerConnection::new(Arc::clone(&config)).expect("a session");
            // A client that does not trust the authority, or is not trusted, disconnects.
            if let Some(post) = answer(StreamOwned::new(session, stream.expect("a connection"))) {
                tell.send(post).expect("the test goes on");
            }
        }
    });
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("written");
        folder.path().join(name).display().to_string()
    };
    let (ca, certificate) = (file("ca.pem", &certificates.ca), file("client.pem", &certificates.client.0));
    let key = file("client-key.pem", &certificates.client.1.serialize_pem());
    let known = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", &certificate),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", &key),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", &ca),
    ];
    child("in_child_make_one_span", &known[..3]);
    child("in_child_make_one_span", &[known[0], known[3]]);
    assert!(posts.try_recv().is_err(), "neither a collector that is unknown nor one that does not know its client");
    child("in_child_make_one_span", &known);
    let post = posts.recv_timeout(Duration::from_secs(10)).expect("the collector was asked");
    assert!(contains(&post.body, b"the-only-span"));
}

#[test]
#[ignore = "runs in a child"]
fn in_child_init_is_refused() {
    let fault = fanfare_telemetry::init("refused", LogFormat::Json).expect_err("the environment asks for too much");
    println!("refused: {fault}");
}

#[test]
fn missing_features_that_the_environment_asks_for_are_refused_by_name() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://127.0.0.1:4318");
    let file = std::env::temp_dir().join(format!("fanfare-no-certificate-{}", std::process::id()));
    std::fs::write(&file, "no certificate").expect("written");
    let file = file.display().to_string();
    for (name, value, told) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such/file.pem", "/no/such/file.pem cannot be read"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", &file, "no certificate"),
        ("OTEL_TRACES_EXPORTER", "jaeger", "OTEL_TRACES_EXPORTER=\"jaeger\""),
    ] {
        let output = child("in_child_init_is_refused", &[endpoint, (name, value)]);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains(told), "{name}={value}: {said}");
    }
    std::fs::remove_file(file).expect("removed");
}

#[test]
fn spans_of_a_service_that_is_configured_so_go_nowhere() {
    let (endpoint, posts) = collector();
    let here = ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str());
    for more in [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none"), ("OTEL_TRACES_SAMPLER_ARG", "0")] {
        child("in_child_make_one_span", &[here, more]);
        assert!(posts.try_recv().is_err(), "{more:?}");
    }
}

#[test]
fn a_collector_that_is_not_there_is_reported_and_ends_nothing() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = format!("http://{closed}");
    let output = child("in_child_make_one_span", &[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())]);
    let lines = String::from_utf8(output.stderr).unwrap();
    assert!(lines.contains("BatchSpanProcessor") || lines.contains("opentelemetry"), "nothing was said: {lines}");
}

struct Post {
    request: String,
    headers: Vec<String>,
    body: Vec<u8>,
}

/// Receives a post and answers it; nothing if the client disconnects.
fn answer(stream: impl Read + Write) -> Option<Post> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let request = head.remove(0);
    let length = head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.expect("a length")];
    reader.read_exact(&mut body).expect("the whole body");
    let reply =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    reader.get_mut().write_all(reply).expect("the exporter waits for the reply");
    Some(Post { request, headers: head.into_iter().map(|line| line.to_lowercase()).collect(), body })
}

fn contains(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal")).collect()
}
