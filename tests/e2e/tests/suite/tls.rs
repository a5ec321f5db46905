//! TLS on the hubs' and on the operator's listener: every transport, bad clients, changing certificates.

use std::path::Path;
use std::time::Duration;

use fanfare_e2e_tests::client::{Connect, HANDSHAKE};
use fanfare_e2e_tests::line::{self, Speaking};
use fanfare_e2e_tests::wait::{at_most, until};
use fanfare_e2e_tests::websocket::{Frame, TEXT, WebSocket, frame};
use fanfare_e2e_tests::{HUB, NewEvent, Node, Raw, Request, Settings, Token, Transport, Wire};
use fanfare_test_servers::certificates::Certificates;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;

/// The first bytes of a handshake with its length, and then nothing.
const HALF_HELLO: &[u8] = &[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3];

/// Certificates of the test's own authority.
struct Authority {
    folder: TempDir,
    certificates: Certificates,
}

impl Authority {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let certificates = Certificates::write(folder.path());
        Self { folder, certificates }
    }

    /// The section of a listener.
    fn section(&self, name: &str, more: &str) -> String {
        let (certificate, key) = &self.certificates.server;
        format!("[node.{name}]\ncert_file = {certificate:?}\nkey_file = {key:?}\n{more}")
    }

    /// Both listeners speak TLS.
    fn both(&self) -> Settings {
        Settings::default().section(&self.section("tls", "")).section(&self.section("operator_tls", ""))
    }

    /// Replaces the server's files with those of another authority, as a renewal does.
    fn renew(&self) -> Certificates {
        let folder = TempDir::new_in(self.folder.path()).expect("a folder").keep();
        let newer = Certificates::write(&folder);
        copy(&newer.server.0, &self.certificates.server.0);
        copy(&newer.server.1, &self.certificates.server.1);
        newer
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::copy(from, to).expect("copied");
}

/// A running node, to which all of the test connects with TLS.
async fn start(settings: Settings, speaking: &Speaking) -> Node {
    let mut node = Node::prepare(settings);
    speaking.to(node.address());
    speaking.to(node.admin_address());
    node.start().await;
    node
}

fn alice() -> Connect {
    Connect::new(HUB, Token::user("alice", "acme").sign())
}

/// Opens a tab, calls a method, publishes, and receives.
async fn works(node: &Node, transport: Transport, title: &str) {
    let wire = Wire::connect(&alice(), transport, node.address()).await.expect("connects");
    let mut tab = wire.unwrap_or_else(|refused| panic!("{transport:?}: {}", refused.text()));
    let cursor = tab.try_invoke("Cursor", json!([])).await.expect("answered").expect("a cursor");
    assert!(cursor.is_string(), "{transport:?}");
    // Larger than a TLS record, and than what is encrypted ahead.
    let body = json!({ "org": "acme", "title": title, "message": "m".repeat(100_000) });
    node.publish(&[NewEvent::new("system.Alert", title, &body)]).await;
    loop {
        match at_most("a toast", tab.receive()).await {
            fanfare_e2e_tests::Message::Notification(_, told) if told["title"] == title => {
                assert_eq!(told["message"].as_str().map(str::len), Some(100_000), "{transport:?}");
                return;
            }
            fanfare_e2e_tests::Message::Ping | fanfare_e2e_tests::Message::Notification(..) => {}
            other => panic!("{transport:?}: {other:?} instead of a toast"),
        }
    }
}

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

async fn shown(node: &Node) -> Vec<u8> {
    line::shown(&line::connect(node.address()).await.expect("a handshake")).expect("a certificate")
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_without_a_signal_and_moves_no_tab() {
    let authority = Authority::new();
    let node = start(authority.both(), &Speaking::of(&authority.certificates)).await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    tab.cursor().await;
    let before = shown(&node).await;
    let newer = authority.renew();
    // A client that trusts only the older authority can no longer connect, which shows the change.
    until("the other certificate", async || line::connect(node.address()).await.is_err().then_some(())).await;
    Speaking::of(&newer).to(node.address());
    Speaking::of(&newer).to(node.admin_address());
    assert_ne!(shown(&node).await, before);
    node.publish(&[NewEvent::alert("acme", "still there")]).await;
    assert_eq!(tab.expect("toast").await["title"], "still there");
    assert_eq!(node.metric("fanfare_certificate_reloads", "replaced").await, 1.0);

    // A bad file is reported, and everything stays as it is.
    let good = shown(&node).await;
    std::fs::write(&authority.certificates.server.1, "no key").expect("written");
    until("the fault to be told", async || {
        (node.metric("fanfare_certificate_reloads", "faulty").await >= 1.0).then_some(())
    })
    .await;
    assert_eq!(shown(&node).await, good);
    let told = node.lines("the changed certificates have a fault: those before stay in use");
    assert_eq!(told.len(), 1, "it is told once");
    assert!(told[0]["fault"].as_str().is_some_and(|fault| fault.contains("`key_file` holds no private key in PEM")));
}

#[tokio::test]
async fn a_signal_reads_certificates_and_client_authorities_again() {
    let (authority, other) = (Authority::new(), Authority::new());
    let ca = format!("client_ca_file = {:?}", authority.certificates.ca);
    let settings =
        Settings::default().section(&authority.section("tls", "")).section(&authority.section("operator_tls", &ca));
    let mut node = Node::prepare(settings);
    let showing = Speaking::of(&authority.certificates).showing();
    showing.to(node.admin_address());
    Speaking::of(&authority.certificates).to(node.address());
    node.start().await;
    Request::get("/metrics").send(node.admin_address()).await.expect("an answer").expect(200);

    // Another file is configured: the earlier clients are no longer trusted.
    let text = std::fs::read_to_string(node.config()).expect("a configuration");
    let (old, new) = (authority.certificates.ca.display().to_string(), other.certificates.ca.display().to_string());
    std::fs::write(node.config(), text.replace(&old, &new)).expect("written");
    node.signal("HUP");
    until("the client to be refused", async || {
        Request::get("/metrics").send(node.admin_address()).await.is_err().then_some(())
    })
    .await;
    let trusted = Certificates { client: other.certificates.client.clone(), ..authority.certificates.clone() };
    Speaking::of(&trusted).showing().to(node.admin_address());
    Request::get("/metrics").send(node.admin_address()).await.expect("an answer").expect(200);

    // A fault changes nothing, and is reported with its place.
    let text = std::fs::read_to_string(node.config()).expect("a configuration");
    std::fs::write(node.config(), text.replace(&new, "/nowhere/ca.pem")).expect("written");
    node.signal("HUP");
    let fault = until("the fault", async || {
        let lines = node.lines("the changed configuration has a fault: the one before stays in use");
        lines.first().and_then(|line| line["fault"].as_str().map(str::to_owned))
    })
    .await;
    assert!(fault.contains("`client_ca_file` cannot be read: No such file"), "{fault}");
    Request::get("/metrics").send(node.admin_address()).await.expect("an answer").expect(200);

    // Only a restart starts or ends TLS on a listener.
    let mut is_within = false;
    let kept = text.lines().filter(|line| {
        is_within = *line == "[node.tls]" || is_within && !line.starts_with('[');
        !is_within
    });
    let kept = kept.collect::<Vec<_>>().join("\n");
    std::fs::write(node.config(), kept).expect("written");
    node.signal("HUP");
    until("the needed start", async || {
        (node.metric("fanfare_config_reloads", "needs_start").await >= 1.0).then_some(())
    })
    .await;
    let _still_tls = shown(&node).await;
}

#[tokio::test]
async fn an_expired_certificate_is_reported_and_stops_no_node() {
    let authority = Authority::new();
    let expired = Certificates::write_good(authority.folder.path(), (2020, 1, 1), (2021, 1, 1));
    let (certificate, key) = &expired.server;
    let settings = Settings::default().section(&format!("[node.tls]\ncert_file = {certificate:?}\nkey_file = {key:?}"));
    let node = Node::start_with(settings).await;
    assert_eq!(node.metric("fanfare_certificate_expires_timestamp_seconds", "hubs").await, 1_609_459_200.0);
    let lines = node.lines("the certificate has expired, at 2021-01-01T00:00:00Z: clients refuse it");
    assert_eq!(lines.len(), 1, "{}", node.log());
    Speaking::of(&expired).to(node.address());
    assert!(line::connect(node.address()).await.is_err(), "clients refuse it");
    let checked = node.fanfare(&["check"]).await;
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    let warned = "warning: the certificate has expired, at 2021-01-01T00:00:00Z: clients refuse it";
    assert!(checked.stderr.contains(warned), "{}", checked.stderr);
    assert!(checked.stderr.contains("fanfare.toml:"), "with its place: {}", checked.stderr);
}

fn small() -> &'static str {
    "[limits]\nqueue_bytes = 32768\nevent_bytes = 16384\nkeepalive_seconds = 1\nclient_timeout_seconds = 3"
}

#[tokio::test]
async fn a_tab_that_reads_nothing_within_tls_is_bounded_and_let_go() {
    let authority = Authority::new();
    let settings = authority.both().section(small());
    let node = start(settings, &Speaking::of(&authority.certificates)).await;
    let _deaf = node.tab(&Token::user("bob", "acme")).await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    let (mut sent, producer, before) = (0, Token::producer().sign(), node.resident());
    while node.metric("fanfare_slow_consumers", "").await < 1.0 {
        assert!(sent < 4000, "the node goes on queueing for a tab that reads nothing");
        for _ in 0..20 {
            sent += 1;
            let body = json!({ "org": "acme", "title": sent.to_string(), "message": "m".repeat(12_000) });
            node.post(&producer, &NewEvent::new("system.Alert", &sent.to_string(), &body)).await.expect(202);
            let toast = tokio::time::timeout(Duration::from_secs(5), tab.expect("toast")).await;
            assert_eq!(toast.expect("the other tab is on time")["title"], sent.to_string());
        }
    }
    let grown = node.resident().saturating_sub(before);
    assert!(grown < 200 << 20, "{grown} bytes more for one tab");
}

#[tokio::test]
async fn a_burst_larger_than_the_queue_drops_no_tab_that_reads_within_tls() {
    const BURST: usize = 64;
    let authority = Authority::new();
    let settings = authority.both().section(small());
    let node = start(settings, &Speaking::of(&authority.certificates)).await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    tab.cursor().await;
    node.publish(&NewEvent::burst(BURST)).await;
    for number in 0..BURST {
        assert_eq!(tab.expect("toast").await["title"], number.to_string());
    }
    assert_eq!(node.metric("fanfare_slow_consumers", "").await, 0.0);
}

/// Bytes that were decrypted with the end of the request are no longer in the socket, so it does not become readable
/// for them.
#[tokio::test]
async fn bytes_right_after_the_upgrade_request_are_read() {
    let authority = Authority::new();
    let node = start(authority.both(), &Speaking::of(&authority.certificates)).await;
    let text = |text: &str| frame(TEXT, true, text.as_bytes());
    let mut bytes = text(HANDSHAKE);
    // In one record, and more than HTTP reads ahead: the rest is in the TLS session, and the socket is empty.
    for _ in 0..600 {
        bytes.extend(text("{\"type\":6}\u{1e}"));
    }
    bytes.extend(text("{\"type\":1,\"invocationId\":\"1\",\"target\":\"Cursor\",\"arguments\":[]}\u{1e}"));
    let request = Request::get(HUB).bearer(Token::user("alice", "acme").sign());
    let mut socket = WebSocket::open_with(node.address(), request, &bytes).await.expect("opened");
    loop {
        match at_most("an answer", socket.next()).await.expect("an open socket") {
            Some(Frame::Text(told)) if told.contains("\"invocationId\":\"1\"") => break,
            Some(Frame::Text(_) | Frame::Ping(_)) => {}
            other => panic!("{other:?} instead of an answer"),
        }
    }
}

#[tokio::test]
async fn an_issuer_with_endlessly_many_keys_is_cut_off_and_no_other() {
    let authority = Authority::new();
    let node = start(authority.both(), &Speaking::of(&authority.certificates)).await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    tab.cursor().await;
    let mut socket = alice().open(node.address(), None).await.expect("an answer").expect("opened");
    socket.send(HANDSHAKE).await.expect("sent");
    line::take_other_keys(socket.line(), 5).await.expect("a few are in order");
    socket.send("{\"type\":6}\u{1e}").await.expect("with other keys");
    let _ = line::take_other_keys(socket.line(), 100).await;
    at_most("its end", async { while socket.next().await.is_ok_and(|frame| frame.is_some()) {} }).await;
    // Before a request, too.
    let mut line = line::connect(node.address()).await.expect("a handshake");
    let _ = line::take_other_keys(&mut line, 100).await;
    let mut rest = Vec::new();
    let _ = at_most("its end", line.read_to_end(&mut rest)).await;
    node.publish(&[NewEvent::alert("acme", "still there")]).await;
    assert_eq!(tab.expect("toast").await["title"], "still there");
}
