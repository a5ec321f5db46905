//! The platform that is simulated: the demo's routes, shared lists with grants, orgs that are suspended, and routes to
//! roles.

use std::fs;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fanfare_event::{Attributes, Encoded, Registry, Timestamp, TypeName};
use serde_json::{Value, json};

use crate::config::{HubConfig, Loaded};
use crate::pipeline::{Body, Ingest, Window};
use crate::projection::Bounds;
use crate::route::RouteTable;
use crate::seal::Seal;
use crate::vocabulary::name::{GroupName, GroupTemplate};

/// How long a token lives, and how long logouts are remembered, in seconds: short, so that forgetting happens.
pub(super) const TOKEN_LIFETIME: i64 = 400;

/// The most that is remembered of anything.
const MOST: usize = 200;

/// The hubs: a page that mixes them up has a cursor of the other one.
pub(super) const HUBS: [&str; 2] = ["/hubs/notifications", "/hubs/second"];

const CONFIG: &str = r#"
[node]
listen = "127.0.0.1:1"
admin_listen = "127.0.0.1:2"
data = "data"
[broker]
url = "embedded:log"
[schemas]
path = "schemas"
[routes]
path = "routes.toml"
[[issuer]]
issuer = "http://127.0.0.1:1"
jwks = "http://127.0.0.1:1/jwks.json"
users = true
"#;

/// What each hub declares.
const HUB: &str = r#"
message_bytes = 8192
join = [
  "user:{user}",
  "session:{session}",
  "org:{org}",
  "org:{org}/role:{role}",
  { group = "admin", roles = ["admin", "superadmin"] },
  { group = "crew:{listId}", granted = true },
]
method.JoinList = { arguments = ["listId"], grant = true, join = "list:{listId}" }
method.LeaveList = { arguments = ["listId"], leave = "list:{listId}" }
method.WatchOrg = { arguments = ["orgId"], allow = [{ org = "{orgId}" }, { roles = ["superadmin"] }], join = "org:{orgId}" }
method.UnwatchOrg = { arguments = ["orgId"], leave = "org:{orgId}" }
"#;

/// Beside the demo's: what lists need, and a notice to a role.
const ROUTES: &str = r#"
[[route]]
name = "expiry-to-admins"
event = "license.LicenseExpired"
groups = ["org:{org}/role:admin"]
toast = { severity = "warning", title = "Renew {plan}", message = "Only admins are told" }

[[route]]
name = "item-added"
event = "lists.ItemAdded"
groups = ["list:{list_id}"]
send = { target = "itemAdded", arguments = [{ id = "{$notification}", cursor = "{$cursor}", item = "{item}" }] }

[[route]]
name = "counted"
event = "lists.Counted"
groups = ["org:{org}"]
send = { target = "counted", arguments = [{ id = "{$notification}", cursor = "{$cursor}", list = "{list_id}", count = "{count}" }] }
throttle = { key = "{list_id}", per_second = 2 }

[[route]]
name = "updated-again"
event = "license.LicenseUpdated"
groups = ["org:{org}"]
toast = { severity = "info", title = "Updated", message = "The second of one event" }

[[route]]
name = "alert-again"
event = "system.Alert"
when = { user = { present = false }, org = { present = true } }
groups = ["org:{org}"]
toast = { severity = "info", title = "Again", message = "The second of one event" }

[[route]]
name = "alert-on-second"
event = "system.Alert"
when = { user = { present = false }, org = { present = true } }
hub = "/hubs/second"
groups = ["org:{org}"]
toast = { severity = "info", title = "Updated", message = "Only one hub is told" }

[[route]]
name = "item-to-crew"
event = "lists.ItemAdded"
groups = ["crew:{list_id}"]
send = { target = "crewItem", arguments = [{ id = "{$notification}", cursor = "{$cursor}", item = "{item}" }] }

[[route]]
name = "crew-joins"
event = "lists.CollaboratorAdded"
grant = { user = "{user}", group = "crew:{list_id}" }

[[route]]
name = "crew-leaves"
event = "lists.CollaboratorRemoved"
withdraw = { user = "{user}", group = "crew:{list_id}" }

[[route]]
name = "org-suspended"
event = "orgs.Suspended"
groups = ["org:{org}"]
toast = { severity = "error", title = "Suspended", message = "{cause}" }
close_org = { reason = "Suspended: {cause}" }

[[route]]
name = "org-resumed"
event = "orgs.Resumed"
open_org = true

[[route]]
name = "collaborator-added"
event = "lists.CollaboratorAdded"
grant = { user = "{user}", group = "list:{list_id}" }

[[route]]
name = "collaborator-removed"
event = "lists.CollaboratorRemoved"
withdraw = { user = "{user}", group = "list:{list_id}" }
"#;

/// All that every node is configured with.
pub(super) struct Platform {
    pub(super) registry: Arc<Registry>,
    pub(super) routes: Arc<RouteTable>,
    /// In the order of their paths.
    pub(super) hubs: Vec<Arc<HubConfig>>,
    pub(super) seal: Seal,
    list: GroupTemplate,
    org: GroupTemplate,
}

/// The one platform of all runs.
pub(super) fn platform() -> &'static Platform {
    static PLATFORM: OnceLock<Platform> = OnceLock::new();
    PLATFORM.get_or_init(load)
}

fn load() -> Platform {
    let folder = tempfile::tempdir().expect("a folder");
    let demo = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../demo/routes.toml"));
    let routes = demo.replace("hub = \"/hubs/notifications\"", &format!("hubs = {HUBS:?}"));
    let schemas = folder.path().join("schemas/lists");
    fs::create_dir_all(&schemas).expect("a folder");
    let write = |path: std::path::PathBuf, text: &str| fs::write(path, text).expect("written");
    let hubs: String = HUBS.iter().map(|path| format!("[hub.\"{path}\"]{HUB}")).collect();
    write(folder.path().join("fanfare.toml"), &format!("{CONFIG}{hubs}"));
    write(folder.path().join("routes.toml"), &format!("{routes}\n{ROUTES}"));
    write(schemas.join("ItemAdded.v1.avsc"), &schema("ItemAdded", false));
    write(schemas.join("Counted.v1.avsc"), &schema_of_count());
    for name in ["CollaboratorAdded", "CollaboratorRemoved"] {
        write(schemas.join(format!("{name}.v1.avsc")), &schema(name, true));
    }
    let orgs = folder.path().join("schemas/orgs");
    fs::create_dir_all(&orgs).expect("a folder");
    for name in ["Suspended", "Resumed"] {
        write(orgs.join(format!("{name}.v1.avsc")), &schema_of_org(name));
    }
    let loaded = Loaded::load(&folder.path().join("fanfare.toml"));
    let Loaded { routes, config } = loaded.unwrap_or_else(|faults| panic!("{faults:?}"));
    let hubs = config.hubs.into_iter().map(Arc::new).collect();
    Platform {
        registry: Arc::new(routes.schemas().clone()),
        routes: Arc::new(routes),
        hubs,
        seal: Seal::new(b"the secret of the simulated nodes", &[]),
        list: GroupTemplate::parse("list:{listId}").expect("a template"),
        org: GroupTemplate::parse("org:{org}").expect("a template"),
    }
}

fn schema(name: &str, of_a_user: bool) -> String {
    let field = |name: &str| json!({ "name": name, "type": "string", "doc": "A name." });
    let mut fields = vec![field("org"), field("list_id"), field(if of_a_user { "user" } else { "item" })];
    let mut schema = json!({ "type": "record", "name": name, "namespace": "fanfare.lists", "doc": "Of a list." });
    if of_a_user {
        fields.push(json!({ "name": "revision", "type": ["null", "long"], "default": null, "doc": "Its revision." }));
        schema["fanfare.key"] = json!(["user", "list_id"]);
        schema["fanfare.revision"] = json!("revision");
    }
    schema["fields"] = json!(fields);
    schema.to_string()
}

fn schema_of_count() -> String {
    let field = |name: &str, kind: &str| json!({ "name": name, "type": kind, "doc": "A value." });
    let fields = [field("org", "string"), field("list_id", "string"), field("count", "long")];
    json!({ "type": "record", "name": "Counted", "namespace": "fanfare.lists", "doc": "How much.", "fields": fields })
        .to_string()
}

fn schema_of_org(name: &str) -> String {
    let field = |name: &str| json!({ "name": name, "type": "string", "doc": "A name." });
    let revision = json!({ "name": "revision", "type": ["null", "long"], "default": null, "doc": "Its revision." });
    let schema = json!({
        "type": "record", "name": name, "namespace": "fanfare.orgs", "doc": "Of an org.",
        "fanfare.key": ["org"], "fanfare.revision": "revision",
        "fields": [field("org"), field("cause"), revision],
    });
    schema.to_string()
}

impl Platform {
    /// An event as its producer encodes it.
    pub(super) fn encode(&self, id: String, event_type: &str, time: i64, body: Value) -> Encoded {
        let attributes = Attributes {
            id,
            source: "/simulation".to_owned(),
            event_type: TypeName::parse(event_type).expect("a type"),
            time: Timestamp(time),
            subject: None,
            org: None,
            data_version: None,
            traceparent: None,
        };
        Ingest::encode_with(&self.registry, attributes, Body::Json(body)).expect("the body fits its schema")
    }

    /// The group of a list.
    pub(super) fn list(&self, list: &str) -> GroupName {
        self.list.name(&[list]).expect("a name")
    }

    /// The group of an org.
    pub(super) fn org(&self, org: &str) -> GroupName {
        self.org.name(&[org]).expect("a name")
    }
}

/// The bounds of a node.
pub(super) fn bounds(window: Window) -> Bounds {
    Bounds {
        window: window.age,
        window_events: usize::try_from(window.records).expect("small"),
        event_bytes: 1 << 20,
        token_lifetime: TOKEN_LIFETIME,
        retained: MOST,
        retained_bytes: 1 << 30,
        revocations: MOST,
        grants: MOST,
        orgs: MOST,
    }
}

/// A window of so many seconds and records.
pub(super) fn window(seconds: u64, records: u64) -> Window {
    Window { age: Duration::from_secs(seconds), records }
}
