//! Hubs, schemas and routes that change together while the node runs, without closing a tab.

use std::fs;

use fanfare_e2e_tests::client::Connect;
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{HUB, NewEvent, Node, Settings, Tab, Token};
use fanfare_test_servers::certificates::Certificates;
use serde_json::{Value, json};

/// Only the routes of alerts.
const ALERTS: &str = r#"
hub = "/hubs/notifications"

[[route]]
name = "alert"
event = "system.Alert"
groups = ["org:{org}"]
toast = { severity = "info", title = "{title}", message = "{message}" }
"#;

/// One more route, for an event that the node did not know.
const ORDERS: &str = r#"
[[route]]
name = "order"
event = "orders.OrderShipped"
groups = ["org:{org}"]
toast = { severity = "info", title = "{order}", message = "{carrier}" }
"#;

fn schema(fields: &[Value]) -> String {
    let mut all = vec![
        json!({ "name": "org", "type": "string", "doc": "Whose." }),
        json!({ "name": "order", "type": "string", "doc": "Which." }),
    ];
    all.extend_from_slice(fields);
    json!({ "type": "record", "name": "OrderShipped", "namespace": "fanfare.orders", "doc": "An order.", "fields": all })
        .to_string()
}

fn shipped(id: &str, body: &Value) -> NewEvent {
    NewEvent::new("orders.OrderShipped", id, body)
}

fn write(node: &Node, file: &str, text: &str) {
    let path = node.folder().join(file);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect("written");
}

async fn start(hub: &str) -> Node {
    let hubs = format!("[hub.\"{HUB}\"]\n{hub}");
    Node::start_with(Settings { hubs, routes: ALERTS.to_owned(), ..Settings::default() }).await
}

async fn alice(node: &Node) -> Tab {
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    tab.cursor().await;
    tab
}

async fn still_hears(node: &Node, tab: &mut Tab, title: &str) {
    node.publish(&[NewEvent::alert("acme", title)]).await;
    assert_eq!(tab.expect("toast").await["title"], title);
}

async fn admitted(node: &Node, hub: &str, token: &Token) -> Result<(), u16> {
    let tried = Connect::new(hub, token.sign()).try_connect(node.address()).await.expect("an answer");
    tried.map(drop).map_err(|refused| refused.status)
}

#[tokio::test]
async fn a_new_event_reaches_tabs_that_were_connected_before_it() {
    let node = start("").await;
    let mut tab = alice(&node).await;
    write(&node, "schemas/orders/OrderShipped.v1.avsc", &schema(&[]));
    write(&node, "routes.toml", &format!("{ALERTS}{}", ORDERS.replace("{carrier}", "on its way")));
    node.edit_config("[routes]", "[schemas]\npath = \"schemas\"\n[routes]");
    node.reload("applied").await;
    node.publish(&[shipped("1", &json!({ "org": "acme", "order": "A-1" }))]).await;
    assert_eq!(tab.expect("toast").await["title"], "A-1");

    // A second version of it, which the first can read.
    let carrier = json!({ "name": "carrier", "type": ["null", "string"], "default": null, "doc": "By whom." });
    write(&node, "schemas/orders/OrderShipped.v2.avsc", &schema(&[carrier]));
    write(&node, "routes.toml", &format!("{ALERTS}{ORDERS}"));
    node.reload("unchanged").await;
    node.publish(&[shipped("2", &json!({ "org": "acme", "order": "A-2", "carrier": "by ship" }))]).await;
    assert_eq!(tab.expect("toast").await["message"], "by ship");
    still_hears(&node, &mut tab, "news 1").await;
    // What arrived in the first version is replayed with the current routes.
    let mut again = node.tab_with(Token::user("bob", "acme").sign()).await;
    let outcome = again.invoke("Cursor", json!([])).await.expect("answered");
    assert!(outcome.is_string());

    // A version that cannot read the others is refused, and the node continues.
    write(
        &node,
        "schemas/orders/OrderShipped.v3.avsc",
        &schema(&[json!({ "name": "x", "type": "long", "doc": "X." })]),
    );
    node.signal("HUP");
    until("a fault", async || (node.metric("fanfare_routes_refused", "").await == 1.0).then_some(())).await;
    assert!(node.log().contains("OrderShipped.v3.avsc"), "{}", node.log());
    node.publish(&[shipped("3", &json!({ "org": "acme", "order": "A-3" }))]).await;
    assert_eq!(tab.expect("toast").await["title"], "A-3");
}

#[tokio::test]
async fn other_methods_hold_for_open_tabs_and_other_conditions_for_those_that_come() {
    let watch = "method.Watch = { arguments = [\"list\"], allow = true, join = \"list:{list}\" }\n";
    let node = start(watch).await;
    let mut tab = alice(&node).await;
    tab.invoke("Watch", json!(["7"])).await.expect("answered");
    let other =
        "require_roles = [\"admin\"]\nmethod.Look = { arguments = [\"list\"], allow = true, join = \"list:{list}\" }\n";
    node.edit_config(watch, other);
    node.reload("applied").await;
    let gone = tab.try_invoke("Watch", json!(["8"])).await.expect("answered").expect_err("no method");
    assert!(gone.contains("Watch"), "{gone}");
    tab.invoke("Look", json!(["8"])).await.expect("answered");
    still_hears(&node, &mut tab, "news 1").await;
    let user = Token::user("bob", "acme");
    assert_eq!(admitted(&node, HUB, &user).await, Err(403));
    assert_eq!(admitted(&node, HUB, &Token::user("carol", "acme").roles(&["admin"])).await, Ok(()));
    node.edit_config(other, "");
    node.reload("applied").await;
    assert_eq!(admitted(&node, HUB, &user).await, Ok(()));
    still_hears(&node, &mut tab, "news 2").await;
}

#[tokio::test]
async fn hubs_come_and_go_with_their_routes_or_not_at_all() {
    let node = start("").await;
    let mut tab = alice(&node).await;
    let two = ALERTS
        .replace("event = \"system.Alert\"", &format!("event = \"system.Alert\"\nhubs = [\"{HUB}\", \"/hubs/two\"]"));
    write(&node, "routes.toml", &two);
    // Its routes name a hub that does not exist.
    node.signal("HUP");
    until("a fault", async || (node.metric("fanfare_routes_refused", "").await == 1.0).then_some(())).await;
    let user = Token::user("bob", "acme");
    assert_eq!(admitted(&node, "/hubs/two", &user).await, Err(404));
    node.edit_config(&format!("[hub.\"{HUB}\"]"), &format!("[hub.\"/hubs/two\"]\n[hub.\"{HUB}\"]"));
    node.reload("applied").await;
    assert_eq!(admitted(&node, "/hubs/two", &user).await, Ok(()));
    still_hears(&node, &mut tab, "news 1").await;
    // Without the hub its routes have a fault: both stay.
    node.edit_config("[hub.\"/hubs/two\"]\n", "");
    node.reload("faulty").await;
    assert_eq!(admitted(&node, "/hubs/two", &user).await, Ok(()));
    write(&node, "routes.toml", ALERTS);
    node.reload("applied").await;
    assert_eq!(admitted(&node, "/hubs/two", &user).await, Err(404));
    still_hears(&node, &mut tab, "news 2").await;
}

/// One file has both routes and hubs, and they apply together or not at all.
#[tokio::test]
async fn an_authorizer_that_cannot_be_asked_leaves_routes_hubs_and_limits_as_they_were() {
    let node = start("").await;
    let mut tab = alice(&node).await;
    let before = fs::read_to_string(node.config()).expect("a configuration");
    // The file passes because of one good authority, but no client can be created with the other.
    let good = fs::read_to_string(Certificates::write(node.folder()).ca).expect("an authority");
    write(&node, "ca.pem", &format!("{good}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
    let authorizer = "[authorizer.lists]\nurl = \"https://lists.example/{list}\"\nca_file = \"ca.pem\"\n";
    let hub = format!("{authorizer}[hub.\"/hubs/two\"]\n[hub.\"{HUB}\"]");
    node.edit_config(&format!("[hub.\"{HUB}\"]"), &hub);
    write(&node, "routes.toml", &ALERTS.replace("{title}", "other: {title}"));
    node.reload("faulty").await;
    let told = node.lines("the changed configuration has a fault: the one before stays in use");
    let fault = told[0]["fault"].as_str().expect("a fault");
    assert!(fault.contains("the authorizer `lists` cannot be asked"), "{fault}");
    assert_eq!(admitted(&node, "/hubs/two", &Token::user("bob", "acme")).await, Err(404));
    still_hears(&node, &mut tab, "by the routes of before").await;

    fs::write(node.config(), before).expect("written");
    node.reload("unchanged").await;
    node.publish(&[NewEvent::alert("acme", "by others")]).await;
    assert_eq!(tab.expect("toast").await["title"], "other: by others");
}

#[tokio::test]
async fn hubs_that_need_more_of_tokens_or_have_presence_wait_for_a_start() {
    let node = start("join = [\"user:{user}\", \"org:{org}\"]\n").await;
    let mut tab = alice(&node).await;
    let presence = format!(
        "method.Enter = {{ arguments = [\"list\"], allow = true, join = \"list:{{list}}\" }}\n\
         [hub.\"{HUB}\".presence.\"list:{{list}}\"]\n\
         joined = {{ target = \"joined\", arguments = [\"{{user}}\"] }}\nleft = {{ target = \"left\", arguments = [\"{{user}}\"] }}\n\
         snapshot = {{ target = \"present\", arguments = [\"{{$members}}\"] }}\nmember = {{ id = \"{{user}}\" }}\n"
    );
    for (hub, named) in [
        ("join = [\"user:{user}\", \"org:{org}\", \"team:{claim.team}\"]\n", "`team`"),
        ("any_org_roles = [\"support\"]\n", "`support`"),
        (&presence, "presence"),
    ] {
        let before = fs::read_to_string(node.config()).expect("a configuration");
        node.edit_config("join = [\"user:{user}\", \"org:{org}\"]\n", hub);
        node.reload("needs_start").await;
        let told = node.lines("restart needed: the hubs changed, and stay as they were");
        let reason = told.last().expect("a line")["reason"].as_str().expect("a reason").to_owned();
        assert!(reason.contains(named), "{reason}");
        fs::write(node.config(), before).expect("written");
        node.reload("unchanged").await;
    }
    still_hears(&node, &mut tab, "news 1").await;
}

#[tokio::test]
async fn a_watched_configuration_needs_no_signal() {
    let hubs = format!("[hub.\"{HUB}\"]\n");
    let settings = Settings { hubs, routes: ALERTS.to_owned(), ..Settings::default() }.node("watch = true");
    let node = Node::start_with(settings).await;
    let mut tab = alice(&node).await;
    node.edit_config(&format!("[hub.\"{HUB}\"]"), &format!("[hub.\"/hubs/two\"]\n[hub.\"{HUB}\"]"));
    until("the hub", async || admitted(&node, "/hubs/two", &Token::user("bob", "acme")).await.is_ok().then_some(()))
        .await;
    // Schemas and their routes are watched too, once the configuration says so.
    write(&node, "schemas/orders/OrderShipped.v1.avsc", &schema(&[]));
    node.edit_config("[routes]", "[schemas]\npath = \"schemas\"\n[routes]\nwatch = true");
    until("the schemas", async || (node.metric("fanfare_route_reloads", "replaced").await >= 1.0).then_some(())).await;
    write(&node, "routes.toml", &format!("{ALERTS}{}", ORDERS.replace("{carrier}", "on its way")));
    until("the route", async || (node.metric("fanfare_route_reloads", "replaced").await >= 2.0).then_some(())).await;
    node.publish(&[shipped("1", &json!({ "org": "acme", "order": "A-1" }))]).await;
    assert_eq!(tab.expect("toast").await["title"], "A-1");
}
