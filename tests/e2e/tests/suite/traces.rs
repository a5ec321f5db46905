//! One trace of a client's actions: negotiate, connect, its calls, and its replay.

use fanfare_e2e_tests::client::Connect;
use fanfare_e2e_tests::process::{self, Process};
use fanfare_e2e_tests::stub::Stub;
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{HUB, NewEvent, Node, Settings, Token};
use fanfare_test_servers::{free_port, skip, tool};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::json;

/// Receives a collector's requests, and acknowledges them.
const COLLECTOR: &str = r#"
receivers:
  otlp: {protocols: {http: {endpoint: "127.0.0.1:PORT"}}}
exporters:
  debug: {verbosity: detailed}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], exporters: [debug]}
    metrics: {receivers: [otlp], exporters: [debug]}
    logs: {receivers: [otlp], exporters: [debug]}
"#;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// The spans that a collector received.
fn spans(collector: &Stub) -> Vec<Span> {
    let mut found = Vec::new();
    for request in collector.requests() {
        let body = request.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
        let posted = ExportTraceServiceRequest::decode(&request[body..]).expect("spans");
        let scopes = posted.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        found.extend(scopes.flat_map(|scope| scope.spans));
    }
    found
}

fn named<'s>(spans: &'s [Span], name: &str, within: &Span) -> &'s Span {
    let children = spans.iter().filter(|span| span.parent_span_id == within.span_id);
    let names: Vec<&str> = children.clone().map(|span| span.name.as_str()).collect();
    children.into_iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name} among {names:?}"))
}

fn said(span: &Span, field: &str) -> String {
    let value = span.attributes.iter().find(|attribute| attribute.key == field).and_then(|found| found.value.clone());
    format!("{:?}", value.and_then(|value| value.value))
}

#[tokio::test]
async fn a_returning_tab_leaves_one_trace_from_its_negotiation_to_its_replay() {
    let collector = Stub::start("{}").await;
    let settings = Settings::default().environment("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url());
    let mut node = Node::start_with(settings).await;
    let cursor = node.tab(&Token::user("alice", "acme")).await.cursor().await;
    node.publish(&[NewEvent::alert("acme", "missed")]).await;
    // A browser can send its trace when it negotiates, but not for its WebSocket.
    let negotiated = Connect::new(HUB, Token::user("alice", "acme").sign())
        .header("traceparent", &format!("00-{TRACE}-00f067aa0ba902b7-01"))
        .negotiate(node.address())
        .await
        .expect("an answer")
        .json();
    let id = negotiated["connectionToken"].as_str().expect("a token");
    let connect = Connect::new(HUB, Token::user("alice", "acme").sign());
    let mut tab = connect.handshaken(node.address(), id).await;
    let answer = tab.invoke("Resume", json!([cursor])).await.expect("answered");
    assert_eq!(answer["complete"], true, "{answer}");
    drop(tab);
    // Without a good token no trace is continued.
    let stranger =
        Connect::new(HUB, "no token").header("traceparent", &format!("00-{}-00f067aa0ba902b7-01", "ab".repeat(16)));
    assert_eq!(stranger.negotiate(node.address()).await.expect("an answer").status, 401);
    // Without a sampled parent it starts its own trace.
    drop(node.tab(&Token::user("bob", "acme")).await);
    node.stop().await;

    let spans = spans(&collector);
    assert!(spans.iter().all(|span| span.trace_id != [0xab; 16]), "{spans:?}");
    let negotiate = spans.iter().find(|span| span.name == "negotiate" && hex(&span.trace_id) == TRACE);
    let negotiate = negotiate.unwrap_or_else(|| panic!("{spans:?}"));
    assert_eq!(hex(&negotiate.parent_span_id), "00f067aa0ba902b7");
    assert!(said(negotiate, "hub").contains(HUB));
    let connect = named(&spans, "connect", negotiate);
    assert_eq!(said(connect, "connection"), said(negotiate, "connection"));
    let call = named(&spans, "call", connect);
    assert!(said(call, "method").contains("Resume"));
    let resume = named(&spans, "resume", call);
    assert!(said(resume, "sent").contains('1') && said(resume, "complete").contains("true"), "{resume:?}");
    let others = spans.iter().filter(|span| span.name == "connect" && hex(&span.trace_id) != TRACE);
    assert_eq!(others.count(), 2);
}

#[tokio::test]
async fn a_collector_takes_spans_metrics_and_log_lines() {
    let Some(program) = tool("collector/collector") else {
        return skip("a collector of OpenTelemetry", "it could not be built");
    };
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let config = folder.path().join("collector.yaml");
    std::fs::write(&config, COLLECTOR.replace("PORT", &port.to_string())).expect("written");
    let mut command = std::process::Command::new(program);
    command.arg("--config").arg(&config);
    let collector = Process::start("collector", folder.path(), command);
    let log = process::log_path(folder.path(), "collector");
    let says = async |what: &str| {
        until(what, async || process::read(&log).contains(what).then_some(())).await;
    };
    says("Everything is ready").await;
    let settings = Settings::default()
        .environment("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://127.0.0.1:{port}"))
        .environment("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        .environment("OTEL_METRICS_EXPORTER", "otlp")
        .environment("OTEL_LOGS_EXPORTER", "otlp");
    let mut node = Node::start_with(settings).await;
    drop(node.tab(&Token::user("alice", "acme")).await);
    node.stop().await;
    for what in [
        "service.name: Str(fanout)",
        "service.instance.id: Str(",
        // A span, a metric of each kind, a log line with its fields.
        "Name           : negotiate",
        "-> Name: fanfare_connects",
        "-> Name: fanfare_ready",
        "-> Name: fanfare_connection_seconds",
        "Body: Str(listening)",
        "SeverityText: INFO",
    ] {
        says(what).await;
    }
    assert!(!node.log().contains("cannot be posted"), "{}", node.log());
    collector.kill();
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
