//! Groups that events grant and withdraw.

use std::sync::Arc;

use fanfare_e2e_tests::client::Message;
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{NewEvent, Node, Token};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::responder::{Reply, Responder};
use super::scene::{access, hears_nothing_else, item, node, replayed, settings, tab, tab_of};

const METHODS: &str = r#"
method.JoinList = { arguments = ["listId"], grant = true, join = "list:{listId}" }
"#;

const ASKED: &str = r#"
method.Ask = { arguments = ["listId"], authorizer = "lists", join = "list:{listId}" }
method.Cached = { arguments = ["listId"], authorizer = "cached", join = "list:{listId}" }
"#;

fn denied(method: &str) -> Result<Value, String> {
    Err(format!("An unexpected error occurred invoking '{method}' on the server. HubException: Access is refused."))
}

#[tokio::test]
async fn a_grant_admits_and_its_withdrawal_removes_at_once() {
    let node = node(METHODS).await;
    let (mut alice, mut bob) = (tab(&node, "alice").await, tab(&node, "bob").await);
    assert_eq!(alice.invoke("JoinList", json!(["7"])).await, denied("JoinList"));
    node.publish(&[
        access("CollaboratorAdded", "acme", "alice", "7", "1"),
        access("CollaboratorAdded", "acme", "bob", "7", "2"),
    ])
    .await;
    for (name, tab) in [("a", &mut alice), ("b", &mut bob)] {
        has_read(&node, tab, name).await;
        assert_eq!(tab.invoke("JoinList", json!(["7"])).await, Ok(Value::Null), "{name}");
        assert_eq!(tab.invoke("JoinList", json!(["8"])).await, denied("JoinList"), "{name}");
    }
    node.publish(&[item("7", "milk"), access("CollaboratorRemoved", "acme", "alice", "7", "3"), item("7", "bread")])
        .await;
    for tab in [&mut alice, &mut bob] {
        while tab.notification().await.1["item"] != "milk" {}
        assert_eq!(tab.expect("collaboratorRemoved").await, "alice", "the last that the removed one hears");
    }
    assert_eq!(bob.expect("itemAdded").await["item"], "bread");
    hears_nothing_else(&node, &mut alice, "out").await;
    assert_eq!(alice.invoke("JoinList", json!(["7"])).await, denied("JoinList"));
}

/// Waits until the node has read everything published before.
async fn has_read(node: &Node, tab: &mut fanfare_e2e_tests::Tab, title: &str) {
    node.publish(&[NewEvent::alert("acme", title)]).await;
    while tab.expect("toast").await["title"] != title {}
}

#[tokio::test]
async fn a_resume_sends_nothing_from_before_the_grant() {
    let node = node(METHODS).await;
    let mut alice = tab(&node, "alice").await;
    let cursor = alice.cursor().await;
    let granted = access("CollaboratorAdded", "acme", "alice", "7", "1");
    node.publish(&[item("7", "before"), granted, item("7", "after")]).await;
    hears_nothing_else(&node, &mut alice, "read").await;
    assert_eq!(alice.invoke("JoinList", json!(["7"])).await, Ok(Value::Null));
    let outcome = alice.invoke("Resume", json!([cursor])).await;
    assert_eq!(replayed(outcome), (1, true));
    assert_eq!(alice.expect("itemAdded").await["item"], "after");
    hears_nothing_else(&node, &mut alice, "end").await;
}

#[tokio::test]
async fn a_resume_omits_a_withdrawal_that_a_newer_grant_has_overtaken() {
    let node = node(METHODS).await;
    let mut bob = tab(&node, "bob").await;
    let word = |name: &str, user: &str, revision: i64| {
        let body = json!({ "org": "acme", "user": user, "list_id": "7", "revision": revision });
        NewEvent::new(&format!("lists.{name}"), &format!("{name}-{user}-{revision}"), &body)
    };
    node.publish(&[word("CollaboratorAdded", "bob", 1), word("CollaboratorAdded", "alice", 2)]).await;
    hears_nothing_else(&node, &mut bob, "read").await;
    let cursor = bob.cursor().await;
    let late = word("CollaboratorRemoved", "alice", 1);
    node.publish(&[late, word("CollaboratorRemoved", "carol", 3), item("7", "milk")]).await;
    hears_nothing_else(&node, &mut bob, "end").await;
    assert_eq!(bob.invoke("JoinList", json!(["7"])).await, Ok(Value::Null));
    let outcome = bob.invoke("Resume", json!([cursor])).await;
    assert_eq!(replayed(outcome), (2, true));
    assert_eq!(bob.expect("collaboratorRemoved").await, "carol");
    assert_eq!(bob.expect("itemAdded").await["item"], "milk");
}

#[tokio::test]
async fn grants_outlive_a_restart_and_withdrawals_too() {
    let mut node = node(METHODS).await;
    node.publish(&[
        access("CollaboratorAdded", "acme", "alice", "7", "1"),
        access("CollaboratorAdded", "acme", "bob", "7", "2"),
        access("CollaboratorRemoved", "acme", "bob", "7", "3"),
    ])
    .await;
    node.kill();
    node.start().await;
    assert_eq!(tab(&node, "alice").await.invoke("JoinList", json!(["7"])).await, Ok(Value::Null));
    assert_eq!(tab(&node, "bob").await.invoke("JoinList", json!(["7"])).await, denied("JoinList"));
}

#[tokio::test]
async fn an_event_of_another_org_grants_and_withdraws_nothing() {
    let node = node(METHODS).await;
    let mut alice = tab(&node, "alice").await;
    let mut namesake = tab_of(&node, &Token::user("alice", "globex")).await;
    node.publish(&[access("CollaboratorAdded", "acme", "alice", "7", "1")]).await;
    hears_nothing_else(&node, &mut alice, "read").await;
    assert_eq!(alice.invoke("JoinList", json!(["7"])).await, Ok(Value::Null));
    assert_eq!(namesake.invoke("JoinList", json!(["7"])).await, denied("JoinList"));
    node.publish(&[access("CollaboratorRemoved", "globex", "alice", "7", "2"), item("7", "milk")]).await;
    assert_eq!(alice.expect("itemAdded").await["item"], "milk");
}

async fn asked() -> (Responder, Node) {
    let responder = Responder::start().await;
    let path = "/{user}/{listId}";
    let sections = [responder.section("lists", path, ""), responder.section("cached", path, "cache_seconds = 300")];
    let node = Node::start_with(settings(ASKED).section(&sections.join("\n"))).await;
    (responder, node)
}

#[tokio::test]
async fn a_withdrawal_voids_what_an_authorizer_allowed_before_it() {
    let (responder, node) = asked().await;
    let (mut alice, mut witness) = (tab(&node, "alice").await, tab(&node, "bob").await);
    // A connection that has not caught up receives nothing while a call runs.
    alice.cursor().await;
    let gate = Arc::new(Semaphore::new(0));
    responder.reply("/alice/7", Reply::Held(Arc::clone(&gate)));
    alice.send(&json!({ "type": 1, "invocationId": "a", "target": "Ask", "arguments": ["7"] })).await;
    until("a question", async || (!responder.requests().is_empty()).then_some(())).await;
    node.publish(&[access("CollaboratorRemoved", "acme", "alice", "7", "1")]).await;
    hears_nothing_else(&node, &mut witness, "read").await;
    assert_eq!(alice.expect("toast").await["title"], "read");
    gate.add_permits(1);
    assert_eq!(alice.next().await, Message::Completion("a".to_owned(), denied("Ask")));
    node.publish(&[item("7", "milk")]).await;
    hears_nothing_else(&node, &mut alice, "out").await;
    gate.add_permits(1);
    assert_eq!(alice.invoke("Ask", json!(["7"])).await, Ok(Value::Null), "what it says after the withdrawal counts");
    node.publish(&[item("7", "bread")]).await;
    assert_eq!(alice.expect("itemAdded").await["item"], "bread");
}

#[tokio::test]
async fn a_withdrawal_voids_remembered_answers_and_ends_what_they_joined() {
    let (responder, node) = asked().await;
    let mut alice = tab(&node, "alice").await;
    // What is held for a tab that has not caught up is not sent once it has left the group.
    assert!(alice.invoke("Cursor", json!([])).await.is_ok());
    responder.reply("/alice/7", Reply::Status(200));
    assert_eq!(alice.invoke("Cached", json!(["7"])).await, Ok(Value::Null));
    node.publish(&[item("7", "milk"), access("CollaboratorRemoved", "acme", "alice", "7", "1"), item("7", "bread")])
        .await;
    assert_eq!(alice.expect("itemAdded").await["item"], "milk");
    assert_eq!(alice.expect("collaboratorRemoved").await, "alice");
    hears_nothing_else(&node, &mut alice, "out").await;
    responder.reply("/alice/7", Reply::Status(403));
    assert_eq!(alice.invoke("Cached", json!(["7"])).await, denied("Cached"));
    responder.reply("/alice/7", Reply::Status(200));
    assert_eq!(alice.invoke("Cached", json!(["7"])).await, Ok(Value::Null), "allowed again");
    assert_eq!(responder.requests().len(), 3);
}

#[tokio::test]
async fn a_grant_joins_open_and_new_tabs_without_a_call_and_a_withdrawal_removes_them() {
    let node = node("join = [\"user:{user}\", \"org:{org}\", { group = \"list:{listId}\", granted = true }]").await;
    let (mut alice, mut bob) = (tab(&node, "alice").await, tab(&node, "bob").await);
    for tab in [&mut alice, &mut bob] {
        assert!(tab.invoke("Cursor", json!([])).await.is_ok());
    }
    node.publish(&[
        item("7", "before"),
        access("CollaboratorAdded", "acme", "alice", "7", "1"),
        access("CollaboratorAdded", "globex", "bob", "7", "2"),
        item("7", "milk"),
    ])
    .await;
    assert_eq!(alice.expect("itemAdded").await["item"], "milk", "from the event on");
    hears_nothing_else(&node, &mut bob, "not in his org").await;
    assert_eq!(alice.expect("toast").await["title"], "not in his org");
    let mut later = tab(&node, "alice").await;
    assert!(later.invoke("Cursor", json!([])).await.is_ok());
    node.publish(&[item("7", "bread"), access("CollaboratorRemoved", "acme", "alice", "7", "3"), item("7", "wine")])
        .await;
    for tab in [&mut alice, &mut later] {
        assert_eq!(tab.expect("itemAdded").await["item"], "bread");
        assert_eq!(tab.expect("collaboratorRemoved").await, "alice");
        hears_nothing_else(&node, tab, "out").await;
    }
}
