//! A node's state from events that are older than everything in its replay window and its log.

use fanfare_e2e_tests::{NewEvent, Node, Settings, Token};
use serde_json::json;

/// The smallest possible settings.
const BROKER: &str = "url = \"embedded:log\"\nwindow_minutes = 1\nwindow_events = 3\nretention_hours = 1\n\
                      retention_bytes = 1048576\n";

/// Enough alerts of 100 KB that none of the events before them is kept.
const ALERTS: usize = 20;

async fn expect_known(node: &Node, cursor: &str) {
    // Signed before all of it was published.
    let (alice, bob) = (old("alice"), old("bob"));
    assert_eq!(node.negotiate(bob.sign()).await, 401, "bob has logged out");
    let mut tab = node.tab(&alice).await;
    let resumed = tab.invoke("Resume", json!([cursor])).await.expect("an answer");
    assert_eq!((&resumed["replayed"], &resumed["complete"]), (&json!(3), &json!(false)), "the window, and no more");
    let id = format!("to-admins-{}", fanfare_e2e_tests::token::now());
    node.publish(&[NewEvent::new("system.Alert", &id, &json!({ "title": id, "message": "m" }))]).await;
    for _ in 0..3 {
        let toast = tab.expect("toast").await;
        assert!(toast["title"].as_str().is_some_and(|title| title.parse::<usize>().is_ok()), "one of the window");
    }
    assert_eq!(tab.expect("featureFlag").await["flag"], "beta", "it is retained");
    assert_eq!(tab.expect("toast").await["title"], id, "alice is an admin");
}

/// A token from a minute ago.
fn old(user: &str) -> Token {
    Token::user(user, "acme").claim("iat", fanfare_e2e_tests::token::now() - 60)
}

#[tokio::test]
async fn what_a_node_knows_outlives_the_window_and_the_retention_of_its_log() {
    let mut node = Node::start_with(Settings::default().broker(BROKER)).await;
    let cursor = node.tab(&old("alice")).await.cursor().await;
    let roles = json!({ "user": "alice", "org": "acme", "roles": ["admin"] });
    let logout = json!({ "user": "bob", "org": "acme", "session": null, "reason": "by an admin" });
    node.publish(&[
        NewEvent::flag("acme", "beta", true, "flag"),
        NewEvent::new("auth.RolesChanged", "roles", &roles),
        NewEvent::new("auth.UserLoggedOut", "logout", &logout),
    ])
    .await;
    for number in 0..ALERTS {
        let body = json!({ "org": "acme", "title": format!("{number}"), "message": "m".repeat(100_000) });
        node.publish(&[NewEvent::new("system.Alert", &format!("alert-{number}"), &body)]).await;
    }
    node.stop().await;
    let records = node.open_log().records().await;
    let kept: Vec<&str> = records.iter().map(|record| &*record.message.topic).collect();
    assert!(kept.len() >= 3 && kept.iter().all(|topic| *topic == "system.Alert"), "{kept:?}");
    node.start().await;
    expect_known(&node, &cursor).await;
}
