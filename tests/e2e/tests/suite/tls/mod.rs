//! TLS: listeners, certificates that change, bytes that the TLS session holds, and a node's own requests.

mod asked;
mod bytes;
mod certificates;
mod flood;
mod listeners;

use std::path::Path;

use fanfare_e2e_tests::client::Connect;
use fanfare_e2e_tests::line::Speaking;
use fanfare_e2e_tests::wait::at_most;
use fanfare_e2e_tests::{HUB, NewEvent, Node, Settings, Token, Transport, Wire};
use fanfare_test_servers::certificates::Certificates;
use serde_json::json;
use tempfile::TempDir;

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
