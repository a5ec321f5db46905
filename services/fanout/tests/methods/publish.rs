//! Methods that publish an event.

use fanfare_e2e_tests::Token;
use serde_json::json;

use super::scene::{hears_nothing_else, node, tab, tab_of};

const METHODS: &str = r#"
[hub."/hubs/lists".method.Announce]
arguments = ["orgId", "title", { name = "message", type = "any" }]
allow = { roles = ["admin"], org = "{orgId}" }
publish = { event = "system.Alert", fields = { org = "{orgId}", title = "{title}", message = "{message}", raised_by = "{user}" } }

[hub."/hubs/lists".method.AnnounceAnywhere]
arguments = [{ name = "orgId", type = "any" }]
allow = true
publish = { event = "system.Alert", fields = { org = "{orgId}", title = "t", message = "m" } }
"#;

#[tokio::test]
async fn a_call_publishes_an_event_and_gives_its_id() {
    let node = node(METHODS).await;
    let admin = Token::user("bob", "acme").roles(&["admin"]);
    let (mut bob, mut alice) = (tab_of(&node, &admin).await, tab(&node, "alice").await);
    let id = bob.invoke("announce", json!(["acme", "Hello", "World"])).await.expect("an id");
    assert!(id.as_str().is_some_and(|id| id.len() == 36), "{id}");
    for tab in [&mut bob, &mut alice] {
        let toast = tab.expect("toast").await;
        assert_eq!((&toast["title"], &toast["message"]), (&json!("Hello"), &json!("World")));
    }
}

#[tokio::test]
async fn what_may_not_be_published_is_not() {
    let node = node(METHODS).await;
    let admin = Token::user("bob", "acme").roles(&["admin"]);
    let (mut bob, mut alice) = (tab_of(&node, &admin).await, tab(&node, "alice").await);
    let refused = |method: &str| Err(format!("Failed to invoke '{method}' because user is unauthorized"));
    assert_eq!(alice.invoke("Announce", json!(["acme", "t", "m"])).await, refused("Announce"));
    assert_eq!(bob.invoke("Announce", json!(["globex", "t", "m"])).await, refused("Announce"));
    let error = bob.invoke("Announce", json!(["acme", "t", 7])).await.expect_err("a message is text");
    let expected = "An unexpected error occurred invoking 'Announce' on the server. \
                    HubException: `message` of system.Alert v2: expected string, found a number.";
    assert_eq!(error, expected);
    for org in [json!("globex"), json!(null)] {
        let found = alice.invoke("AnnounceAnywhere", json!([org])).await;
        assert_eq!(found, refused("AnnounceAnywhere"), "an event of another org, or of none, is nobody's to publish");
    }
    assert!(alice.invoke("AnnounceAnywhere", json!(["a b"])).await.is_err(), "not of the caller");
    assert!(alice.invoke("AnnounceAnywhere", json!(["acme"])).await.is_ok());
    assert_eq!(bob.expect("toast").await["title"], "t");
    hears_nothing_else(&node, &mut bob, "nothing-more").await;
}
