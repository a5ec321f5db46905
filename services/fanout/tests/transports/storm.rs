//! Thousands of clients that are dropped at once and return immediately.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::websocket::{TEXT, frame};
use tokio::task::JoinSet;

use crate::wire::{HANDSHAKE, Wire, ask, node};

/// The number of returning clients.
const CLIENTS: usize = 2_000;
/// Files that a test needs besides its sockets.
const OTHER_FILES: usize = 200;

/// As many clients as this machine allows one process to have: each is a socket here and one in the node.
fn clients() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    let files = line.and_then(|line| line.split_whitespace().nth(3)?.parse().ok()).unwrap_or(1024);
    CLIENTS.min(files - OTHER_FILES)
}

/// Everything a client does until it is connected; returns the answer if it is refused.
async fn connect(to: SocketAddr) -> Result<Wire, String> {
    let negotiated = ask(to, "POST /open/negotiate?negotiateVersion=1 HTTP/1.1\r\ncontent-length: 0", "").await;
    if negotiated.status != "HTTP/1.1 200 OK" {
        return Err(negotiated.status);
    }
    let body: serde_json::Value = serde_json::from_slice(&negotiated.body).map_err(|error| error.to_string())?;
    let id = body["connectionToken"].as_str().unwrap_or_default();
    let head = format!(
        "GET /open?id={id} HTTP/1.1\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="
    );
    let mut wire = Wire::send(to, &head, "").await;
    let head = wire.until("\r\n\r\n").await;
    if !head.starts_with("HTTP/1.1 101") {
        return Err(head);
    }
    wire.write(&frame(TEXT, true, HANDSHAKE.as_bytes())).await;
    wire.until("{}\u{1e}").await;
    Ok(wire)
}

async fn all(to: SocketAddr, count: usize) -> (Vec<Wire>, Vec<String>, Duration) {
    let began = Instant::now();
    let mut coming = JoinSet::new();
    for _ in 0..count {
        coming.spawn(connect(to));
    }
    let (mut wires, mut refused) = (Vec::new(), Vec::new());
    while let Some(came) = coming.join_next().await {
        match came.expect("no panic") {
            Ok(wire) => wires.push(wire),
            Err(answer) => refused.push(answer),
        }
    }
    (wires, refused, began.elapsed())
}

#[tokio::test]
async fn all_come_back_at_once_and_none_is_refused() {
    let node = node("").await;
    let (to, count) = (node.address(), clients());
    let (mut tabs, refused, _) = all(to, count).await;
    assert_eq!((tabs.len(), refused.first()), (count, None));
    for storm in 1..=2 {
        drop(std::mem::take(&mut tabs));
        let (back, refused, took) = all(to, count).await;
        assert_eq!((back.len(), refused.first()), (count, None), "storm {storm}");
        eprintln!("storm {storm}: {count} clients were back after {} ms", took.as_millis());
        tabs = back;
    }
    until("the old connections to be forgotten", async || {
        (node.metric("fanfare_connections", "").await == count as f64).then_some(())
    })
    .await;
    // A negotiated id that is never used is stored nowhere: it is in the client's token.
    for _ in 0..500 {
        let answer = ask(to, "POST /open/negotiate?negotiateVersion=1 HTTP/1.1\r\ncontent-length: 0", "").await;
        assert_eq!(answer.status, "HTTP/1.1 200 OK");
    }
    assert_eq!(node.metric("fanfare_connections", "").await, count as f64);
    drop(tabs);
    until("no connection", async || (node.metric("fanfare_connections", "").await == 0.0).then_some(())).await;
}
