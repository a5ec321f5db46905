//! Any node accepts requests of any connection (round robin, no sticky sessions).

use std::net::SocketAddr;

use fanfare_e2e_tests::backplane::{Backplane, Kind};
use fanfare_e2e_tests::client::{Connect, Message};
use fanfare_e2e_tests::cluster::SECRET;
use fanfare_e2e_tests::transport::{Transport, Wire};
use fanfare_e2e_tests::wait::{at_most, until};
use fanfare_e2e_tests::{HUB, NewEvent, Node, Request, Settings, Token};
use serde_json::json;

const OF_REQUESTS: [Transport; 2] = [Transport::EventStream, Transport::LongPolling];

async fn three() -> Option<(Backplane, [Node; 3])> {
    let backplane = Backplane::start(Kind::Nats).await?;
    let settings = |node| Settings::default().broker(&backplane.config(node)).secret(SECRET);
    let mut nodes = [0, 1, 2].map(|node| Node::prepare(settings(node)));
    for node in &mut nodes {
        node.start().await;
    }
    Some((backplane, nodes))
}

fn addresses(nodes: &[Node]) -> Vec<SocketAddr> {
    nodes.iter().map(Node::address).collect()
}

fn alice() -> Connect {
    Connect::new(HUB, Token::user("alice", "acme").sign())
}

#[tokio::test]
async fn tabs_receive_everything_in_order_and_are_answered_though_each_request_reaches_another_node() {
    let Some((_backplane, nodes)) = three().await else { return };
    let mut turns = addresses(&nodes);
    let mut tabs = Vec::new();
    for transport in OF_REQUESTS {
        for _ in 0..3 {
            let tab = Wire::connect_in_turn(&alice(), transport, &turns).await.expect("connects").expect("let in");
            tabs.push(tab);
            turns.rotate_left(1);
        }
    }
    for tab in &mut tabs {
        let cursor = tab.try_invoke("Cursor", json!([])).await.expect("answered").expect("a cursor");
        assert!(cursor.is_string());
    }
    let titles: Vec<String> = (0..30).map(|number| format!("toast {number}")).collect();
    for (number, title) in titles.iter().enumerate() {
        nodes[number % 3].publish(&[NewEvent::alert("acme", title)]).await;
    }
    for tab in &mut tabs {
        for expected in &titles {
            assert_eq!(tab.title().await, *expected);
        }
    }
    let mut forwarded = 0.0;
    for node in &nodes {
        forwarded += node.metric("fanfare_requests_forwarded_total", "answered").await;
    }
    assert!(forwarded > 0.0, "some came to another node");
}

#[tokio::test]
async fn a_connection_ends_by_whichever_node_and_one_of_a_node_that_is_gone_is_unknown() {
    let Some((_backplane, mut nodes)) = three().await else { return };
    let [home, other] = [0, 1].map(|node: usize| nodes[node].address());
    for transport in OF_REQUESTS {
        let mut tab =
            Wire::connect_in_turn(&alice(), transport, &[home, other]).await.expect("connects").expect("let in");
        let id = tab.connection_token().to_owned();
        let ended = alice().request("DELETE", &id).send(other).await.expect("an answer");
        if transport == Transport::LongPolling {
            assert_eq!(ended.status, 202, "{}", ended.text());
            assert_eq!(at_most("the end", tab.receive()).await, Message::Gone);
        } else {
            assert_eq!(ended.status, 400, "as its own node answers: {}", ended.text());
        }
    }
    // A stream that its client drops ends at its own node, too.
    let tab = Wire::connect_in_turn(&alice(), Transport::EventStream, &[home, other]).await;
    let tab = tab.expect("connects").expect("let in");
    assert!(nodes[0].metric("fanfare_connections", "ServerSentEvents").await >= 1.0);
    drop(tab);
    until("the stream's end", async || {
        (nodes[0].metric("fanfare_connections", "ServerSentEvents").await == 0.0).then_some(())
    })
    .await;
    let young = alice().negotiate(home).await.expect("an answer").json();
    let young = young["connectionToken"].as_str().expect("a token").to_owned();
    nodes[0].kill();
    for (method, accept) in [("GET", "text/event-stream"), ("GET", "*/*"), ("POST", "*/*"), ("DELETE", "*/*")] {
        let gone = alice().request(method, &young).header("accept", accept).send(other).await.expect("an answer");
        assert_eq!(gone.status, 404, "{method} {accept}: {}", gone.text());
    }
    nodes[0].start().await;
    for node in [home, other] {
        let gone = alice().request("GET", &young).send(node).await.expect("an answer");
        assert_eq!(gone.status, 404, "the process that negotiated it is gone: {}", gone.text());
    }
}

#[tokio::test]
async fn one_user_leaves_places_for_the_forwarded_requests_of_others() {
    let Some(backplane) = Backplane::start(Kind::Nats).await else { return };
    let mut nodes =
        [0, 1].map(|node| Node::prepare(Settings::default().broker(&backplane.config(node)).secret(SECRET)));
    nodes[0].start().await;
    nodes[1].launch_with_files(400, 400);
    nodes[1].ready().await;
    assert_eq!(nodes[1].lines("the limit of open files allows few connections; raise it (nofile)")[0]["forwarded"], 26);
    let in_turn = [nodes[0].address(), nodes[1].address()];
    let mut tabs = Vec::new();
    for _ in 0..16 {
        let tab = Wire::connect_in_turn(&alice(), Transport::EventStream, &in_turn).await;
        tabs.push(tab.expect("connects").expect("let in"));
    }
    let young = alice().negotiate(in_turn[0]).await.expect("an answer").json();
    let young = young["connectionToken"].as_str().expect("a token").to_owned();
    let refused = alice().request("GET", &young).header("accept", "text/event-stream").send(in_turn[1]).await;
    let refused = refused.expect("an answer");
    assert_eq!(refused.status, 429, "{}", refused.text());
    assert!(refused.header("retry-after").is_some());
    let bob = Connect::new(HUB, Token::user("bob", "acme").sign());
    drop(Wire::connect_in_turn(&bob, Transport::EventStream, &in_turn).await.expect("connects").expect("let in"));
    assert_eq!(nodes[1].metric("fanfare_requests_forwarded_total", "too_many").await, 1.0);
    // A connection that leaves makes room.
    drop(tabs);
    until("a place", async || {
        Wire::connect_in_turn(&alice(), Transport::EventStream, &in_turn).await.ok()?.ok().map(drop)
    })
    .await;
}

#[tokio::test]
async fn only_a_node_can_mark_a_request_as_forwarded() {
    let node = Node::start_with(Settings::default()).await;
    let negotiate =
        Request::post(format!("{HUB}/negotiate?negotiateVersion=1")).bearer(Token::user("a", "acme").sign());
    let refused = negotiate.header("fanfare-forwarded", "bm8gbm9kZSBvZiB0aGlzIHNlY3JldA").send(node.address()).await;
    let refused = refused.expect("an answer");
    assert_eq!(refused.status, 400);
    assert_eq!(refused.text(), "The header fanfare-forwarded is for nodes of the same secret alone.");
}
