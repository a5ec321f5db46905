//! Request bodies that are missing, sent in pieces, or wrongly declared.

use std::time::Duration;

use fanfare_e2e_tests::client::Connect;
use fanfare_e2e_tests::{HUB, NewEvent, Node, Raw, Settings, Token, Transport, Wire};

fn settings(lines: &str) -> Settings {
    Settings::default().section(&format!("[limits]\n{lines}"))
}

/// The head of an event whose body follows.
fn event(token: &str, more: &str) -> String {
    format!(
        "POST /events HTTP/1.1\r\nhost: node\r\nauthorization: Bearer {token}\r\nce-specversion: 1.0\r\nce-id: 1\r\n\
         ce-source: /tests\r\nce-type: system.Alert\r\ncontent-type: application/json\r\n{more}\r\n"
    )
}

async fn negotiated(node: &Node, user: &str) -> (String, String) {
    let token = Token::user(user, "acme").sign();
    let negotiated = Connect::new(HUB, &token).negotiate(node.address()).await.expect("an answer").expect(200).json();
    (token, negotiated["connectionToken"].as_str().expect("a token").to_owned())
}

fn post(token: &str, id: &str, length: usize) -> String {
    format!(
        "POST {HUB}?id={id} HTTP/1.1\r\nhost: node\r\nauthorization: Bearer {token}\r\ncontent-length: {length}\r\n\r\n"
    )
}

#[tokio::test]
async fn a_body_that_never_ends_is_408_and_its_connection_closes() {
    let node = Node::start_with(settings("body_seconds = 1")).await;
    let (token, id) = negotiated(&node, "alice").await;
    let producer = Token::producer().sign();
    for head in [post(&token, &id, 1000), event(&producer, "content-length: 1000\r\n")] {
        let mut slow = Raw::connect(node.address(), &format!("{head}half")).await.expect("connects");
        let answer = slow.answer().await.expect("an answer").expect(408);
        assert_eq!(answer.header("connection"), Some("close"));
        assert!(answer.text().to_lowercase().contains("the body has not come within 1 s"), "{}", answer.text());
        assert!(slow.closes_within(Duration::from_secs(10)).await);
    }
    assert!(node.metric("fanfare_http_refused_total", "body_slow").await >= 2.0);
}

#[tokio::test]
async fn the_bodies_in_flight_of_one_connection_are_bounded_and_others_post_as_before() {
    let node = Node::start_default().await;
    let (token, id) = negotiated(&node, "alice").await;
    let mut open = Vec::new();
    let refused = loop {
        let unfinished = format!("{}half", post(&token, &id, 100_000));
        let mut raw = Raw::connect(node.address(), &unfinished).await.expect("connects");
        match tokio::time::timeout(Duration::from_secs(1), raw.answer()).await {
            Ok(answer) => break answer.expect("an answer").expect(429),
            Err(_) => open.push(raw),
        }
        assert!(open.len() <= 4);
    };
    assert_eq!(open.len(), 4);
    assert_eq!(refused.text(), "Too many requests of this connection are on their way.");
    let bob = Connect::new(HUB, Token::user("bob", "acme").sign());
    let wire = Wire::connect(&bob, Transport::LongPolling, node.address()).await.expect("an answer");
    assert!(wire.is_ok(), "another user's transport is made of POSTs");
}

#[tokio::test]
async fn the_bytes_of_one_users_bodies_are_bounded() {
    const MOST: usize = (4 << 20) / 4;
    let node = Node::start_with(settings("body_bytes = 4194304\nbody_seconds = 20")).await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let (token, id) = negotiated(&node, "alice").await;
        let mut raw = Raw::connect(node.address(), &post(&token, &id, MOST)).await.expect("connects");
        raw.write(&vec![b'x'; MOST * 3 / 5]).await.expect("written");
        open.push(raw);
    }
    // The second has no room; the first still waits for its end.
    let [first, second] = &mut open[..] else { panic!("two") };
    let refused = tokio::select! {
        answer = first.answer() => answer,
        answer = second.answer() => answer,
    };
    let refused = refused.expect("an answer").expect(429);
    assert_eq!(refused.text(), "Too many requests of this user are on their way.");
    assert_eq!(refused.header("connection"), Some("close"));
}

#[tokio::test]
async fn a_body_that_is_cut_or_broken_is_400_and_not_too_large() {
    let node = Node::start_default().await;
    let producer = Token::producer().sign();
    let chunked = event(&producer, "transfer-encoding: chunked\r\n");
    let mut broken =
        Raw::connect(node.address(), &format!("{chunked}5\r\n{{\"a\":\r\nrubbish\r\n")).await.expect("connects");
    let answer = broken.answer().await.expect("an answer").expect(400);
    assert!(answer.text().contains("the body ended early, or its chunks are broken"), "{}", answer.text());
    assert_eq!(answer.header("connection"), Some("close"));

    let sized = event(&producer, "content-length: 1000\r\n");
    let mut cut = Raw::connect(node.address(), &format!("{sized}half")).await.expect("connects");
    cut.finish().await.expect("finished");
    cut.answer().await.expect("an answer").expect(400);
    assert_eq!(node.metric("fanfare_http_refused_total", "body_broken").await, 2.0);
}

/// Otherwise the next event that is written on the connection is lost with a broken pipe.
#[tokio::test]
async fn an_answer_before_the_end_of_a_body_announces_that_the_connection_closes() {
    const LENGTH: usize = 300_000;
    let node = Node::start_default().await;
    for (token, status) in [(Token::producer().sign(), 413), ("rubbish".to_owned(), 401)] {
        let head = event(&token, &format!("content-length: {LENGTH}\r\n"));
        let mut client = Raw::connect(node.address(), &head).await.expect("connects");
        // A client that reads only after it has written everything.
        for _ in 0..LENGTH / 1000 {
            client.write(&[b'x'; 1000]).await.expect("the node still reads");
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
        let answer = client.answer().await.expect("the answer is not lost").expect(status);
        assert_eq!(answer.header("connection"), Some("close"));
        assert!(client.closes_within(Duration::from_secs(10)).await);
    }
    // If the body was read, the connection stays.
    let body = "not json";
    let head = event(&Token::producer().sign(), &format!("content-length: {}\r\n", body.len()));
    let mut client = Raw::connect(node.address(), &format!("{head}{body}")).await.expect("connects");
    let answer = client.answer().await.expect("an answer").expect(400);
    assert_eq!(answer.header("connection"), None);
    client.write(format!("{head}{body}").as_bytes()).await.expect("written");
    client.answer().await.expect("another answer").expect(400);
    node.publish(&[NewEvent::alert("acme", "as ever")]).await;
}
