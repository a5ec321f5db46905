//! One trace of what a client does: negotiate, connect, its calls, and what is read again for it.

use fanfare_e2e_tests::client::Connect;
use fanfare_e2e_tests::stub::Stub;
use fanfare_e2e_tests::{HUB, NewEvent, Node, Settings, Token};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::json;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// The spans that a collector was posted.
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
async fn a_tab_that_returns_leaves_one_trace_from_its_negotiation_to_what_it_was_told_again() {
    let collector = Stub::start("{}").await;
    let settings = Settings::default().environment("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url());
    let mut node = Node::start_with(settings).await;
    let cursor = node.tab(&Token::user("alice", "acme")).await.cursor().await;
    node.publish(&[NewEvent::alert("acme", "missed")]).await;
    // A browser can name its trace where it negotiates, and not for its WebSocket.
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
    // Nobody else's: without a sampled parent it begins a trace of its own.
    drop(node.tab(&Token::user("bob", "acme")).await);
    node.stop().await;

    let spans = spans(&collector);
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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
