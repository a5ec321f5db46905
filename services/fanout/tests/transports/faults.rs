//! Clients that are gone or read nothing: each is detected in time and freed, and delays no other.

use std::time::{Duration, Instant};

use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::websocket::{TEXT, frame};
use fanfare_e2e_tests::{HUB, NewEvent, Node, Token};
use serde_json::{Value, json};

use crate::wire::{HANDSHAKE, Wire, ask, node, post, token};

/// A server with time-outs short enough for a test.
const SHORT: &str = "[limits]\nkeepalive_seconds = 1\nclient_timeout_seconds = 2\nhandshake_seconds = 1\n";
/// The time for something that should take two seconds, on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// Waits until the node has no connection of this transport.
async fn freed(node: &Node, transport: &str) {
    let began = Instant::now();
    until("a node without connections", async || {
        (node.metric("fanfare_connections", transport).await == 0.0).then_some(())
    })
    .await;
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_client_that_never_polls_again_is_freed() {
    let node = node(SHORT).await;
    let to = node.address();
    let id = token(to).await;
    ask(to, &format!("GET /open?id={id} HTTP/1.1"), "").await.is("200 OK", "");
    post(to, &id, HANDSHAKE).await.is("200 OK", "");
    assert_eq!(node.metric("fanfare_connections", "LongPolling").await, 1.0);
    freed(&node, "LongPolling").await;
    post(to, &id, "x").await.is("404 Not Found", "No Connection with that ID");
}

#[tokio::test]
async fn a_socket_whose_peer_falls_silent_is_closed() {
    let node = node(SHORT).await;
    let to = node.address();
    let head = "GET /open HTTP/1.1\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";
    let mut silent = Wire::send(to, head, "").await;
    silent.until("\r\n\r\n").await;
    silent.write(&frame(TEXT, true, format!("{HANDSHAKE}{{\"type\":6}}\u{1e}").as_bytes())).await;
    silent.bytes(5).await;
    let mut late = Wire::send(to, head, "").await;
    late.until("\r\n\r\n").await;
    // Neither answers the close: the socket is closed all the same.
    freed(&node, "WebSockets").await;
    assert!(late.until("\u{1e}").await.ends_with("{\"error\":\"Handshake was canceled.\"}\u{1e}"));
    let close = "{\"type\":7,\"error\":\"The client sent nothing within its timeout.\",\"allowReconnect\":true}\u{1e}";
    assert!(silent.until(close).await.contains("{\"type\":6}\u{1e}"), "and pings before it");
}

/// Regression: its task spun, and its shard did nothing else.
#[tokio::test]
async fn an_event_stream_whose_reader_has_left_is_over_whatever_was_negotiated() {
    let node = node("").await;
    let to = node.address();
    let negotiate = "POST /open/negotiate?negotiateVersion=1&useStatefulReconnect=true HTTP/1.1";
    let negotiated: Value = serde_json::from_str(&ask(to, negotiate, "").await.text()).expect("JSON");
    assert_eq!(negotiated["useStatefulReconnect"], true);
    let id = negotiated["connectionToken"].as_str().expect("a token");
    let head = format!("GET /open?id={id} HTTP/1.1\r\naccept: text/event-stream");
    let mut left = Wire::send(to, &head, "").await;
    left.until(":\r\n\r\n").await;
    post(to, id, &HANDSHAKE.replace("\"version\":1", "\"version\":2")).await.is("200 OK", "");
    left.until("{}\u{1e}").await;
    drop(left);
    freed(&node, "ServerSentEvents").await;
    post(to, id, "x").await.is("404 Not Found", "No Connection with that ID");
}

#[tokio::test]
async fn an_event_stream_that_is_not_read_ends_alone() {
    let node = node("[limits]\nkeepalive_seconds = 1\nclient_timeout_seconds = 5\n").await;
    let to = node.address();
    let bearer = Token::user("carol", "acme").sign();
    let head = format!(
        "POST {HUB}/negotiate?negotiateVersion=1 HTTP/1.1\r\ncontent-length: 0\r\nauthorization: Bearer {bearer}"
    );
    let negotiated = ask(to, &head, "").await;
    let negotiated: serde_json::Value = serde_json::from_slice(&negotiated.body).expect("JSON");
    let id = negotiated["connectionToken"].as_str().expect("a token");
    let head = format!("GET {HUB}?id={id} HTTP/1.1\r\naccept: text/event-stream\r\nauthorization: Bearer {bearer}");
    let mut stopped = Wire::send(to, &head, "").await;
    // An earlier POST would make it a long-polling connection.
    stopped.until("\r\n\r\n").await;
    let head = format!("POST {HUB}?id={id} HTTP/1.1\r\nauthorization: Bearer {bearer}");
    ask(to, &head, HANDSHAKE).await.is("200 OK", "");
    stopped.until("{}\u{1e}").await;

    let mut other = node.tab(&Token::user("alice", "acme")).await;
    let message = "x".repeat(60_000);
    // More than kernel, HTTP and queue together buffer for a client that does not read.
    let many = 200;
    for at in 0..many {
        let body = json!({ "org": "acme", "severity": "info", "title": format!("big-{at}"), "message": message });
        let event = NewEvent::new("system.Alert", &format!("big-{at}"), &body).header("ce-org", "acme");
        node.publish(&[event]).await;
        assert_eq!(other.expect("toast").await["title"], format!("big-{at}"), "the others get everything in time");
        if node.metric("fanfare_connections", "ServerSentEvents").await == 0.0 {
            assert!(at > 3, "a moment without reading is no reason");
            return;
        }
    }
    freed(&node, "ServerSentEvents").await;
}
