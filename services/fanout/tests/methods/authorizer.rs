//! Methods whose calls the platform's own authorizer decides.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fanfare_e2e_tests::client::Message;
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{NewEvent, Node, Token};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::responder::{Reply, Responder};
use super::scene::{hears_nothing_else, item, settings, tab, tab_of};

const METHODS: &str = r#"
method.JoinList = { arguments = ["listId"], authorizer = "lists", join = "list:{listId}" }
method.Edit = { arguments = ["listId"], allow = { roles = ["editor"] }, authorizer = "lists", join = "list:{listId}" }
method.Cached = { arguments = ["listId"], authorizer = "cached", join = "list:{listId}" }
"#;
const PATH: &str = "/users/{user}/lists/{listId}/access";

const DENIED: &str = "An unexpected error occurred invoking 'JoinList' on the server. HubException: Access is refused.";
const UNCHECKED: &str = "An unexpected error occurred invoking 'JoinList' on the server. \
                         HubException: Access cannot be checked now. Try again later.";

async fn scene() -> (Responder, Node) {
    let responder = Responder::start().await;
    let sections = [
        responder.section("lists", PATH, "token_file = \"token\""),
        responder.section("cached", PATH, "cache_seconds = 300"),
    ];
    let mut node = Node::prepare(settings(METHODS).section(&sections.join("\n")));
    std::fs::write(node.folder().join("token"), "secret-of-the-node\n").expect("written");
    node.start().await;
    (responder, node)
}

fn path(user: &str, list: &str) -> String {
    format!("/users/{user}/lists/{list}/access")
}

#[tokio::test]
async fn the_platforms_answer_counts() {
    let (responder, node) = scene().await;
    let mut alice = tab(&node, "alice").await;
    for status in [401, 403, 404] {
        responder.reply(&path("alice", "7"), Reply::Status(status));
        assert_eq!(alice.invoke("JoinList", json!(["7"])).await, Err(DENIED.to_owned()), "{status}");
    }
    node.publish(&[item("7", "milk")]).await;
    hears_nothing_else(&node, &mut alice, "refused").await;
    for status in [200, 204] {
        responder.reply(&path("alice", "7"), Reply::Status(status));
        assert_eq!(alice.invoke("JoinList", json!(["7"])).await, Ok(Value::Null), "{status}");
    }
    node.publish(&[item("7", "bread")]).await;
    assert_eq!(alice.expect("itemAdded").await["item"], "bread");
    hears_nothing_else(&node, &mut alice, "once").await;
    let requests = responder.requests();
    assert_eq!(requests.len(), 5, "every call is asked for: {requests:?}");
    let head = requests[0].to_ascii_lowercase();
    assert!(head.starts_with("get /users/alice/lists/7/access http/1.1"), "{head}");
    assert!(head.contains("authorization: bearer secret-of-the-node\r\n"), "{head}");
    responder.reply(&path("alice", "7"), Reply::Status(403));
    assert_eq!(alice.invoke("JoinList", json!(["7"])).await, Err(DENIED.to_owned()));
    node.publish(&[item("7", "salt")]).await;
    hears_nothing_else(&node, &mut alice, "left").await;
}

#[tokio::test]
async fn a_missing_or_bad_answer_refuses() {
    let (responder, node) = scene().await;
    let mut alice = tab(&node, "alice").await;
    responder.reply("/elsewhere", Reply::Status(200));
    for reply in [
        Reply::Status(500),
        Reply::Status(503),
        Reply::Status(201),
        Reply::Status(400),
        Reply::Redirect("/elsewhere".to_owned()),
        Reply::Garbage,
    ] {
        responder.reply(&path("alice", "7"), reply.clone());
        assert_eq!(alice.invoke("JoinList", json!(["7"])).await, Err(UNCHECKED.to_owned()), "{reply:?}");
    }
    assert!(responder.requests().iter().all(|head| !head.starts_with("GET /elsewhere")), "no redirect is followed");
    responder.reply(&path("alice", "7"), Reply::Silence);
    let asked = Instant::now();
    assert_eq!(alice.invoke("JoinList", json!(["7"])).await, Err(UNCHECKED.to_owned()));
    let waited = asked.elapsed();
    assert!(waited > Duration::from_millis(1900) && waited < Duration::from_secs(5), "{waited:?}");
    node.publish(&[item("7", "milk")]).await;
    hears_nothing_else(&node, &mut alice, "closed").await;
    assert_eq!(node.metric("fanfare_authorizer_answers_total", "unknown").await, 7.0);
    let log = node.log();
    assert!(log.contains("no valid answer") && !log.contains("secret-of-the-node"));
}

#[tokio::test]
async fn values_stay_in_their_segments() {
    let (responder, node) = scene().await;
    let mut alice = tab(&node, "alice").await;
    responder.reply(&path("alice", "..%2F..%2Fadmin%3F"), Reply::Status(204));
    assert_eq!(alice.invoke("JoinList", json!(["../../admin?"])).await, Ok(Value::Null));
    let error = alice.invoke("JoinList", json!([".."])).await.expect_err("another path");
    assert!(error.ends_with("HubException: An argument must not be `.` or `..`."), "{error}");
    assert_eq!(responder.requests().len(), 1);
}

#[tokio::test]
async fn an_answer_that_allows_is_used_again_where_that_is_configured() {
    let (responder, node) = scene().await;
    let (mut alice, mut bob) = (tab(&node, "alice").await, tab(&node, "bob").await);
    responder.reply(&path("alice", "7"), Reply::Status(200));
    responder.reply(&path("bob", "7"), Reply::Status(403));
    for _ in 0..3 {
        assert_eq!(alice.invoke("Cached", json!(["7"])).await, Ok(Value::Null));
        assert!(bob.invoke("Cached", json!(["7"])).await.is_err());
    }
    let requests = responder.requests();
    let of = |user: &str| requests.iter().filter(|head| head.contains(user)).count();
    assert_eq!((of("alice"), of("bob")), (1, 3), "a refusal is asked for again");
}

#[tokio::test]
async fn roles_that_go_while_the_platform_thinks_are_gone() {
    let (responder, node) = scene().await;
    let mut alice = tab_of(&node, &Token::user("alice", "acme").roles(&["editor"])).await;
    // A connection that has not caught up receives nothing while a call runs.
    alice.cursor().await;
    let gate = Arc::new(Semaphore::new(0));
    responder.reply(&path("alice", "7"), Reply::Held(Arc::clone(&gate)));
    alice.send(&json!({ "type": 1, "invocationId": "e", "target": "Edit", "arguments": ["7"] })).await;
    until("a question", async || (!responder.requests().is_empty()).then_some(())).await;
    let roles = json!({ "user": "alice", "org": "acme", "roles": ["user"] });
    node.publish(&[NewEvent::new("auth.RolesChanged", "r1", &roles)]).await;
    assert_eq!(alice.expect("toast").await["title"], "Roles");
    gate.add_permits(1);
    let refused = Err("Failed to invoke 'Edit' because user is unauthorized".to_owned());
    assert_eq!(alice.next().await, Message::Completion("e".to_owned(), refused));
    node.publish(&[item("7", "milk")]).await;
    hears_nothing_else(&node, &mut alice, "after").await;
}
