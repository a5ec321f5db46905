//! Tabs that do not read, and their effect on others.

use std::time::Duration;

use fanfare_e2e_tests::client::Connect;
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{HUB, NewEvent, Node, Settings, Token, Transport, Wire};
use serde_json::json;

fn settings() -> Settings {
    let limits = "queue_bytes = 32768\nevent_bytes = 16384\nkeepalive_seconds = 1\nclient_timeout_seconds = 3";
    Settings::default().section(&format!("[limits]\n{limits}"))
}

#[tokio::test]
async fn a_tab_that_reads_nothing_delays_no_other() {
    closes_a_tab_that_reads_nothing(&Node::start_with(settings()).await).await;
}

/// A tab that reads nothing is closed, and another gets each event in time until then.
pub(super) async fn closes_a_tab_that_reads_nothing(node: &Node) {
    let _deaf = node.tab(&Token::user("bob", "acme")).await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    let (mut sent, producer) = (0, Token::producer().sign());
    // The kernel decides how much the sockets buffer, so events are sent until the deaf tab is closed.
    while node.metric("fanfare_slow_consumers", "").await < 1.0 {
        assert!(sent < 4000, "the node goes on queueing for a tab that reads nothing");
        for _ in 0..20 {
            sent += 1;
            let body = json!({ "org": "acme", "title": sent.to_string(), "message": "m".repeat(12_000) });
            node.post(&producer, &NewEvent::new("system.Alert", &sent.to_string(), &body)).await.expect(202);
            let toast = tokio::time::timeout(Duration::from_secs(5), tab.expect("toast")).await;
            assert_eq!(toast.expect("the other tab is on time")["title"], sent.to_string());
        }
    }
}

/// Regression: a burst that is larger than what may wait for a tab dropped tabs that read.
#[tokio::test]
async fn a_burst_larger_than_the_queue_drops_no_tab_that_reads() {
    takes_a_burst(&Node::start_with(settings()).await).await;
}

/// A tab that reads gets all of a burst that is larger than its queue, and is not evicted.
pub(crate) async fn takes_a_burst(node: &Node) {
    const BURST: usize = 64;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    tab.cursor().await;
    node.publish(&NewEvent::burst(BURST)).await;
    for number in 0..BURST {
        assert_eq!(tab.expect("toast").await["title"], number.to_string());
    }
    assert_eq!(node.metric("fanfare_slow_consumers", "").await, 0.0);
}

/// A client that left without a close is not slow, whatever waits for its next poll.
#[tokio::test]
async fn polls_that_were_left_do_not_cost_their_user_a_replay() {
    const LEFT: u32 = 3;
    let node = Node::start_with(settings()).await;
    let connect = Connect::new(HUB, Token::user("alice", "acme").sign());
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    let cursor = tab.invoke("Cursor", json!([])).await.expect("a cursor");
    let (mut sent, producer) = (0, Token::producer().sign());
    for _ in 0..LEFT {
        let wire = Wire::connect(&connect, Transport::LongPolling, node.address()).await;
        drop(wire.expect("an answer").expect("connects"));
        // More than may wait for it.
        for _ in 0..10 {
            sent += 1;
            let body = json!({ "org": "acme", "title": sent.to_string(), "message": "m".repeat(12_000) });
            node.post(&producer, &NewEvent::new("system.Alert", &sent.to_string(), &body)).await.expect(202);
            tab.expect("toast").await;
        }
        until("the end of the poll's connection", async || {
            (node.metric("fanfare_connections", "LongPolling").await == 0.0).then_some(())
        })
        .await;
    }
    assert_eq!(node.metric("fanfare_slow_consumers", "").await, 0.0);
    let resumed = tab.invoke("Resume", json!([cursor])).await.expect("an answer");
    assert_eq!(resumed["complete"], true, "{resumed}");
}
