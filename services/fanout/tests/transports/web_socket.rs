//! WebSockets: the opening handshake, and hub messages in frames.

use fanfare_e2e_tests::websocket::{BINARY, TEXT, frame};

use crate::wire::{HANDSHAKE, Wire, ask, node, node_with, post, token, token_for};

const UPGRADE: &str = "HTTP/1.1\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";
const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\n";

/// Opens a WebSocket and sends a handshake in a frame of the given kind.
async fn open(to: std::net::SocketAddr, protocol: &str, opcode: u8) -> Wire {
    let mut wire = Wire::send(to, &format!("GET /open?id={} {UPGRADE}", token(to).await), "").await;
    let head = wire.until("\r\n\r\n").await;
    assert!(head.starts_with(SWITCHING), "{head}");
    assert!(head.to_ascii_lowercase().contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
    let handshake = HANDSHAKE.replace("json", protocol);
    wire.write(&frame(opcode, true, handshake.as_bytes())).await;
    wire
}

#[tokio::test]
async fn the_handshake_is_answered_in_the_frame_that_the_protocol_has() {
    let node = node("").await;
    for (protocol, opcode, answer) in [
        ("json", TEXT, b"\x81\x03{}\x1e"),
        ("json", BINARY, b"\x81\x03{}\x1e"),
        ("messagepack", TEXT, b"\x82\x03{}\x1e"),
        ("messagepack", BINARY, b"\x82\x03{}\x1e"),
    ] {
        let mut wire = open(node.address(), protocol, opcode).await;
        assert_eq!(wire.bytes(answer.len()).await, answer, "{protocol} {opcode}");
    }
    let mut wire = open(node.address(), "xml", TEXT).await;
    let answer = wire.until("\u{1e}").await;
    assert!(answer.ends_with("{\"error\":\"The protocol 'xml' is not supported.\"}\u{1e}"), "{answer}");
}

#[tokio::test]
async fn completions_and_closes_are_to_the_byte_what_strict_clients_read() {
    let node = node("").await;
    let mut wire = open(node.address(), "json", TEXT).await;
    assert_eq!(wire.bytes(5).await, b"\x81\x03{}\x1e");
    assert_eq!(wire.bytes(2).await, b"\x89\x00", "a ping, whose pong is a sign of life");
    let call = r#"{"type":1,"invocationId":"7","target":"Nope","arguments":[]}"#;
    // Two messages in one frame, and one message over two frames.
    wire.write(&frame(TEXT, true, format!("{call}\u{1e}{{\"type\":6}}\u{1e}").as_bytes())).await;
    let completion = "{\"type\":3,\"invocationId\":\"7\",\"error\":\"Unknown hub method 'Nope'\"}\u{1e}";
    assert_eq!(wire.bytes(2).await, [0x81, u8::try_from(completion.len()).expect("short")]);
    assert_eq!(wire.until("\u{1e}").await, completion);
    wire.write(&frame(TEXT, true, &call.as_bytes()[..9])).await;
    wire.write(&frame(TEXT, true, format!("{}\u{1e}", &call[9..]).as_bytes())).await;
    wire.bytes(2).await;
    assert_eq!(wire.until("\u{1e}").await, completion);
    wire.write(&frame(TEXT, true, b"no json\x1e")).await;
    let close = wire.until("\u{1e}").await;
    assert!(close.contains(r#"{"type":7,"error":"Connection closed with an error. InvalidDataException: "#), "{close}");
    assert!(!close.contains("null") && !close.contains("allowReconnect"), "{close}");
    assert_eq!(wire.bytes(4).await, b"\x88\x02\x03\xe8", "then the close frame, with 1000");
    wire.ends().await;
}

#[tokio::test]
async fn messagepack_is_framed_by_its_length() {
    let node = node("").await;
    let mut wire = open(node.address(), "messagepack", TEXT).await;
    wire.bytes(5).await;
    assert_eq!(wire.bytes(2).await, b"\x89\x00");
    // [1, {}, "7", "Nope", []] in the form of five elements that JavaScript sends.
    let call = b"\x0b\x95\x01\x80\xa1\x37\xa4Nope\x90";
    wire.write(&frame(BINARY, true, call)).await;
    // [3, {}, "7", 1, "Unknown hub method 'Nope'"]
    let mut completion = b"\x82\x20\x1f\x95\x03\x80\xa1\x37\x01\xb9".to_vec();
    completion.extend(b"Unknown hub method 'Nope'");
    completion[1] = u8::try_from(completion.len() - 2).expect("short");
    completion[2] = completion[1] - 1;
    assert_eq!(wire.bytes(completion.len()).await, completion);
    // A client's Close ends quietly.
    wire.write(&frame(BINARY, true, b"\x03\x92\x07\xc0")).await;
    assert_eq!(wire.bytes(4).await, b"\x88\x02\x03\xe8");
}

#[tokio::test]
async fn what_cannot_be_a_web_socket_is_refused() {
    let node = node("").await;
    let to = node.address();
    ask(to, &format!("GET /open?id=unknown {UPGRADE}"), "").await.is("404 Not Found", "No Connection with that ID");
    let version = UPGRADE.replace("version: 13", "version: 8");
    ask(to, &format!("GET /open {version}"), "").await.is("400 Bad Request", "Sec-WebSocket-Version must be 13");
    let strange = ask(to, &format!("GET /open {UPGRADE}\r\norigin: https://evil.example"), "").await;
    strange.is("403 Forbidden", "This origin is not allowed.");

    let id = token(to).await;
    let mut wire = Wire::send(to, &format!("GET /open?id={id} {UPGRADE}"), "").await;
    assert!(wire.until("\r\n\r\n").await.starts_with(SWITCHING));
    wire.write(&frame(TEXT, true, HANDSHAKE.as_bytes())).await;
    wire.bytes(5).await;
    assert_eq!(post(to, &id, "x").await.status, "HTTP/1.1 405 Method Not Allowed");
    assert_eq!(ask(to, &format!("DELETE /open?id={id} HTTP/1.1"), "").await.status, "HTTP/1.1 400 Bad Request");
    assert_eq!(ask(to, &format!("GET /open?id={id} {UPGRADE}"), "").await.status, "HTTP/1.1 409 Conflict");
    ask(to, &format!("GET /open?id={id} HTTP/1.1"), "")
        .await
        .is("400 Bad Request", "Cannot change transports mid-connection");
    ask(to, &format!("PUT /open?id={id} HTTP/1.1"), "x").await.is("405 Method Not Allowed", "");
}

#[tokio::test]
async fn without_negotiation_a_socket_is_a_connection_of_its_own() {
    let node = node("").await;
    // Python's client sends a connectionId, which is not an id.
    let mut wire = Wire::send(node.address(), &format!("GET /open?connectionId=x {UPGRADE}"), "").await;
    assert!(wire.until("\r\n\r\n").await.starts_with(SWITCHING));
    wire.write(&frame(TEXT, true, HANDSHAKE.replace('1', "0").as_bytes())).await;
    assert_eq!(wire.bytes(5).await, b"\x81\x03{}\x1e", "handshake version 0 is a version");
}

#[tokio::test]
async fn a_stateful_client_reconnects_to_a_full_node() {
    let node = node_with("max_connections = 1\n", "").await;
    let to = node.address();
    let (id, late) = (token_for(to, "&useStatefulReconnect=true").await, token(to).await);
    let head = format!("GET /open?id={id} {UPGRADE}");
    let mut first = Wire::send(to, &head, "").await;
    assert!(first.until("\r\n\r\n").await.starts_with(SWITCHING));
    first.write(&frame(TEXT, true, HANDSHAKE.replace("\"version\":1", "\"version\":2").as_bytes())).await;
    assert_eq!(first.bytes(5).await, b"\x81\x03{}\x1e");
    for other in [format!("?id={late}"), String::new()] {
        let refused = ask(to, &format!("GET /open{other} {UPGRADE}"), "").await;
        refused.is("503 Service Unavailable", "The server has no room for another connection.");
    }
    drop(first);
    let mut second = Wire::send(to, &head, "").await;
    let answer = second.until("\r\n\r\n").await;
    assert!(answer.starts_with(SWITCHING), "{answer}");
    second.bytes(2).await;
    assert_eq!(second.until("\u{1e}").await, "{\"type\":9,\"sequenceId\":1}\u{1e}", "it goes on where it was");
}
