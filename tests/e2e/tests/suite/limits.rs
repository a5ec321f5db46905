//! The limits for one client, which leave room for others.

use fanfare_e2e_tests::client::{Connect, Message};
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{HUB, Node, Request, Response, Settings, Token, Transport, Wire};
use serde_json::json;

fn limits(lines: &str) -> Settings {
    Settings::default().section(&format!("[limits]\n{lines}"))
}

fn connect(user: &str, org: &str) -> Connect {
    Connect::new(HUB, Token::user(user, org).sign())
}

async fn negotiate(node: &Node, user: &str) -> Response {
    connect(user, "acme").negotiate(node.address()).await.expect("an answer")
}

/// The metric of refused connects with this reason.
async fn refused(node: &Node, reason: &str) -> f64 {
    node.metric("fanfare_connects_refused_total", &format!("reason=\"{reason}\"")).await
}

#[tokio::test]
async fn one_user_has_so_many_connections_whatever_the_transport_and_others_get_in() {
    let node = Node::start_with(limits("connections_per_user = 3")).await;
    let (to, alice) = (node.address(), connect("alice", "acme"));
    let late = alice.negotiate(to).await.expect("an answer").expect(200).json();
    let late = late["connectionToken"].as_str().expect("a token");
    let mut open = Vec::new();
    for transport in Transport::ALL {
        open.push(Wire::connect(&alice, transport, to).await.expect("an answer").expect("connects"));
    }
    let text = "You have as many connections as one user may have.";
    assert_eq!(negotiate(&node, "alice").await.expect(429).text(), text);
    for id in [None, Some(late)] {
        let refused = alice.open(to, id).await.expect("an answer").expect_err("refused");
        assert_eq!(refused.expect(429).text(), text, "{id:?}");
    }
    let request = Request::get(format!("{HUB}?id={late}")).bearer(Token::user("alice", "acme").sign());
    assert_eq!(request.clone().send(to).await.expect("an answer").expect(429).text(), text, "a poll");
    let stream = request.header("accept", "text/event-stream").send(to).await.expect("an answer");
    assert_eq!(stream.expect(429).text(), text, "an event stream");
    assert!(refused(&node, "user_connections").await >= 5.0);
    node.tab(&Token::user("bob", "acme")).await;
    drop(open.pop());
    drop(open.remove(0));
    until("room again", async || (negotiate(&node, "alice").await.status == 200).then_some(())).await;
    node.tab(&Token::user("alice", "acme")).await;
}

#[tokio::test]
async fn connects_at_the_same_moment_are_no_more_than_the_node_may_have() {
    const MOST: usize = 10;
    let node = Node::start_with(Settings::default().node(&format!("max_connections = {MOST}"))).await;
    let to = node.address();
    let opening = (0..60).map(|number| {
        let connect = connect(&format!("user-{number}"), "acme");
        tokio::spawn(async move { connect.open(to, None).await.expect("an answer") })
    });
    let (mut open, mut full) = (Vec::new(), 0);
    for opened in opening.collect::<Vec<_>>() {
        match opened.await.expect("no panic") {
            Ok(socket) => open.push(socket),
            Err(refused) => {
                refused.expect(503);
                full += 1;
            }
        }
    }
    assert_eq!((open.len(), full), (MOST, 60 - MOST));
}

#[tokio::test]
async fn an_org_has_so_many_connections_where_that_is_set() {
    let node = Node::start_with(limits("connections_per_org = 2")).await;
    let to = node.address();
    let _tabs = [node.tab(&Token::user("alice", "acme")).await, node.tab(&Token::user("bob", "acme")).await];
    let refused = negotiate(&node, "carol").await.expect(429);
    assert_eq!(refused.text(), "Your organization has as many connections as it may have.");
    connect("dave", "globex").negotiate(to).await.expect("an answer").expect(200);
}

#[tokio::test]
async fn one_user_opens_connections_so_fast_and_others_as_ever() {
    let node = Node::start_with(limits("connections_per_user = 5\nuser_connects_per_minute = 60")).await;
    let refused = until("a refusal", async || {
        let answer = negotiate(&node, "alice").await;
        (answer.text() == "You open connections too fast.").then_some(answer)
    })
    .await;
    let wait: u64 = refused.expect(429).header("retry-after").expect("a time").parse().expect("seconds");
    assert!((1..=2).contains(&wait), "{wait}");
    negotiate(&node, "bob").await.expect(200);
}

#[tokio::test]
async fn the_limit_of_an_address_counts_the_address_that_a_trusted_proxy_forwards() {
    let settings = limits("connections_per_address = 2").node("trusted_proxies = [\"127.0.0.0/8\"]");
    let node = Node::start_with(settings).await;
    let from = |user: &str, address: &str| connect(user, "acme").header("x-forwarded-for", address);
    let mut open = Vec::new();
    for user in ["alice", "bob"] {
        let socket = from(user, "6.6.6.6, 192.0.2.1").open(node.address(), None).await.expect("an answer");
        open.push(socket.expect("opens"));
    }
    let refused = from("carol", "192.0.2.1").negotiate(node.address()).await.expect("an answer");
    assert_eq!(refused.expect(429).text(), "Your address has as many connections as it may have.");
    from("carol", "192.0.2.2").negotiate(node.address()).await.expect("an answer").expect(200);
}

/// Behind a proxy that the node does not know, all clients seem to have one address.
#[tokio::test]
async fn without_trusted_proxies_nothing_is_counted_by_address() {
    let node = Node::start_with(Settings::default()).await;
    let request = Request::post(format!("{HUB}/negotiate?negotiateVersion=1")).bearer("rubbish");
    for _ in 0..400 {
        request.send(node.address()).await.expect("an answer").expect(401);
    }
    negotiate(&node, "alice").await.expect(200);
}

#[tokio::test]
async fn an_address_with_too_many_wrong_tokens_is_not_listened_to_and_the_log_stays_short() {
    const WRONG: usize = 50;
    let settings = limits(&format!("failed_tokens_per_minute = {WRONG}"));
    let node = Node::start_with(settings.node("trusted_proxies = [\"127.0.0.1\"]")).await;
    let from = |token: &str, address: &str| {
        let request = Request::post(format!("{HUB}/negotiate?negotiateVersion=1"));
        request.bearer(token).header("x-forwarded-for", address)
    };
    let good = Token::user("alice", "acme").sign();
    let mut statuses = Vec::new();
    for _ in 0..WRONG + 20 {
        statuses.push(from("rubbish", "192.0.2.1").send(node.address()).await.expect("an answer").status);
    }
    assert_eq!(statuses[..WRONG], vec![401; WRONG]);
    assert_eq!(statuses.last(), Some(&429));
    let refused = from(&good, "192.0.2.1").send(node.address()).await.expect("an answer").expect(429);
    assert!(refused.header("retry-after").is_some());
    let event = Request::post("/events").bearer(Token::producer().sign()).header("x-forwarded-for", "192.0.2.1");
    event.json(&serde_json::json!({})).send(node.address()).await.expect("an answer").expect(429);
    from(&good, "192.0.2.2").send(node.address()).await.expect("an answer").expect(200);

    let lines = node.lines("token refused");
    assert_eq!(lines.len(), 10, "the rest is counted");
    assert!(lines.iter().all(|line| line["client"] == "192.0.2.1"), "{lines:?}");
    assert!(node.metric("fanfare_tokens_refused_total", "malformed").await >= WRONG as f64);
}

#[tokio::test]
async fn each_hub_has_its_own_limits_and_error_details() {
    let hubs = format!(
        "[hub.\"{HUB}\"]\n[hub.\"/hubs/brief\"]\nmessage_bytes = 1024\ndetailed_errors = false\n\
         method.Watch = {{ arguments = [{{ name = \"count\", type = \"integer\" }}], allow = true, join = \"n:{{count}}\" }}"
    );
    let node = Node::start_with(Settings { hubs, ..Settings::default() }).await;
    let long = "x".repeat(1500);
    for (hub, error, closes) in [
        (HUB, "Unknown hub method 'Watch'", None),
        (
            "/hubs/brief",
            "An unexpected error occurred invoking 'Watch' on the server.",
            Some("Connection closed with an error."),
        ),
    ] {
        let mut tab = Connect::new(hub, Token::user("alice", "acme").sign()).connect(node.address()).await;
        assert_eq!(tab.invoke("Watch", json!(["no number"])).await, Err(error.to_owned()), "{hub}");
        let call = json!({ "type": 1, "invocationId": "9", "target": "Watch", "arguments": [long] });
        tab.send(&call).await;
        match closes {
            Some(error) => assert_eq!(tab.next().await, Message::Close(Some(error.to_owned()), false), "{hub}"),
            None => assert!(matches!(tab.next().await, Message::Completion(..)), "{hub} takes it"),
        }
    }
}
