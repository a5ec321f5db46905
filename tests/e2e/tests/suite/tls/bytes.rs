//! Bytes that the TLS session holds, before and after encryption, and clients that misuse that.

use fanfare_e2e_tests::client::HANDSHAKE;
use fanfare_e2e_tests::line::{self, Speaking};
use fanfare_e2e_tests::wait::at_most;
use fanfare_e2e_tests::websocket::{Frame, TEXT, WebSocket, frame};
use fanfare_e2e_tests::{HUB, NewEvent, Request, Token};
use tokio::io::AsyncReadExt as _;

use super::{Authority, alice, start};
use crate::slow::{closes_a_tab_that_reads_nothing, takes_a_burst};

fn small() -> &'static str {
    "[limits]\nqueue_bytes = 32768\nevent_bytes = 16384\nkeepalive_seconds = 1\nclient_timeout_seconds = 3"
}

#[tokio::test]
async fn a_tab_that_reads_nothing_within_tls_is_bounded_and_let_go() {
    let authority = Authority::new();
    let settings = authority.both().section(small());
    let node = start(settings, &Speaking::of(&authority.certificates)).await;
    let before = node.resident();
    closes_a_tab_that_reads_nothing(&node).await;
    let grown = node.resident().saturating_sub(before);
    assert!(grown < 200 << 20, "{grown} bytes more for one tab");
}

#[tokio::test]
async fn a_burst_larger_than_the_queue_drops_no_tab_that_reads_within_tls() {
    let authority = Authority::new();
    let settings = authority.both().section(small());
    takes_a_burst(&start(settings, &Speaking::of(&authority.certificates)).await).await;
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
