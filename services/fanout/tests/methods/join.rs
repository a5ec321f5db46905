//! Joining and leaving groups.

use fanfare_e2e_tests::{NewEvent, Token};
use serde_json::{Value, json};

use super::scene::{hears_nothing_else, item, node, replayed, settings, tab, tab_of};

const OPEN: &str = r#"
method.JoinList = { arguments = ["listId"], allow = true, join = "list:{listId}" }
method.LeaveList = { arguments = ["listId"], leave = "list:{0}" }
method.JoinOrg = { allow = true, join = "org:{org}" }
method.LeaveOrg = { leave = "org:{org}" }
method.JoinAsEditor = { arguments = ["listId"], allow = { roles = ["editor"] }, join = "list:{listId}" }
"#;

const UNAUTHORIZED: &str = "Failed to invoke 'JoinAsEditor' because user is unauthorized";

#[tokio::test]
async fn a_joined_group_is_received_once_and_until_it_is_left() {
    let node = node(OPEN).await;
    let (mut alice, mut bob) = (tab(&node, "alice").await, tab(&node, "bob").await);
    for _ in 0..2 {
        assert_eq!(alice.invoke("joinlist", json!(["7"])).await, Ok(Value::Null));
    }
    node.publish(&[item("7", "milk"), item("8", "rice")]).await;
    assert_eq!(alice.expect("itemAdded").await["item"], "milk");
    hears_nothing_else(&node, &mut alice, "first").await;
    assert_eq!(bob.expect("toast").await["title"], "first", "who did not join hears nothing of it");
    assert_eq!(alice.invoke("LeaveList", json!(["7"])).await, Ok(Value::Null));
    assert_eq!(alice.invoke("LeaveList", json!(["never joined"])).await, Ok(Value::Null));
    node.publish(&[item("7", "bread")]).await;
    hears_nothing_else(&node, &mut alice, "second").await;
}

#[tokio::test]
async fn nothing_of_another_org_is_received_whatever_is_joined() {
    let node = node(OPEN).await;
    let mut carol = tab_of(&node, &Token::user("carol", "globex")).await;
    let mut alice = tab(&node, "alice").await;
    for tab in [&mut carol, &mut alice] {
        assert_eq!(tab.invoke("JoinList", json!(["7"])).await, Ok(Value::Null));
    }
    node.publish(&[item("7", "milk"), NewEvent::alert("globex", "hers")]).await;
    assert_eq!(alice.expect("itemAdded").await["item"], "milk");
    assert_eq!(carol.expect("toast").await["title"], "hers");
}

#[tokio::test]
async fn bad_calls_are_answered_with_their_fault_and_the_connection_stays() {
    let node = node(OPEN).await;
    let mut alice = tab(&node, "alice").await;
    for (method, arguments, error) in [
        ("JoinList", json!([]), "InvalidDataException: Invocation provides 0 argument(s) but target expects 1."),
        (
            "JoinList",
            json!(["a", "b"]),
            "InvalidDataException: Invocation provides 2 argument(s) but target expects 1.",
        ),
        ("JoinList", json!([null]), "HubException: `listId` must not be null."),
        ("JoinList", json!(["  "]), "HubException: A value of the group must not be blank."),
        ("JoinList", json!([7]), "HubException: `listId` must be a string, not an integer."),
        ("JoinList", json!(["x".repeat(200)]), "HubException: `listId` is longer than 128 characters."),
        ("JoinAsEditor", json!(["7"]), UNAUTHORIZED),
        ("JoinLists", json!(["7"]), "Unknown hub method 'JoinLists'"),
    ] {
        let told = alice.invoke(method, arguments).await.expect_err(error);
        assert!(told.ends_with(error), "{told}");
    }
    node.publish(&[item("7", "milk")]).await;
    hears_nothing_else(&node, &mut alice, "alive").await;
}

#[tokio::test]
async fn a_connection_joins_so_many_groups_and_no_more() {
    let node = fanfare_e2e_tests::Node::start_with(settings(OPEN).section("[limits]\njoined_groups = 2")).await;
    let mut alice = tab(&node, "alice").await;
    for list in ["1", "2", "2"] {
        assert_eq!(alice.invoke("JoinList", json!([list])).await, Ok(Value::Null));
    }
    let error = alice.invoke("JoinList", json!(["3"])).await.expect_err("a third group");
    assert!(
        error.ends_with("HubException: The connection has joined 2 groups, and no more are allowed. Leave one first.")
    );
    assert_eq!(alice.invoke("LeaveList", json!(["1"])).await, Ok(Value::Null));
    assert_eq!(alice.invoke("JoinList", json!(["3"])).await, Ok(Value::Null));
}

#[tokio::test]
async fn retained_values_are_sent_at_once_and_only_once() {
    let node = node(OPEN).await;
    node.publish(&[NewEvent::flag("acme", "beta", true, "1")]).await;
    let mut alice = tab(&node, "alice").await;
    hears_nothing_else(&node, &mut alice, "before").await;
    assert_eq!(alice.invoke("Watch", json!(["beta"])).await, Ok(Value::Null));
    assert_eq!(alice.expect("featureFlag").await["enabled"], true);
    assert_eq!(alice.invoke("Watch", json!(["beta"])).await, Ok(Value::Null));
    node.publish(&[NewEvent::flag("acme", "beta", false, "2")]).await;
    assert_eq!(alice.expect("featureFlag").await["enabled"], false);
    hears_nothing_else(&node, &mut alice, "after").await;
}

#[tokio::test]
async fn a_resume_sends_what_came_before_a_group_was_joined() {
    let node = node(OPEN).await;
    let mut alice = tab(&node, "alice").await;
    let cursor = alice.cursor().await;
    node.publish(&[item("7", "milk"), item("8", "rice"), NewEvent::alert("acme", "between")]).await;
    assert_eq!(alice.expect("toast").await["title"], "between");
    assert_eq!(alice.invoke("JoinList", json!(["7"])).await, Ok(Value::Null));
    node.publish(&[item("7", "bread")]).await;
    assert_eq!(alice.expect("itemAdded").await["item"], "bread");
    let outcome = alice.invoke("Resume", json!([cursor])).await;
    assert_eq!(replayed(outcome), (1, true), "what came live is not sent again");
    assert_eq!(alice.expect("itemAdded").await["item"], "milk");
    hears_nothing_else(&node, &mut alice, "after").await;
}

#[tokio::test]
async fn withdrawn_roles_take_their_groups_with_them() {
    let node = node(OPEN).await;
    let editor = Token::user("alice", "acme").roles(&["editor"]);
    let mut alice = tab_of(&node, &editor).await;
    assert_eq!(alice.invoke("JoinAsEditor", json!(["7"])).await, Ok(Value::Null));
    assert_eq!(alice.invoke("JoinList", json!(["8"])).await, Ok(Value::Null));
    let roles = json!({ "user": "alice", "org": "acme", "roles": ["user"] });
    node.publish(&[NewEvent::new("auth.RolesChanged", "r1", &roles), item("7", "milk"), item("8", "rice")]).await;
    assert_eq!(alice.expect("toast").await["title"], "Roles");
    assert_eq!(alice.expect("itemAdded").await["item"], "rice", "what another method joined stays");
    assert_eq!(alice.invoke("JoinAsEditor", json!(["7"])).await, Err(UNAUTHORIZED.to_owned()));
}

#[tokio::test]
async fn leaving_removes_no_connection_from_groups_of_its_claims() {
    let node = node(OPEN).await;
    let mut alice = tab(&node, "alice").await;
    for (step, method) in ["JoinOrg", "LeaveOrg", "LeaveOrg"].into_iter().enumerate() {
        assert_eq!(alice.invoke(method, json!([])).await, Ok(Value::Null));
        for title in ["a", "b"] {
            hears_nothing_else(&node, &mut alice, &format!("{step}{title}")).await;
        }
    }
}

#[tokio::test]
async fn a_resume_does_not_repeat_what_came_live_through_another_group() {
    let node = node(OPEN).await;
    let mut alice = tab(&node, "alice").await;
    let cursor = alice.cursor().await;
    let expired = json!({ "org": "acme", "plan": "pro", "expired_at": 0 });
    node.publish(&[NewEvent::new("license.LicenseExpired", "l1", &expired)]).await;
    assert_eq!(alice.expect("toast").await["title"], "Expired");
    assert_eq!(alice.invoke("Watch", json!(["pro"])).await, Ok(Value::Null));
    let outcome = alice.invoke("Resume", json!([cursor])).await;
    assert_eq!(replayed(outcome), (0, true));
    hears_nothing_else(&node, &mut alice, "end").await;
}
