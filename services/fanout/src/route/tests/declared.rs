//! Events that a route file declares, and what `send` does unless it is said.

use super::*;

fn declared(text: &str) -> Result<RouteTable, Vec<Fault>> {
    let sources = [source(text)];
    let registry = with_declared_events(registry(), &sources)?;
    RouteTable::compile(&sources, &registry, &hubs())
}

fn told(text: &str) -> Vec<String> {
    declared(text).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

const EVENT: &str = r#"hub = "/hubs/tasks"
[event."lists.ItemDeleted"]
fields = { org = "string", user_id = "string?", listId = "uuid", item = "string", at = "timestamp", tags = ["string"], note = { type = "string", default = "" }, level = { enum = ["low", "high"] }, more = "json?" }
[[route]]
name = "deleted"
event = "lists.ItemDeleted"
groups = ["org:{org}"]
"#;

fn sent(send: &str) -> (String, Json) {
    let sources = [source(&format!("{EVENT}{send}\n"))];
    let registry = with_declared_events(registry(), &sources).unwrap();
    let table = RouteTable::compile(&sources, &registry, &hubs()).unwrap_or_else(|faults| panic!("{}", faults[0]));
    let data = json!({"org": "acme", "user_id": "alice", "listId": "00010203-0405-0607-0706-050403020100", "item": "i",
        "at": "2026-01-02T03:04:05.678Z", "tags": ["a"], "level": "high", "more": {"a": [1]}});
    let body = registry.event_type("lists.ItemDeleted").unwrap().encode_json(None, &data).unwrap();
    let attributes = Attributes {
        id: "e1".to_owned(),
        source: "/lists".to_owned(),
        event_type: TypeName::parse("lists.ItemDeleted").unwrap(),
        time: Timestamp(1_767_323_045_678),
        subject: None,
        org: Id::parse("acme").ok(),
        data_version: None,
        traceparent: None,
    };
    let event = Event::decode(&registry, attributes, &body).unwrap();
    let route = table.routes().next().unwrap();
    let arguments: Vec<Json> = route.arguments(&event, "cursor").iter().map(json_of).collect();
    (route.target().to_owned(), Json::Array(arguments))
}

#[test]
fn an_event_is_published_without_its_audience() {
    for send in ["send = true", "send = {}", r#"send = { target = "{$event.name}" }"#] {
        let (target, arguments) = sent(send);
        assert_eq!(target, "ItemDeleted", "{send}");
        let object = arguments[0].as_object().unwrap();
        let keys: Vec<&str> = object.keys().map(String::as_str).collect();
        assert_eq!(keys.len(), 9, "{keys:?}");
        for addressed in ["org", "user_id"] {
            assert!(!object.contains_key(addressed), "{send}: {addressed}");
        }
        assert_eq!((&object["cursor"], &object["item"], &object["note"]), (&json!("cursor"), &json!("i"), &json!("")));
        assert_eq!((&object["level"], &object["more"]), (&json!("high"), &json!({"a": [1]})));
        assert_eq!(object["at"]["seconds"], 1_767_323_045, "the event's own, not the time that it happened");
        assert!(object["id"].is_string());
    }
}

#[test]
fn the_whole_event_and_its_name_stand_in_arguments() {
    let (target, arguments) = sent(r#"send = { target = "x", arguments = ["{$event}", "{$event.name} of {org}"] }"#);
    assert_eq!((target.as_str(), &arguments[1]), ("x", &json!("ItemDeleted of acme")));
    let object = arguments[0].as_object().unwrap();
    assert_eq!((object.len(), &object["user_id"]), (9, &json!("alice")));
}

#[test]
fn versions_of_a_declared_event_are_a_list() {
    let two = r#"hub = "/hubs/tasks"
[[event."lists.Renamed"]]
fields = { org = "string", name = "string" }
[[event."lists.Renamed"]]
fields = { org = "string", name = "string", by = "string?" }
key = "name"
[[route]]
name = "renamed"
event = "lists.Renamed"
groups = ["org:{org}"]
send = true
"#;
    // The key of state is the same in all versions.
    assert!(told(two)[0].starts_with("routes.toml:2:"), "{:?}", told(two));
    declared(&two.replace("key = \"name\"\n", "")).unwrap();
    let schema = with_declared_events(registry(), &[source(&two.replace("key = \"name\"\n", ""))]).unwrap();
    assert_eq!(schema.event_type("lists.Renamed").unwrap().versions().len(), 2);
}

#[test]
fn a_faulty_declaration_is_reported_with_its_line() {
    let with = |fields: &str| format!("[event.\"lists.ItemDeleted\"]\n{fields}\n");
    for (text, fault) in [
        (with("fields = { org = \"strin\" }"), "2:18: there is no type \"strin\" for a field (did you mean `string`?)"),
        (with("fields = { \"a b\" = \"string\" }"), "\"a b\" is not the name of a field"),
        (with("field = { org = \"string\" }"), "has no key `field` (did you mean `fields`?)"),
        (with("fields = { tags = [\"json\"] }"), "a list of free JSON is no type of a field"),
        (with("fields = { n = 7 }"), "this is no type of a field"),
        (with("fields = { n = { type = \"int\", default = \"x\" } }"), "routes.toml:1:"),
        (with("fields = { org = \"string\" }\nkey = \"list\""), "routes.toml:1:"),
        ("[event.\"Deleted\"]\nfields = {}\n".to_owned(), "not a type name of the form `service.Event`"),
        ("[event.\"license.FlagToggled\"]\nfields = { org = \"string\" }\n".to_owned(), "routes.toml:1:"),
    ] {
        let faults = told(&text);
        assert!(faults.iter().any(|told| told.contains(fault)), "{text}: {faults:?}");
    }
}
