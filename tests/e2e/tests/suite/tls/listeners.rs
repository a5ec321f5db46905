//! The hubs' and the operator's listener: every transport, old versions, bad clients, client certificates.

use std::time::Duration;

use fanfare_e2e_tests::line::{self, Speaking};
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{Node, Raw, Request, Settings, Transport};
use fanfare_test_servers::certificates::Certificates;

use super::{Authority, start, works};

/// The first bytes of a handshake with its length, and then nothing.
const HALF_HELLO: &[u8] = &[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3];

#[tokio::test]
async fn every_transport_works_over_both_versions_of_tls() {
    let authority = Authority::new();
    let node = start(authority.both(), &Speaking::of(&authority.certificates)).await;
    for (version, speaking) in
        [("new", Speaking::of(&authority.certificates)), ("old", Speaking::of(&authority.certificates).old())]
    {
        speaking.to(node.address());
        for transport in Transport::ALL {
            works(&node, transport, &format!("{version} {transport:?}")).await;
        }
    }
    assert!(node.metric("fanfare_certificate_expires_timestamp_seconds", "hubs").await > 1.9e9);
    assert!(node.metric("fanfare_certificate_expires_timestamp_seconds", "operator").await > 1.9e9);
}

#[tokio::test]
async fn a_client_that_speaks_no_version_that_is_new_enough_is_refused() {
    let authority = Authority::new();
    let settings = Settings::default().section(&authority.section("tls", "minimum_version = \"1.3\""));
    let node = Node::start_with(settings).await;
    Speaking::of(&authority.certificates).old().to(node.address());
    assert!(line::connect(node.address()).await.is_err());
    Speaking::of(&authority.certificates).to(node.address());
    works(&node, Transport::WebSocket, "new").await;
}

/// A client that opens connections and never ends their handshakes occupies places for as long as a head may take, and
/// locks nobody out.
#[tokio::test]
async fn a_handshake_that_never_ends_is_cut_off_and_locks_nobody_out() {
    let authority = Authority::new();
    let settings = authority.both().section("[limits]\nhead_seconds = 2").node("http_connections = 64");
    let node = start(settings, &Speaking::of(&authority.certificates)).await;
    let mut half = Vec::new();
    for number in 0..200 {
        let mut raw = Raw::connect(node.address(), "").await.expect("connects");
        if number % 2 == 0 {
            raw.write(HALF_HELLO).await.expect("sent");
        }
        half.push(raw);
    }
    works(&node, Transport::WebSocket, "between").await;
    for raw in &mut half {
        assert!(raw.closes_within(Duration::from_secs(30)).await, "a handshake that never ends stays open");
    }
    assert!(node.metric("fanfare_http_refused", "tls_late").await >= 1.0);
    assert!(node.metric("fanfare_http_refused", "http_gave_way").await >= 100.0, "more than may wait came");
    works(&node, Transport::EventStream, "after").await;
}

#[tokio::test]
async fn plain_http_at_a_tls_port_is_answered_and_does_not_flood_the_log() {
    let authority = Authority::new();
    let node = start(authority.both(), &Speaking::of(&authority.certificates)).await;
    for _ in 0..50 {
        let mut raw = Raw::connect(node.address(), "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("connects");
        let answer = raw.answer().await.expect("an answer");
        assert_eq!(answer.status, 400);
        assert_eq!(answer.text(), "This port speaks TLS: its URLs begin with https:// or wss://.\n");
        assert!(raw.closes_within(Duration::from_secs(10)).await);
    }
    until("all to be counted", async || (node.metric("fanfare_http_refused", "not_tls").await >= 50.0).then_some(()))
        .await;
    let lines = node.lines("a TLS handshake failed").len();
    assert!((1..50).contains(&lines), "{lines} lines");
}

/// Bytes that are not a handshake after its first byte, and a connection that breaks off in the middle.
#[tokio::test]
async fn rubbish_within_tls_ends_its_connection_alone() {
    let authority = Authority::new();
    let node = start(authority.both(), &Speaking::of(&authority.certificates)).await;
    for bytes in [&[22, 3, 1, 0, 5, 1, 0, 0, 1, 0][..], &[22, 255, 255, 255, 255][..], &[22; 4096][..]] {
        let mut raw = Raw::connect(node.address(), "").await.expect("connects");
        raw.write(bytes).await.expect("sent");
        raw.finish().await.expect("finished");
        assert!(raw.closes_within(Duration::from_secs(10)).await, "{bytes:?}");
    }
    works(&node, Transport::LongPolling, "after").await;
}

#[tokio::test]
async fn the_operators_port_asks_for_certificates_and_answers_probes_without() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let ca = format!("client_ca_file = {:?}", authority.certificates.ca);
    let settings = Settings::default().section(&authority.section("operator_tls", &ca));
    let node = Node::prepare(settings);
    let (admin, speaking) = (node.admin_address(), Speaking::of(&authority.certificates));
    speaking.to(admin);
    let mut node = node;
    node.start().await;
    for (path, status) in [("/healthz", 200), ("/readyz", 200), ("/metrics", 403), ("/", 403), ("/nowhere", 403)] {
        Request::get(path).send(admin).await.expect("an answer").expect(status);
    }
    let refused = Request::get("/metrics").send(admin).await.expect("an answer").text();
    assert!(refused.contains("client_ca_file"), "{refused}");
    speaking.clone().showing().to(admin);
    Request::get("/metrics").send(admin).await.expect("an answer").expect(200);
    Request::get("/deadletters").send(admin).await.expect("an answer").expect(401);

    // A certificate that another authority signed is refused.
    let forged = Certificates { ca: authority.certificates.ca.clone(), ..stranger.certificates.clone() };
    Speaking::of(&forged).showing().to(admin);
    assert!(Request::get("/healthz").send(admin).await.is_err());
}
