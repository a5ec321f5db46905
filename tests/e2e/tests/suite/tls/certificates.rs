//! Certificates that are renewed, replaced or expired while the node runs.

use fanfare_e2e_tests::line::{self, Speaking};
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{NewEvent, Node, Request, Settings, Token};
use fanfare_test_servers::certificates::Certificates;

use super::{Authority, start};

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
