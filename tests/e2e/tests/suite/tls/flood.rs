//! One address that opens TLS handshakes endlessly: it takes no processor time from others.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fanfare_e2e_tests::line::{self, Speaking};
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{NewEvent, Node, Settings, Token};
use fanfare_test_servers::certificates::Certificates;

/// 240 handshakes a minute, and 200 at once.
const A_MINUTE: usize = 60;
const AT_ONCE: usize = 200;
const FLOOD: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_flood_of_handshakes_is_refused_by_its_address_and_others_connect() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let certificates = Certificates::write(folder.path());
    let (certificate, key) = &certificates.server;
    let settings = Settings::default()
        .node("trusted_proxies = []")
        .section(&format!("[limits]\naddress_connects_per_minute = {A_MINUTE}\nconnections_per_address = 20"))
        .section(&format!("[node.tls]\ncert_file = {certificate:?}\nkey_file = {key:?}"));
    let mut node = Node::prepare(settings);
    Speaking::of(&certificates).to(node.address());
    node.start().await;

    let (address, over) = (node.address(), Arc::new(AtomicBool::new(false)));
    let (done, refused) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let flood: Vec<_> = (0..8)
        .map(|_| {
            let (over, done, refused) = (Arc::clone(&over), Arc::clone(&done), Arc::clone(&refused));
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let from = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
                    let counter = if line::connect_from(from, address).await.is_ok() { &done } else { &refused };
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    until("the flood to be refused", async || (refused.load(Ordering::Relaxed) > AT_ONCE).then_some(())).await;
    let (began, mut number) = (Instant::now(), 0);
    while began.elapsed() < FLOOD {
        number += 1;
        let title = format!("in between {number}");
        let opening = Instant::now();
        let mut tab = node.tab(&Token::user("alice", "acme")).await;
        tab.cursor().await;
        assert!(opening.elapsed() < Duration::from_secs(2), "a tab of another address took {:?}", opening.elapsed());
        node.publish(&[NewEvent::alert("acme", &title)]).await;
        assert_eq!(tab.expect("toast").await["title"], title);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    over.store(true, Ordering::Relaxed);
    for one in flood {
        one.await.expect("an end");
    }
    let passed = done.load(Ordering::Relaxed);
    assert!((AT_ONCE..AT_ONCE + 4 * A_MINUTE).contains(&passed), "{passed} handshakes were done");
    assert!(node.metric("fanfare_http_refused", "tls_rate").await >= AT_ONCE as f64);
    let lines = node.lines("a TLS handshake failed");
    assert!((1..=20).contains(&lines.len()), "{} lines", lines.len());
    assert!(lines[0]["peer"].as_str().is_some_and(|peer| peer.starts_with("127.0.0.2:")), "{}", lines[0]);
    assert_eq!(lines[0]["reason"], "too many TLS handshakes from this address");
}
