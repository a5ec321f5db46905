//! Several groups in one call, lists, declared error texts, touching, and joining and publishing in one call.

use fanfare_e2e_tests::{NewEvent, Node, Token};
use serde_json::{Value, json};

use super::responder::{Reply, Responder};
use super::scene::{hears_nothing_else, item, node, settings, tab, tab_of};

const METHODS: &str = r#"
method.JoinLists = { arguments = [{ name = "ids", type = "list", of = "string", max = 5 }], allow = true, join = "list:{ids}" }
method.JoinBoth = { arguments = ["listId"], allow = true, join = ["list:{listId}", "flag:{listId}"] }
method.LeaveLists = { arguments = [{ name = "ids", type = "list", of = "string" }], leave = "list:{ids}" }
method.JoinGuid = { arguments = [{ name = "listId", type = "uuid", error = "No such list" }], allow = true, join = "list:{listId}" }
method.Subscribe = { arguments = [{ name = "id", error = { null = "It cannot be null.", blank = "It cannot be empty." } }], allow = true, join = "list:{id}" }
method.JoinAsEditor = { arguments = ["listId"], allow = { roles = ["editor"] }, refusal = "Access denied", join = "list:{listId}" }
method.Touch = { arguments = ["listId"], touch = "list:{listId}" }
method.TouchSoftly = { arguments = ["listId"], touch = "list:{listId}", refusal = false }
method.JoinAndSay = { arguments = ["listId", "of"], allow = true, join = "list:{listId}", publish = { event = "lists.ItemAdded", fields = { org = "{of}", list_id = "{listId}", item = "{user} is here" } } }
"#;

fn hub_exception(method: &str, words: &str) -> Result<Value, String> {
    Err(format!("An unexpected error occurred invoking '{method}' on the server. HubException: {words}"))
}

#[tokio::test]
async fn a_list_of_groups_is_joined_and_left_at_once() {
    let node = node(METHODS).await;
    {
        let mut alice = tab(&node, "alice").await;
        assert_eq!(alice.invoke("JoinLists", json!([["1", "2"]])).await, Ok(Value::Null));
        node.publish(&[item("1", "milk"), item("3", "rice"), item("2", "salt")]).await;
        assert_eq!(alice.expect("itemAdded").await["item"], "milk");
        assert_eq!(alice.expect("itemAdded").await["item"], "salt");
        assert_eq!(alice.invoke("LeaveLists", json!([["2", "9"]])).await, Ok(Value::Null));
        node.publish(&[item("2", "oil"), item("1", "tea")]).await;
        assert_eq!(alice.expect("itemAdded").await["item"], "tea");
        let many = alice.invoke("JoinLists", json!([["1", "2", "3", "4", "5", "6"]])).await;
        assert_eq!(many, hub_exception("JoinLists", "`ids` has more than 5 items."));
        assert!(
            alice.invoke("JoinLists", json!([[]])).await.is_err()
                && alice.invoke("JoinLists", json!(["1"])).await.is_err()
        );
    }
}

#[tokio::test]
async fn several_groups_are_joined_all_or_none() {
    let node = Node::start_with(settings(METHODS).section("[limits]\njoined_groups = 2")).await;
    let mut alice = tab(&node, "alice").await;
    let error = alice.invoke("JoinLists", json!([["1", "2", "3"]])).await.expect_err("too many");
    assert!(error.contains("The connection has joined 2 groups"), "{error}");
    node.publish(&[item("1", "milk")]).await;
    hears_nothing_else(&node, &mut alice, "none").await;
    assert_eq!(alice.invoke("JoinBoth", json!(["7"])).await, Ok(Value::Null));
    node.publish(&[item("7", "tea"), NewEvent::flag("acme", "7", true, "1")]).await;
    assert_eq!(alice.expect("itemAdded").await["item"], "tea");
    assert_eq!(alice.expect("featureFlag").await["flag"], "7");
}

#[tokio::test]
async fn each_argument_and_each_refusal_is_explained_in_the_platforms_words() {
    let node = node(METHODS).await;
    let mut alice = tab(&node, "alice").await;
    for (method, arguments, words) in [
        ("JoinGuid", json!(["7"]), "No such list"),
        ("JoinGuid", json!([null]), "No such list"),
        ("JoinGuid", json!([""]), "No such list"),
        ("JoinGuid", json!([7]), "No such list"),
        ("JoinGuid", json!([]), "No such list"),
        ("Subscribe", json!([null]), "It cannot be null."),
        ("Subscribe", json!(["  "]), "It cannot be empty."),
        ("JoinAsEditor", json!(["7"]), "Access denied"),
    ] {
        assert_eq!(alice.invoke(method, arguments.clone()).await, hub_exception(method, words), "{method} {arguments}");
    }
    let id = "D355C24F-8B11-4C5A-A4E7-1A2B3C4D5E6F";
    assert_eq!(alice.invoke("JoinGuid", json!([id])).await, Ok(Value::Null));
    node.publish(&[item(&id.to_lowercase(), "milk")]).await;
    assert_eq!(alice.expect("itemAdded").await["item"], "milk", "a UUID is one, however it is written");
}

#[tokio::test]
async fn touching_needs_the_group_and_joins_nothing() {
    let node = node(METHODS).await;
    let mut alice = tab(&node, "alice").await;
    assert_eq!(
        alice.invoke("Touch", json!(["7"])).await,
        hub_exception("Touch", "The connection is not in this group.")
    );
    assert_eq!(alice.invoke("TouchSoftly", json!(["7"])).await, Ok(Value::Null));
    node.publish(&[item("7", "milk")]).await;
    hears_nothing_else(&node, &mut alice, "nothing").await;
    assert_eq!(alice.invoke("JoinOpen", json!(["7"])).await, Ok(Value::Null));
    assert_eq!(alice.invoke("Touch", json!(["7"])).await, Ok(Value::Null));
}

#[tokio::test]
async fn a_call_that_joins_and_publishes_does_both_or_neither() {
    let node = node(METHODS).await;
    let mut alice = tab(&node, "alice").await;
    let error = alice.invoke("JoinAndSay", json!(["7", "globex"])).await.expect_err("another org's event");
    assert_eq!(error, "Failed to invoke 'JoinAndSay' because user is unauthorized");
    node.publish(&[item("7", "milk")]).await;
    hears_nothing_else(&node, &mut alice, "left again").await;
    let id = alice.invoke("JoinAndSay", json!(["7", "acme"])).await.expect("both");
    assert!(id.is_string(), "{id}");
    assert_eq!(alice.expect("itemAdded").await["item"], "alice is here", "joined before it was published");
}

#[tokio::test]
async fn a_refused_touch_removes_the_group_silently() {
    let responder = Responder::start().await;
    let methods = r#"
method.JoinList = { arguments = ["listId"], authorizer = "lists", join = "list:{listId}" }
method.UpdatePresence = { arguments = ["listId"], authorizer = "lists", touch = "list:{listId}", refusal = false }
"#;
    let node = Node::start_with(settings(methods).section(&responder.section("lists", "/{user}/{listId}", ""))).await;
    let mut alice = tab(&node, "alice").await;
    responder.reply("/alice/7", Reply::Status(204));
    assert_eq!(alice.invoke("JoinList", json!(["7"])).await, Ok(Value::Null));
    assert_eq!(alice.invoke("UpdatePresence", json!(["7"])).await, Ok(Value::Null));
    node.publish(&[item("7", "milk")]).await;
    assert_eq!(alice.expect("itemAdded").await["item"], "milk");
    responder.reply("/alice/7", Reply::Status(403));
    assert_eq!(alice.invoke("UpdatePresence", json!(["7"])).await, Ok(Value::Null));
    node.publish(&[item("7", "tea")]).await;
    hears_nothing_else(&node, &mut alice, "taken away").await;
}

const ORGS: &str = r#"
method.JoinOrg = { arguments = ["orgId"], allow = true, join = "org:{orgId}" }
method.JoinOrgs = { arguments = [{ name = "ids", type = "list", of = "string" }], allow = true, join = "org:{ids}" }
method.LeaveOrg = { arguments = ["orgId"], leave = "org:{orgId}" }
method.WatchOf = { arguments = ["flag", "orgId"], allow = true, org = "{orgId}", join = "flag:{flag}" }
method.JoinListOf = { arguments = ["listId", "orgId"], allow = true, org = "{orgId}", join = "list:{listId}" }
"#;

#[tokio::test]
async fn only_users_who_may_name_any_org_join_groups_of_other_orgs_and_receive_from_them() {
    let node = node(ORGS).await;
    let mut alice = tab(&node, "alice").await;
    let other = hub_exception("JoinOrg", "The group belongs to another organization.");
    assert_eq!(alice.invoke("JoinOrg", json!(["globex"])).await, other);
    assert_eq!(alice.invoke("JoinOrg", json!(["acme"])).await, Ok(Value::Null));
    assert!(alice.invoke("JoinOrgs", json!([["acme", "globex"]])).await.is_err(), "all or none");
    let mut root = tab_of(&node, &Token::user("root", "platform").roles(&["superadmin"])).await;
    let cursor = root.cursor().await;
    node.publish(&[NewEvent::alert("globex", "before"), NewEvent::alert("acme", "not yet")]).await;
    assert_eq!(alice.expect("toast").await["title"], "not yet");
    assert_eq!(root.invoke("JoinOrgs", json!([["globex", "acme"]])).await, Ok(Value::Null));
    node.publish(&[NewEvent::alert("globex", "one"), NewEvent::alert("acme", "two"), NewEvent::alert("other", "x")])
        .await;
    assert_eq!(root.expect("toast").await["title"], "one");
    assert_eq!(root.expect("toast").await["title"], "two");
    assert_eq!(alice.expect("toast").await["title"], "two", "everybody else hears their own");
    let answer = root.invoke("Resume", json!([cursor])).await.expect("a resume");
    assert_eq!((answer["replayed"].as_u64(), answer["complete"].as_bool()), (Some(2), Some(true)), "{answer}");
    assert_eq!(root.expect("toast").await["title"], "before");
    assert_eq!(root.expect("toast").await["title"], "not yet");
    assert_eq!(root.invoke("LeaveOrg", json!(["globex"])).await, Ok(Value::Null));
    node.publish(&[NewEvent::alert("globex", "left"), NewEvent::alert("acme", "three")]).await;
    assert_eq!(root.expect("toast").await["title"], "three");
}

#[tokio::test]
async fn another_orgs_retained_values_are_sent_until_the_role_is_withdrawn() {
    let node = node(ORGS).await;
    node.publish(&[NewEvent::flag("globex", "beta", true, "1")]).await;
    let mut root = tab_of(&node, &Token::user("root", "platform").roles(&["superadmin"])).await;
    assert_eq!(root.invoke("WatchOf", json!(["beta", "globex"])).await, Ok(Value::Null));
    assert_eq!(root.expect("featureFlag").await["enabled"], true);
    assert_eq!(root.invoke("JoinListOf", json!(["7", "globex"])).await, Ok(Value::Null));
    let of_globex = json!({ "org": "globex", "list_id": "7", "item": "milk" });
    node.publish(&[NewEvent::new("lists.ItemAdded", "g1", &of_globex)]).await;
    assert_eq!(root.expect("itemAdded").await["item"], "milk");
    let roles = json!({ "user": "root", "org": "platform", "roles": ["user"] });
    node.publish(&[NewEvent::new("auth.RolesChanged", "r1", &roles)]).await;
    assert_eq!(root.expect("toast").await["title"], "Roles");
    node.publish(&[NewEvent::new("lists.ItemAdded", "g2", &of_globex), NewEvent::alert("platform", "end")]).await;
    assert_eq!(root.expect("toast").await["title"], "end", "the right goes with the role");
    assert!(root.invoke("JoinListOf", json!(["7", "globex"])).await.is_err());
}
