//! A disk without room for the embedded log.

use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{NewEvent, Node, Request, Settings, Token};
use serde_json::json;

/// More than an empty log takes.
const ROOM_KIB: u32 = 24 << 10;

/// More alerts of 100 KB than fit.
const ALERTS: usize = 600;

fn alert(number: usize) -> NewEvent {
    let body = json!({ "org": "acme", "title": number.to_string(), "message": "m".repeat(100_000) });
    NewEvent::new("system.Alert", &format!("alert-{number}"), &body)
}

async fn health(node: &Node) -> String {
    Request::get("/healthz").send(node.admin_address()).await.expect("an answer").text()
}

/// Rule 8.2: no file of the node grows beyond a size, as if its disk were full.
#[tokio::test]
async fn a_node_whose_log_cannot_grow_reports_why_it_is_degraded_and_loses_nothing_it_accepted() {
    let mut node = Node::prepare(Settings::default());
    node.launch_with_room(ROOM_KIB);
    node.ready().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    tab.cursor().await;
    let token = Token::producer().sign();
    let mut taken = 0;
    let refused = loop {
        assert!(taken < ALERTS, "the log grows beyond its room");
        let answer = node.post(&token, &alert(taken)).await;
        if answer.status != 202 {
            break answer;
        }
        assert_eq!(tab.expect("toast").await["title"], taken.to_string());
        taken += 1;
    };
    assert_eq!(refused.status, 503, "{}", refused.text());
    until("degraded health with its reason", async || {
        health(&node).await.contains("the log cannot be written: ").then_some(())
    })
    .await;
    assert_eq!(node.metric("fanfare_log_unwritable", "").await, 1.0);
    // Existing events are still sent, also to a tab that connects now.
    node.tab(&Token::user("bob", "acme")).await.cursor().await;

    node.stop().await;
    let records = node.open_log().records().await;
    assert_eq!(records.len(), taken, "what was taken, and nothing that was refused");
    node.start().await;
    assert!(!health(&node).await.contains("cannot be written"));
    node.publish(&[alert(taken)]).await;
}
