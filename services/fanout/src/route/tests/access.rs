//! Routes that let users into groups and take them out.

use super::*;

fn registry() -> Registry {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("lists")).unwrap();
    let string = |name: &str| json!({"name": name, "type": "string"});
    let write = |name: &str, key: Json| {
        let fields = [string("org"), string("user"), string("list_id"), string("by")];
        let mut schema = json!({"type": "record", "name": name, "namespace": "lists", "fields": fields});
        if !key.is_null() {
            schema["fanfare.key"] = key;
        }
        let path = folder.path().join(format!("lists/{name}.v1.avsc"));
        std::fs::write(path, schema.to_string()).unwrap();
    };
    write("Added", json!(["user", "list_id"]));
    write("Removed", json!(["user", "list_id"]));
    write("Forgotten", Json::Null);
    write("Mixed", json!("list_id"));
    Registry::builtin().with_folder(folder.path()).unwrap()
}

fn compiled(routes: &str) -> Result<RouteTable, Vec<Fault>> {
    let hubs = [hub("/hubs/lists", &["list:{id}", "user:{user}"]), hub("/hubs/more", &["list:{id}"])];
    RouteTable::compile(&[source(routes)], &registry(), &hubs)
}

fn added(list: &str) -> Event {
    let registry = registry();
    let data = json!({"org": "acme", "user": "alice", "list_id": list, "by": "bob"});
    let body = registry.event_type("lists.Added").unwrap().encode_json(None, &data).unwrap();
    let attributes = event("license.FlagToggled", &json!({"org": "acme", "flag": "f", "enabled": true})).attributes;
    let attributes = Attributes { event_type: TypeName::parse("lists.Added").unwrap(), ..attributes };
    Event::decode(&registry, attributes, &body).unwrap()
}

const SILENT: &str = r#"
hubs = ["/hubs/lists", "/hubs/more"]
[[route]]
name = "added"
event = "lists.Added"
grant = { user = "{user}", group = "list:{list_id}" }
"#;

#[test]
fn a_route_without_an_audience_still_grants_access() {
    let table = compiled(SILENT).unwrap_or_else(|faults| panic!("{}", faults[0]));
    let event = added("7");
    let matches = table.resolve(&event).unwrap();
    let hubs: Vec<_> = matches.iter().map(|found| found.route.hub()).collect();
    assert_eq!(hubs, ["/hubs/lists", "/hubs/more"]);
    for found in &matches {
        assert!(found.groups.is_empty());
        let Effect::Access { user, groups, granted, .. } = found.route.effect(&event) else { panic!("no access") };
        assert_eq!((user.as_str(), granted), ("alice", true));
        assert_eq!(groups.iter().map(ToString::to_string).collect::<Vec<_>>(), ["list:7"]);
        assert_eq!(found.route.grants().map(|template| template.as_str()), Some("list:{id}"));
    }
    assert!(matches!(table.resolve(&added(" ")), Err(Unroutable::BadGroup { .. })), "a dead letter");
}

#[test]
fn a_withdrawal_may_send_a_notification_as_well() {
    let text = r#"
        hub = "/hubs/lists"
        [[route]]
        name = "removed"
        event = "lists.Removed"
        groups = ["user:{user}"]
        send = { target = "removed", arguments = ["{list_id}"] }
        withdraw = { user = "{user}", group = "list:{list_id}" }
    "#;
    let table = compiled(text).unwrap_or_else(|faults| panic!("{}", faults[0]));
    assert!(table.routes().all(|route| route.grants().is_none() && route.target() == "removed"));
}

/// What follows the name of a route, and the fault expected of it.
#[rustfmt::skip]
const CASES: &[(&str, &str)] = &[
    (r#"event = "lists.Forgotten"
grant = { user = "{user}", group = "list:{list_id}" }"#, "5:11: lists.Forgotten has no key, and what it says would be forgotten (its schema needs "),
    (r#"event = "lists.Mixed"
grant = { user = "{user}", group = "list:{list_id}" }"#, "`user` is not in the key of lists.Mixed: the newest of all would stand for each (add it to "),
    (r#"event = "lists.Added"
grant = { user = "{user}", group = "list:{by}" }"#, "`by` is not in the key of lists.Added"),
    (r#"event = "lists.Added"
grant = { user = "{user}", group = "lists:{list_id}" }"#, "5:36: the hub /hubs/lists has no group `lists:{list_id}`"),
    (r#"event = "lists.Added"
grant = { user = "alice", group = "list:{list_id}" }"#, "`user` must be one field of the event"),
    (r#"event = "lists.Added"
grant = { group = "list:{list_id}" }"#, "`grant` needs the key `user`"),
    (r#"event = "lists.Added"
grant = { usr = "{user}", group = "list:{list_id}" }"#, "`grant` has no key `usr` (did you mean `user`?)"),
    (r#"event = "lists.Added"
groups = ["list:{list_id}"]
grant = { user = "{user}", group = "list:{list_id}" }"#, "5:1: the route `t` sends nothing, and `groups` is about what is sent"),
    (r#"event = "lists.Added"
grant = { user = "{user}", group = "list:{list_id}" }
withdraw = { user = "{user}", group = "list:{list_id}" }"#, "6:1: `grant` and `withdraw` exclude each other"),
    (r#"event = "lists.Added"
grant = { user = "{user}", group = "list:{list_id}", join = true }"#, "5:54: `grant` has no key `join` (whether a connection is in it without a call says the hub: join = [{ group = "),
    (r#"event = "lists.Forgotten"
close_org = { reason = "over" }"#, "5:1: lists.Forgotten has no key, and what it says would be forgotten (its schema needs "),
    (r#"event = "lists.Added"
close_org = { reason = " " }"#, "5:24: the reason is blank (for instance reason = "),
    (r#"event = "lists.Added"
close_org = {}"#, "`close_org` needs the key `reason`"),
    (r#"event = "lists.Added"
close_org = { reason = "{lst_id}" }"#, "has no field `lst_id` (did you mean `list_id`?)"),
    (r#"event = "lists.Added"
open_org = false"#, "5:1: `open_org` can only be true (leave the key out)"),
    (r#"event = "lists.Added"
open_org = true
close_org = { reason = "over" }"#, "`close_org` and `open_org` exclude each other"),
    (r#"event = "lists.Added"
close_orgs = { reason = "over" }"#, "the route `t` has no key `close_orgs` (did you mean `close_org`?)"),
];

#[test]
fn each_fault_is_reported_with_its_place() {
    for (route, expected) in CASES {
        let text = format!("hub = \"/hubs/lists\"\n[[route]]\nname = \"t\"\n{route}\n");
        let told: Vec<_> = compiled(&text).unwrap_err().iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|fault| fault.contains(expected)), "{route}\nexpected {expected}\ntold {told:#?}");
    }
}

#[test]
fn an_org_is_closed_for_a_reason_and_opened_again() {
    let text = r#"
        hub = "/hubs/lists"
        [[route]]
        name = "closed"
        event = "lists.Added"
        close_org = { reason = " {list_id}\n{by} " }
        [[route]]
        name = "opened"
        event = "lists.Removed"
        open_org = true
    "#;
    let table = compiled(text).unwrap_or_else(|faults| panic!("{}", faults[0]));
    for (list, reason) in [("7".to_owned(), "7bob".to_owned()), ("x".repeat(300), "x".repeat(256))] {
        let event = added(&list);
        let matches = table.resolve(&event).unwrap();
        let Effect::Org { org, closed } = matches[0].route.effect(&event) else { panic!("no org") };
        assert_eq!((org.as_str(), closed.as_deref()), ("acme", Some(&*reason)));
    }
    let told = table.explain(None);
    assert!(told[0].contains("closed on /hubs/lists tells nobody and closes the org"), "{told:?}");
}
