//! RFC 6455 on the real socket, beyond broken frames: the cases of the Autobahn suite that matter to a hub.

use fanfare_e2e_tests::client::{Connect, HANDSHAKE, Message, SEPARATOR};
use fanfare_e2e_tests::wait::at_most;
use fanfare_e2e_tests::websocket::{Frame, TEXT, WebSocket, frame};
use fanfare_e2e_tests::{HUB, Node, Token};

const PING: u8 = 9;
const PONG: u8 = 10;
const CONTINUATION: u8 = 0;

async fn open(node: &Node) -> WebSocket {
    let connect = Connect::new(HUB, Token::user("alice", "acme").sign());
    let mut socket = connect.open(node.address(), None).await.expect("connects").expect("not refused");
    socket.send(HANDSHAKE).await.expect("open");
    assert_eq!(next(&mut socket).await, Frame::Text(format!("{{}}{SEPARATOR}")));
    assert_eq!(next(&mut socket).await, Frame::Ping(Vec::new()), "whether the client is there");
    socket
}

async fn next(socket: &mut WebSocket) -> Frame {
    at_most("a frame", socket.next()).await.expect("no reset").expect("not the end")
}

/// A call whose answer proves that everything before it was accepted.
fn call() -> Vec<u8> {
    let call = "{\"type\":1,\"invocationId\":\"x\",\"target\":\"Nope\",\"arguments\":[]}";
    format!("{call}{SEPARATOR}").into_bytes()
}

fn is_answer(frame: &Frame) -> bool {
    matches!(frame, Frame::Text(text) if text.contains("\"invocationId\":\"x\""))
}

/// Cases 2.1 to 2.4, 2.10: each ping gets its pong, with the same bytes, in the same order.
#[tokio::test]
async fn every_ping_is_answered_with_its_payload() {
    let node = Node::start_default().await;
    let mut socket = open(&node).await;
    let payloads = [vec![], b"x".to_vec(), vec![0xff, 0xfe, 0, 0x1e], vec![7; 125]];
    let pings: Vec<u8> = payloads.iter().flat_map(|payload| frame(PING, true, payload)).collect();
    socket.write(&pings).await.expect("open");
    for payload in payloads {
        assert_eq!(next(&mut socket).await, Frame::Pong(payload));
    }
}

/// Cases 2.7 to 2.9: an unsolicited pong is ignored.
#[tokio::test]
async fn an_unsolicited_pong_is_ignored() {
    let node = Node::start_default().await;
    let mut socket = open(&node).await;
    let frames = [frame(PONG, true, b""), frame(PONG, true, b"unasked"), frame(PING, true, b"asked")].concat();
    socket.write(&frames).await.expect("open");
    assert_eq!(next(&mut socket).await, Frame::Pong(b"asked".to_vec()));
}

/// Cases 5.3 to 5.8 and 5.19: pings between the fragments of a message, however its bytes arrive.
#[tokio::test]
async fn control_frames_stand_between_fragments() {
    let node = Node::start_default().await;
    let call = call();
    let third = call.len() / 3;
    let fragments = [
        frame(TEXT, false, &call[..third]),
        frame(PING, true, b"1"),
        frame(CONTINUATION, false, b""),
        frame(CONTINUATION, false, &call[third..2 * third]),
        frame(PONG, true, b""),
        frame(PING, true, b"2"),
        frame(CONTINUATION, true, &call[2 * third..]),
    ]
    .concat();
    for piece in [1, 7, fragments.len()] {
        let mut socket = open(&node).await;
        for bytes in fragments.chunks(piece) {
            socket.write(bytes).await.expect("open");
        }
        for payload in [b"1", b"2"] {
            assert_eq!(next(&mut socket).await, Frame::Pong(payload.to_vec()), "pieces of {piece}");
        }
        assert!(is_answer(&next(&mut socket).await), "pieces of {piece}");
    }
}

/// Cases 6.3 and others: invalid UTF-8 closes the connection with an error, whole or cut within a character.
#[tokio::test]
async fn text_that_is_no_utf8_is_an_error() {
    let node = Node::start_default().await;
    let wrong = b"{\"type\":6,\"x\":\"\xce\xba\xed\xa0\x80\"}\x1e";
    for cut in [0, 17] {
        let mut tab = node.tab(&Token::user("alice", "acme")).await;
        let frames = match cut {
            0 => frame(TEXT, true, wrong),
            cut => [frame(TEXT, false, &wrong[..cut]), frame(CONTINUATION, true, &wrong[cut..])].concat(),
        };
        tab.socket().write(&frames).await.expect("open");
        match tab.next().await {
            Message::Close(Some(error), false) => assert!(error.contains("InvalidDataException"), "{error}"),
            other => panic!("{other:?}"),
        }
    }
    // A character that is split by a fragment is valid.
    let mut socket = open(&node).await;
    let call = String::from_utf8(call()).expect("text").replace("Nope", "No\u{1f514}pe").into_bytes();
    let within = call.iter().position(|byte| *byte == 0xf0).expect("the character") + 2;
    let frames = [frame(TEXT, false, &call[..within]), frame(CONTINUATION, true, &call[within..])].concat();
    socket.write(&frames).await.expect("open");
    assert!(is_answer(&next(&mut socket).await));
}

/// Cases 7.1 and 7.7: the client's close is answered, with nothing after it.
#[tokio::test]
async fn a_close_is_answered_and_ends_everything() {
    let node = Node::start_default().await;
    for payload in [vec![], 1000u16.to_be_bytes().to_vec(), [&1001u16.to_be_bytes()[..], b"going away"].concat()] {
        let mut socket = open(&node).await;
        socket.write(&frame(8, true, &payload)).await.expect("open");
        assert!(matches!(next(&mut socket).await, Frame::Close(Some(1000 | 1001))), "{payload:?}");
        // Bytes after it are ignored.
        let _ = socket.write(&frame(PING, true, b"late")).await;
        let end = at_most("the end", socket.next()).await;
        assert!(matches!(end, Ok(None) | Err(_)), "{end:?}");
    }
}

/// Cases 7.3.2, 7.5.1 and 7.9: a forbidden close is a protocol error.
#[tokio::test]
async fn a_close_that_must_not_be_sent_is_an_error() {
    let node = Node::start_default().await;
    let codes = [0u16, 999, 1004, 1005, 1006, 1016, 2999, 5000].map(|code| code.to_be_bytes().to_vec());
    let others = [vec![3], b"\x03\xe8\xce\xba\xed\xa0\x80".to_vec()];
    for payload in codes.into_iter().chain(others) {
        let mut socket = open(&node).await;
        socket.write(&frame(8, true, &payload)).await.expect("open");
        assert_eq!(next(&mut socket).await, Frame::Close(Some(1002)), "{payload:?}");
    }
}
