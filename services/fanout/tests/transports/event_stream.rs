//! Server-Sent Events.

use crate::wire::{HANDSHAKE, Wire, ask, node, post, token};

/// Opens a stream; chunks of HTTP follow on the wire.
async fn open(to: std::net::SocketAddr, id: &str) -> Wire {
    let head = format!("GET /open?id={id} HTTP/1.1\r\naccept: text/event-stream");
    let mut wire = Wire::send(to, &head, "").await;
    let head = wire.until("\r\n\r\n").await.to_ascii_lowercase();
    for expected in [
        "http/1.1 200 ok\r\n",
        "content-type: text/event-stream\r\n",
        "cache-control: no-cache,no-store\r\n",
        "content-encoding: identity\r\n",
        "x-accel-buffering: no\r\n",
    ] {
        assert!(head.contains(expected), "{expected:?} in {head}");
    }
    // Firefox reports the stream as open once it has received something.
    assert_eq!(wire.until(":\r\n\r\n").await, "3\r\n:\r\n\r\n");
    wire
}

#[tokio::test]
async fn each_message_is_one_event_on_one_line() {
    let node = node("").await;
    let to = node.address();
    let id = token(to).await;
    let mut wire = open(to, &id).await;
    post(to, &id, HANDSHAKE).await.is("200 OK", "");
    assert_eq!(wire.until("\r\n\r\n\r\n").await, "D\r\ndata: {}\u{1e}\r\n\r\n\r\n");
    let call = "{\"type\":1,\"invocationId\":\"0\",\"target\":\"x\",\"arguments\":[]}\u{1e}";
    post(to, &id, call).await.is("200 OK", "");
    let event = wire.until("\r\n\r\n\r\n").await;
    let data = "data: {\"type\":3,\"invocationId\":\"0\",\"error\":\"Unknown hub method 'x'\"}\u{1e}\r\n\r\n\r\n";
    assert!(event.ends_with(data), "{event:?}");
    // A client's Close ends the stream, and with it the body.
    post(to, &id, "{\"type\":7}\u{1e}").await.is("200 OK", "");
    assert_eq!(wire.until("0\r\n\r\n").await, "0\r\n\r\n");
}

#[tokio::test]
async fn bytes_cannot_travel_in_events() {
    let node = node("").await;
    let to = node.address();
    let id = token(to).await;
    let mut wire = open(to, &id).await;
    post(to, &id, "{\"protocol\":\"messagepack\",\"version\":1}\u{1e}").await.is("200 OK", "");
    let answer = wire.until("\r\n\r\n\r\n").await;
    let text = "data: {\"error\":\"Cannot use the 'messagepack' protocol on the current transport. The transport does \
                not support 'Binary' transfer format.\"}\u{1e}\r\n\r\n\r\n";
    assert!(answer.ends_with(text), "{answer:?}");
}

#[tokio::test]
async fn what_does_not_fit_an_open_stream_is_refused() {
    let node = node("").await;
    let to = node.address();
    let accept = "accept: text/event-stream";
    ask(to, &format!("GET /open HTTP/1.1\r\n{accept}"), "").await.is("400 Bad Request", "Connection ID required");
    let unknown = ask(to, &format!("GET /open?id=x HTTP/1.1\r\n{accept}"), "").await;
    unknown.is("404 Not Found", "No Connection with that ID");
    let id = token(to).await;
    let _wire = open(to, &id).await;
    let second = ask(to, &format!("GET /open?id={id} HTTP/1.1\r\n{accept}"), "").await;
    assert_eq!(second.status, "HTTP/1.1 409 Conflict");
    let poll = ask(to, &format!("GET /open?id={id} HTTP/1.1"), "").await;
    poll.is("400 Bad Request", "Cannot change transports mid-connection");
    assert_eq!(ask(to, &format!("DELETE /open?id={id} HTTP/1.1"), "").await.status, "HTTP/1.1 400 Bad Request");
}
