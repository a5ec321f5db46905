//! Authorizers that are asked by POST, return more than a decision, and are asked again while a group is joined.

use std::time::Duration;

use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{NewEvent, Node};
use serde_json::{Value, json};

use super::responder::{Reply, Responder};
use super::scene::{hears_nothing_else, item, settings, tab};

const METHODS: &str = r#"
method.JoinList = { arguments = ["listId"], authorizer = "lists", join = "list:{listId}" }
method.JoinMine = { authorizer = "mine", join = "list:{answer.lists}" }
"#;

async fn scene(more: &str) -> (Responder, Node) {
    let responder = Responder::start().await;
    let post = "method = \"POST\"\nbody = { user = \"{user}\", group = \"{group}\", list = \"{listId}\", n = 1 }\n";
    let sections = [
        responder.section("lists", "/access", &format!("{post}{more}")),
        responder.section("mine", "/lists/{user}", "recheck_seconds = 5"),
    ];
    let node = Node::start_with(settings(METHODS).section(&sections.join("\n"))).await;
    (responder, node)
}

#[tokio::test]
async fn a_question_is_posted_and_its_answer_names_groups() {
    let (responder, node) = scene("").await;
    let mut alice = tab(&node, "alice").await;
    responder.reply("/access", Reply::Status(204));
    assert_eq!(alice.invoke("JoinList", json!(["7"])).await, Ok(Value::Null));
    let asked: Value = serde_json::from_str(&responder.bodies()[0]).expect("JSON");
    assert_eq!(asked, json!({ "user": "alice", "group": "list:7", "list": "7", "n": 1 }));
    assert!(responder.requests()[0].starts_with("POST /access HTTP/1.1"));
    responder.reply("/lists/alice", Reply::Json(r#"{"claims": {"lists": [8, "9"]}}"#.to_owned()));
    assert_eq!(alice.invoke("JoinMine", json!([])).await, Ok(Value::Null));
    node.publish(&[item("8", "milk"), item("10", "salt"), item("9", "tea")]).await;
    assert_eq!(alice.expect("itemAdded").await["item"], "milk");
    assert_eq!(alice.expect("itemAdded").await["item"], "tea");
    responder.reply("/lists/alice", Reply::Status(200));
    let error = alice.invoke("JoinMine", json!([])).await.expect_err("nothing was said");
    assert!(error.ends_with("HubException: The answer of the authorizer says no lists."), "{error}");
}

#[tokio::test]
async fn a_group_is_left_when_the_platform_withdraws_it_later() {
    let (responder, node) = scene("recheck_seconds = 5").await;
    let mut alice = tab(&node, "alice").await;
    responder.reply("/access", Reply::Status(204));
    assert_eq!(alice.invoke("JoinList", json!(["7"])).await, Ok(Value::Null));
    until("a second question", async || (responder.requests().len() >= 2).then_some(())).await;
    node.publish(&[item("7", "milk")]).await;
    assert_eq!(alice.expect("itemAdded").await["item"], "milk", "it is kept while the platform allows it");
    responder.reply("/access", Reply::Status(403));
    until("a refusal", async || (node.metric("fanfare_rechecks_total", "refused").await > 0.0).then_some(())).await;
    node.publish(&[item("7", "tea"), NewEvent::alert("acme", "gone")]).await;
    assert_eq!(alice.expect("toast").await["title"], "gone");
    assert!(node.log().contains("a group is taken away"));
    let asked = responder.requests().len();
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(responder.requests().len(), asked, "nobody is asked about what is not held");
}

#[tokio::test]
async fn a_platform_that_gives_no_answer_keeps_a_group_for_a_while_and_no_longer() {
    let (responder, node) = scene("recheck_seconds = 5\ngrace_seconds = 6").await;
    let mut alice = tab(&node, "alice").await;
    responder.reply("/access", Reply::Status(204));
    assert_eq!(alice.invoke("JoinList", json!(["7"])).await, Ok(Value::Null));
    responder.reply("/access", Reply::Status(503));
    until("no answer", async || (node.metric("fanfare_rechecks_total", "unknown").await > 0.0).then_some(())).await;
    node.publish(&[item("7", "milk")]).await;
    assert_eq!(alice.expect("itemAdded").await["item"], "milk", "kept for as long as it may come back");
    until("the end", async || (node.metric("fanfare_rechecks_total", "expired").await > 0.0).then_some(())).await;
    node.publish(&[item("7", "tea")]).await;
    hears_nothing_else(&node, &mut alice, "closed").await;
}
