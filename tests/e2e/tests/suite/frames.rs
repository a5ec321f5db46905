//! Wrong client input, byte by byte, and the server's answers.

use fanfare_e2e_tests::client::{Connect, HANDSHAKE, Message, SEPARATOR};
use fanfare_e2e_tests::wait::at_most;
use fanfare_e2e_tests::websocket::{BINARY, Frame, TEXT, WebSocket, frame, header, unmasked};
use fanfare_e2e_tests::{HUB, NewEvent, Node, Request, Settings, Tab, Token};
use serde_json::{Value, json};

const LIMIT: usize = 32 * 1024;

fn alice() -> Connect {
    Connect::new(HUB, Token::user("alice", "acme").sign())
}

async fn socket(node: &Node) -> WebSocket {
    alice().open(node.address(), None).await.expect("connects").expect("not refused")
}

async fn next_frame(socket: &mut WebSocket) -> Option<Frame> {
    at_most("a frame", socket.next()).await.expect("no reset")
}

/// The server's text, which must be the last before the end of the socket.
async fn last_text(socket: &mut WebSocket) -> String {
    let Some(Frame::Text(text)) = next_frame(socket).await else { panic!("no text") };
    assert!(matches!(next_frame(socket).await, Some(Frame::Close(Some(1000)))), "closed in order");
    assert_eq!(next_frame(socket).await, None);
    text
}

/// Fails unless the tab gets this error in a Close that does not allow a reconnect.
async fn expect_end(tab: &mut Tab, error: &str) {
    match tab.next().await {
        Message::Close(Some(told), false) => assert!(told.contains(error), "{told}"),
        other => panic!("{other:?} instead of a Close with {error}"),
    }
    assert_eq!(tab.next().await, Message::SocketClosed(Some(1000)));
    assert_eq!(tab.next().await, Message::Gone);
}

/// The connection still works, and so does the node.
async fn expect_alive(node: &Node, tab: &mut Tab, id: &str) {
    node.publish(&[NewEvent::alert("acme", id)]).await;
    assert_eq!(tab.expect("toast").await["title"], id);
}

#[tokio::test]
async fn handshakes() {
    let node = Node::start_default().await;
    for (wrong, told) in [
        (r#"{"protocol":"xml","version":1}"#, "The protocol 'xml' is not supported."),
        (r#"{"protocol":"json","version":9}"#, "The server does not support version 9 of the 'json' protocol."),
        (r#"{"protocol":"json","version":-1}"#, "The server does not support version -1 of the 'json' protocol."),
        (r#"{"protocol":"json"}"#, "version"),
        (r#"{"version":1}"#, "protocol"),
        (r#"{"protocol":7,"version":1}"#, "protocol"),
        ("[]", "Expected a JSON Object"),
        ("rubbish", ""),
        ("", ""),
    ] {
        let mut socket = socket(&node).await;
        socket.send(&format!("{wrong}{SEPARATOR}")).await.expect("open");
        let text = last_text(&mut socket).await;
        let answer: Value = serde_json::from_str(text.strip_suffix(SEPARATOR).expect("framed")).expect("JSON");
        let error = answer["error"].as_str().expect("an error");
        assert!(error.contains(told) && !error.is_empty(), "{wrong}: {error}");
        assert_eq!(answer.as_object().expect("an object").len(), 1, "a `type` would be another message: {answer}");
    }
    // Endless and longer than any message.
    let mut endless = socket(&node).await;
    endless.send(&"x".repeat(LIMIT + 1)).await.expect("open");
    assert!(last_text(&mut endless).await.contains("maximum message size of 32768B"));
}

#[tokio::test]
async fn handshakes_of_every_client_are_taken() {
    let node = Node::start_default().await;
    let call = format!("{{\"type\":1,\"invocationId\":\"x\",\"target\":\"cursor\",\"arguments\":[]}}{SEPARATOR}");
    for version in [0, 1, 2] {
        let mut socket = socket(&node).await;
        let request = format!("{{\"version\":{version},\"more\":null,\"protocol\":\"json\"}}{SEPARATOR}");
        // The handshake in a binary frame and in pieces, with a call right after it in the same message.
        let bytes = format!("{request}{call}").into_bytes();
        let (first, rest) = bytes.split_at(20);
        socket.write(&frame(BINARY, false, first)).await.expect("open");
        socket.write(&frame(9, true, b"between")).await.expect("open");
        socket.write(&frame(0, true, rest)).await.expect("open");
        let mut texts = String::new();
        let mut pong = false;
        while !(pong && texts.contains("\"invocationId\":\"x\"")) {
            match next_frame(&mut socket).await {
                Some(Frame::Text(text)) => texts.push_str(&text),
                Some(Frame::Pong(payload)) => pong = payload == b"between",
                // The server's ping.
                Some(Frame::Ping(_)) => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(texts.starts_with("{}\u{1e}{\"type\":3"), "{texts}");
    }
}

#[tokio::test]
async fn a_silent_client_is_let_go() {
    let settings = Settings::default()
        .section("[limits]\nhandshake_seconds = 1\nkeepalive_seconds = 1\nclient_timeout_seconds = 2");
    let node = Node::start_with(settings).await;
    let mut speechless = socket(&node).await;
    let mut never_pings = node.tab(&Token::user("bob", "acme")).await;
    let mut pinged_once = node.tab(&Token::user("carol", "acme")).await;
    pinged_once.send(&json!({ "type": 6 })).await;
    assert!(last_text(&mut speechless).await.contains("Handshake was canceled."));
    match pinged_once.next().await {
        Message::Close(Some(_), true) => {}
        other => panic!("{other:?} instead of an invitation to return"),
    }
    // Its silence does not count as long as it has never sent a Ping; the server's own pings continue.
    assert_eq!(at_most("a ping", never_pings.receive()).await, Message::Ping);
    expect_alive(&node, &mut never_pings, "still-here").await;
}

#[tokio::test]
async fn messages_that_are_none() {
    let node = Node::start_default().await;
    let alice = Token::user("alice", "acme");
    for (wrong, told) in [
        ("rubbish", "Error reading JSON"),
        ("{\"type\":1,", "Error reading JSON"),
        ("[1]", "Unexpected JSON Token Type 'Array'. Expected a JSON Object."),
        ("", "Error reading JSON"),
        ("{}", "Missing required property 'type'."),
        ("{\"type\":\"1\"}", "Expected 'type' to be of type Number."),
        ("{\"type\":1,\"arguments\":[]}", "Missing required property 'target'."),
        ("{\"type\":1,\"target\":\"Cursor\"}", "Missing required property 'arguments'."),
        ("{\"type\":1,\"target\":7,\"arguments\":[]}", "Expected 'target' to be of type String."),
        ("{\"type\":4,\"target\":\"Cursor\",\"arguments\":[]}", "Missing required property 'invocationId'."),
        (&format!("{{\"type\":6,\"deep\":{}", "[".repeat(2000)), "The message is nested deeper than"),
    ] {
        let mut tab = node.tab(&alice).await;
        tab.socket().send(&format!("{wrong}{SEPARATOR}")).await.expect("open");
        expect_end(&mut tab, &format!("InvalidDataException: {told}")).await;
    }
    let mut tab = node.tab(&alice).await;
    expect_alive(&node, &mut tab, "after-all-that").await;
}

#[tokio::test]
async fn messages_that_are_too_large() {
    let node = Node::start_default().await;
    let alice = Token::user("alice", "acme");
    let told =
        "Connection closed with an error. InvalidDataException: The maximum message size of 32768B was exceeded.";
    let fill = |length: usize| format!("{{\"type\":6,\"x\":\"{}\"}}", "x".repeat(length - 17));

    // Messages as long as the limit are accepted, also many of them in one frame.
    let mut tab = node.tab(&alice).await;
    let largest = fill(LIMIT);
    assert_eq!(largest.len(), LIMIT);
    let many = format!("{largest}{SEPARATOR}").repeat(4);
    tab.socket().send(&many).await.expect("open");
    expect_alive(&node, &mut tab, "at-the-limit").await;

    tab.socket().send(&format!("{}{SEPARATOR}", fill(LIMIT + 1))).await.expect("open");
    expect_end(&mut tab, told).await;

    // In pieces and endless.
    let mut tab = node.tab(&alice).await;
    for _ in 0..=LIMIT / 1024 {
        tab.socket().send(&"y".repeat(1024)).await.expect("open");
    }
    expect_end(&mut tab, told).await;

    // Announced as 2^62 bytes: only received bytes count, and no memory is reserved for the rest.
    let mut tab = node.tab(&alice).await;
    let mut announced = header(TEXT, true, 1 << 62, true);
    announced.extend([0; 4]);
    announced.extend("z".repeat(LIMIT + 1).into_bytes());
    tab.socket().write(&announced).await.expect("open");
    expect_end(&mut tab, told).await;
}

#[tokio::test]
async fn framing_that_breaks_the_rules() {
    let node = Node::start_default().await;
    let ping = "{\"type\":6}\u{1e}".as_bytes();
    let reserved = |mut bytes: Vec<u8>| {
        bytes[0] |= 0x40;
        bytes
    };
    for (what, bytes) in [
        ("not masked", unmasked(TEXT, ping)),
        ("a reserved bit", reserved(frame(TEXT, true, ping))),
        ("an unknown opcode", frame(3, true, ping)),
        ("a continuation of nothing", frame(0, true, ping)),
        ("a message within another", [frame(TEXT, false, b"{"), frame(TEXT, true, ping)].concat()),
        ("a fragmented ping", frame(9, false, b"x")),
        ("a long ping", frame(9, true, &[0; 126])),
        ("a length above 2^63", header(TEXT, true, u64::MAX, true).into_iter().chain([0; 4]).collect()),
    ] {
        let mut tab = node.tab(&Token::user("alice", "acme")).await;
        tab.socket().write(&bytes).await.expect("open");
        assert_eq!(tab.next().await, Message::SocketClosed(Some(1002)), "{what}");
    }
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    expect_alive(&node, &mut tab, "after-all-that").await;
}

#[tokio::test]
async fn calls_that_cannot_be_answered_well() {
    let node = Node::start_default().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    for (method, arguments, told) in [
        ("Nope", json!([]), "Unknown hub method 'Nope'"),
        ("Resume", json!(["a", "b"]), "Invocation provides 2 argument(s) but Resume expects 1."),
        ("Resume", json!([7]), "Resume: the cursor must be a string"),
        ("Resume", json!(["never issued"]), "The cursor was not issued by this server."),
        ("Resume", json!(["x".repeat(1000)]), "longer than 512"),
        ("Cursor", json!([1]), "Invocation provides 1 argument(s) but Cursor expects 0."),
    ] {
        let error = tab.invoke(method, arguments).await.expect_err(method);
        assert!(error.contains(told), "{error}");
    }
    // A stream is answered by its Completion; a call without an id and other messages are not answered.
    let (wanted, uploaded) =
        ("the non-streaming 'Cursor' method with a streaming invocation", "Client sent 1 stream(s)");
    for (kind, method, uploads, told) in [
        (4, "Nope", json!([]), "Unknown hub method 'Nope'"),
        (4, "Cursor", json!([]), wanted),
        (1, "Cursor", json!(["u"]), uploaded),
    ] {
        let call =
            json!({ "type": kind, "invocationId": "s", "target": method, "arguments": [], "streamIds": uploads });
        tab.send(&call).await;
        match tab.next().await {
            Message::Completion(id, Err(error)) => assert!(id == "s" && error.contains(told), "{id} {error}"),
            other => panic!("{other:?}"),
        }
    }
    for quiet in [
        json!({ "type": 1, "target": "Nope", "arguments": [] }),
        json!({ "type": 5, "invocationId": "unknown" }),
        json!({ "type": 3, "invocationId": "unknown" }),
        json!({ "type": 2, "invocationId": "unknown", "item": 1 }),
        json!({ "type": 99, "anything": true }),
        json!({ "type": 6, "extra": {} }),
    ] {
        tab.send(&quiet).await;
    }
    let cursor = tab.invoke("cUrSoR", json!([])).await.expect("any case");
    let resumed = tab.invoke("resume", json!([cursor])).await.expect("resumes");
    assert_eq!((&resumed["replayed"], &resumed["complete"]), (&json!(0), &json!(true)));
    expect_alive(&node, &mut tab, "after-all-that").await;

    tab.send(&json!({ "type": 7 })).await;
    assert_eq!(tab.next().await, Message::SocketClosed(Some(1000)));
    assert!(!node.log().contains("ERROR"), "{}", node.log());
}

/// Regression: they were refused, and those without an id disappeared silently.
#[tokio::test]
async fn calls_above_the_rate_wait_in_order_and_none_is_lost() {
    let node = Node::start_with(Settings::default().section("[limits]\ninvocations_per_minute = 120")).await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    for number in 0..130 {
        let call = json!({ "type": 1, "invocationId": number.to_string(), "target": "Cursor", "arguments": [] });
        tab.send(&call).await;
    }
    for number in 0..130 {
        match tab.next().await {
            Message::Completion(id, Ok(_)) => assert_eq!(id, number.to_string()),
            other => panic!("{other:?}"),
        }
    }
    expect_alive(&node, &mut tab, "still-here").await;
}

#[tokio::test]
async fn bad_connection_requests() {
    let node = Node::start_default().await;
    let token = Token::user("alice", "acme").sign();
    let send = async |request: Request| request.bearer(&token).send(node.address()).await.expect("an answer");
    for (request, status, text) in [
        (Request::get(HUB), 400, "Connection ID required"),
        (Request::post(HUB), 400, "Connection ID required"),
        (Request::post(format!("{HUB}?id=unknown")), 404, "No Connection with that ID"),
        (Request::get(format!("{HUB}/negotiate")), 405, ""),
        (Request::new("PUT", HUB), 405, ""),
        (Request::get("/hubs/unknown"), 404, ""),
        (Request::post("/hubs/unknown/negotiate"), 404, ""),
    ] {
        let what = format!("{request:?}");
        let answer = send(request).await;
        assert_eq!((answer.status, answer.text().contains(text)), (status, true), "{what} {}", answer.text());
    }
    let unknown = alice().open(node.address(), Some("unknown")).await.expect("an answer").expect_err("refused");
    assert_eq!((unknown.status, unknown.text().as_str()), (404, "No Connection with that ID"));
    // A negotiated id is useless to another user.
    let negotiated = alice().negotiate(node.address()).await.expect("an answer").expect(200).json();
    let id = negotiated["connectionToken"].as_str().expect("a token");
    assert_ne!(negotiated["connectionId"], negotiated["connectionToken"]);
    let bob = Connect::new(HUB, Token::user("bob", "acme").sign());
    let refused = bob.open(node.address(), Some(id)).await.expect("an answer").expect_err("refused");
    assert_eq!(refused.status, 403);
    // Paths and query keys match in any case, as in ASP.NET.
    let upper = Request::post(format!("{}/NEGOTIATE?NegotiateVersion=1", HUB.to_uppercase()));
    assert_eq!(send(upper).await.expect(200).json()["negotiateVersion"], 1);
    // A page of another origin is refused.
    let foreign = alice().header("origin", "https://evil.example").open(node.address(), None).await;
    assert_eq!(foreign.expect("an answer").expect_err("refused").status, 403);
}

#[tokio::test]
async fn nothing_comes_before_the_handshake_is_answered() {
    let node = Node::start_default().await;
    let mut socket = socket(&node).await;
    node.publish(&[NewEvent::flag("acme", "f", true, "1"), NewEvent::alert("acme", "early")]).await;
    let early = tokio::time::timeout(fanfare_e2e_tests::wait::SILENCE, socket.next()).await;
    assert!(early.is_err(), "{early:?}");
    socket.send(HANDSHAKE).await.expect("open");
    assert_eq!(next_frame(&mut socket).await, Some(Frame::Text("{}\u{1e}".to_owned())));
    let Some(Frame::Ping(payload)) = next_frame(&mut socket).await else { panic!("no ping") };
    assert!(payload.is_empty(), "{payload:?}");
    socket.pong(&payload).await.expect("open");
    // The retained flag, which is current state, and not the toast, which is past.
    let Some(Frame::Text(text)) = next_frame(&mut socket).await else { panic!("no text") };
    assert!(text.contains("featureFlag") && !text.contains("early"), "{text}");
}
