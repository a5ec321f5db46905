//! A platform of shared lists: its events, its routes and its hub.

use fanfare_e2e_tests::client::Connect;
use fanfare_e2e_tests::{NewEvent, Node, Settings, Tab, Token};
use serde_json::{Value, json};

/// The hub of these tests.
pub(crate) const LISTS: &str = "/hubs/lists";

const ITEM_ADDED: &str = r#"{"type":"record","name":"ItemAdded","namespace":"fanfare.lists","doc":"An item.","fields":[
    {"name":"org","type":"string","doc":"Its org."},
    {"name":"list_id","type":"string","doc":"Its list."},
    {"name":"item","type":"string","doc":"What it is."}]}"#;

/// The members of a list; `name` is the type, and a revision orders them.
fn collaborator(name: &str) -> (String, String) {
    let schema = json!({
        "type": "record", "name": name, "namespace": "fanfare.lists", "doc": "Who works on a list.",
        "fanfare.key": ["user", "list_id"], "fanfare.revision": "revision",
        "fields": [
            { "name": "org", "type": "string", "doc": "Its org." },
            { "name": "user", "type": "string", "doc": "Who." },
            { "name": "list_id", "type": "string", "doc": "On which list." },
            { "name": "revision", "type": ["null", "long"], "default": null, "doc": "Its revision." },
        ],
    });
    (format!("lists/{name}.v1.avsc"), schema.to_string())
}

const ROUTES: &str = r#"
hub = "/hubs/lists"

[[route]]
name = "item-added"
event = "lists.ItemAdded"
groups = ["list:{list_id}"]
send = { target = "itemAdded", arguments = [{ id = "{$notification}", cursor = "{$cursor}", item = "{item}" }] }

[[route]]
name = "collaborator-added"
event = "lists.CollaboratorAdded"
grant = { user = "{user}", group = "list:{list_id}" }

[[route]]
name = "collaborator-removed"
event = "lists.CollaboratorRemoved"
groups = ["list:{list_id}"]
send = { target = "collaboratorRemoved", arguments = ["{user}"] }
withdraw = { user = "{user}", group = "list:{list_id}" }

[[route]]
name = "flag"
event = "license.FlagToggled"
groups = ["flag:{flag}"]
featureFlag = { flag = "{flag}", enabled = "{enabled}" }
retain = true

[[route]]
name = "alert"
event = "system.Alert"
groups = ["org:{org}"]
toast = { severity = "info", title = "{title}", message = "{message}" }

[[route]]
name = "expired"
event = "license.LicenseExpired"
groups = ["org:{org}", "flag:{plan}"]
toast = { severity = "warning", title = "Expired", message = "{plan}" }

[[route]]
name = "roles"
event = "auth.RolesChanged"
groups = ["user:{user}"]
toast = { severity = "info", title = "Roles", message = "Your roles have changed." }
roles = { user = "{user}", org = "{org}", roles = "{roles}" }
"#;

/// The methods whose groups the routes name.
const ALWAYS: &str = r#"
method.JoinOpen = { arguments = ["listId"], allow = true, join = "list:{listId}" }
method.Watch = { arguments = ["flag"], allow = true, join = "flag:{flag}" }
"#;

/// A node whose hub has these methods.
pub(crate) fn settings(methods: &str) -> Settings {
    let hubs = format!("[hub.\"{LISTS}\"]\n{ALWAYS}{methods}");
    let mut schemas = vec![("lists/ItemAdded.v1.avsc".to_owned(), ITEM_ADDED.to_owned())];
    schemas.extend(["CollaboratorAdded", "CollaboratorRemoved"].map(collaborator));
    Settings { hubs, schemas, routes: ROUTES.to_owned(), ..Settings::default() }
}

/// A running node.
pub(crate) async fn node(methods: &str) -> Node {
    Node::start_with(settings(methods)).await
}

/// A tab of a user of acme.
pub(crate) async fn tab(node: &Node, user: &str) -> Tab {
    tab_of(node, &Token::user(user, "acme")).await
}

/// A tab with any token.
pub(crate) async fn tab_of(node: &Node, token: &Token) -> Tab {
    Connect::new(LISTS, token.sign()).connect(node.address()).await
}

/// An item of a list of acme.
pub(crate) fn item(list: &str, item: &str) -> NewEvent {
    NewEvent::new("lists.ItemAdded", item, &json!({ "org": "acme", "list_id": list, "item": item }))
}

/// A grant or a withdrawal of a list, by an event of an org.
pub(crate) fn access(name: &str, org: &str, user: &str, list: &str, id: &str) -> NewEvent {
    NewEvent::new(&format!("lists.{name}"), id, &json!({ "org": org, "user": user, "list_id": list }))
}

/// Sends a toast to acme, and checks that it is the next message of a tab.
pub(crate) async fn hears_nothing_else(node: &Node, tab: &mut Tab, title: &str) {
    node.publish(&[NewEvent::alert("acme", title)]).await;
    assert_eq!(tab.expect("toast").await["title"], title);
}

/// How many notifications a resume sent, and whether that was everything.
pub(crate) fn replayed(outcome: Result<Value, String>) -> (u64, bool) {
    let answer = outcome.expect("a resume that succeeds");
    (answer["replayed"].as_u64().expect("a number"), answer["complete"].as_bool().expect("whether it is all"))
}
