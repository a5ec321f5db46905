//! Long polling.

use std::net::SocketAddr;

use crate::wire::{Answer, HANDSHAKE, Wire, ask, node, post, token};

async fn poll(to: SocketAddr, id: &str) -> Answer {
    ask(to, &format!("GET /open?id={id}&_=1 HTTP/1.1"), "").await
}

#[tokio::test]
async fn the_first_poll_opens_and_the_next_ones_bring_what_there_is() {
    let node = node("").await;
    let to = node.address();
    let id = token(to).await;
    let first = poll(to, &id).await;
    first.is("200 OK", "");
    assert_eq!(first.header("content-length"), Some("0"));
    assert_eq!(first.header("cache-control"), Some("no-cache,no-store"));
    let mut waiting = Wire::send(to, &format!("GET /open?id={id} HTTP/1.1"), "").await;
    post(to, &id, HANDSHAKE).await.is("200 OK", "");
    let handshake = waiting.answer().await;
    handshake.is("200 OK", "{}\u{1e}");
    assert_eq!(handshake.header("content-type"), Some("application/octet-stream"));
    let call = "{\"type\":1,\"invocationId\":\"0\",\"target\":\"x\",\"arguments\":[]}\u{1e}";
    post(to, &id, call).await.is("200 OK", "");
    let completion = "{\"type\":3,\"invocationId\":\"0\",\"error\":\"Unknown hub method 'x'\"}\u{1e}";
    poll(to, &id).await.is("200 OK", completion);
}

#[tokio::test]
async fn a_newer_poll_ends_the_older_and_a_delete_ends_all() {
    let node = node("").await;
    let to = node.address();
    let id = token(to).await;
    poll(to, &id).await.is("200 OK", "");
    let head = format!("GET /open?id={id} HTTP/1.1");
    // The node decides which of two is the newer.
    let (mut one, mut other) = (Wire::send(to, &head, "").await, Wire::send(to, &head, "").await);
    let (answer, mut newer) = tokio::select! {
        answer = one.answer() => (answer, other),
        answer = other.answer() => (answer, one),
    };
    answer.is("204 No Content", "");
    ask(to, &format!("DELETE /open?id={id} HTTP/1.1"), "").await.is("202 Accepted", "");
    newer.answer().await.is("204 No Content", "");
    poll(to, &id).await.is("404 Not Found", "No Connection with that ID");
    post(to, &id, "x").await.is("404 Not Found", "No Connection with that ID");
    let again = ask(to, &format!("DELETE /open?id={id} HTTP/1.1"), "").await;
    again.is("404 Not Found", "No Connection with that ID");
}

#[tokio::test]
async fn a_handshake_may_come_before_the_first_poll() {
    let node = node("").await;
    let to = node.address();
    let id = token(to).await;
    post(to, &id, HANDSHAKE).await.is("200 OK", "");
    poll(to, &id).await.is("200 OK", "");
    poll(to, &id).await.is("200 OK", "{}\u{1e}");
}

/// A proxy may send this node a request for another node's connection, while the token is young enough to open one
/// here.
#[tokio::test]
async fn a_call_does_not_open_a_connection() {
    let node = node("").await;
    let to = node.address();
    let id = token(to).await;
    let call = "{\"type\":1,\"invocationId\":\"0\",\"target\":\"x\",\"arguments\":[]}\u{1e}";
    for foreign in [call, "{\"type\":6}\u{1e}", "{\"protocol\":", "\u{2}\u{1}\u{6}"] {
        post(to, &id, foreign).await.is("404 Not Found", "No Connection with that ID");
    }
    post(to, &id, HANDSHAKE).await.is("200 OK", "");
    poll(to, &id).await.is("200 OK", "");
    poll(to, &id).await.is("200 OK", "{}\u{1e}");
}

/// A proxy sends the polls of a node that is gone to another one, which takes them for a new connection. It must end
/// before its client concludes that nothing happens, and without a handshake error.
#[tokio::test]
async fn polls_without_a_handshake_are_over_soon() {
    let node = node("[limits]\nhandshake_seconds = 120").await;
    let to = node.address();
    let id = token(to).await;
    poll(to, &id).await.is("200 OK", "");
    poll(to, &id).await.is("204 No Content", "");
    poll(to, &id).await.is("404 Not Found", "No Connection with that ID");
}

#[tokio::test]
async fn a_close_comes_with_the_last_poll() {
    let node = node("").await;
    let to = node.address();
    let id = token(to).await;
    poll(to, &id).await.is("200 OK", "");
    post(to, &id, HANDSHAKE).await.is("200 OK", "");
    poll(to, &id).await.is("200 OK", "{}\u{1e}");
    post(to, &id, "no json\u{1e}").await.is("200 OK", "");
    let close = poll(to, &id).await.text();
    assert!(close.starts_with(r#"{"type":7,"error":"Connection closed with an error."#), "{close}");
    poll(to, &id).await.is("404 Not Found", "No Connection with that ID");
}

#[tokio::test]
async fn requests_must_name_a_connection() {
    let node = node("").await;
    let to = node.address();
    for head in ["GET /open HTTP/1.1", "GET /open?id= HTTP/1.1", "DELETE /open HTTP/1.1"] {
        ask(to, head, "").await.is("400 Bad Request", "Connection ID required");
    }
    ask(to, "POST /open HTTP/1.1", "x").await.is("400 Bad Request", "Connection ID required");
}
