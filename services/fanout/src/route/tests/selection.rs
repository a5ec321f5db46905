//! Which events a route takes, and who hears of them.

use super::*;

fn groups(text: &str, data: &Json) -> Vec<String> {
    let table = table(text);
    let matches = table.route(&event("tasks.TaskChanged", data));
    matches.iter().flat_map(|found| found.groups.iter().map(ToString::to_string)).collect()
}

fn route(rest: &str) -> String {
    format!(
        "[[route]]\nname = \"t\"\nevent = \"tasks.TaskChanged\"\nhub = \"/hubs/tasks\"\n\
         send = {{ target = \"x\", arguments = [] }}\n{rest}"
    )
}

fn with(key: &str, value: Json) -> Json {
    let mut data = task();
    data[key] = value;
    data
}

#[test]
fn conditions_select_events() {
    for (when, data, taken) in [
        ("done = true", task(), true),
        ("done = false", task(), false),
        ("level = \"high\"", task(), true),
        ("level = [\"low\"]", task(), false),
        ("level = { not = \"high\" }", task(), false),
        ("level = { not = [\"low\"] }", task(), true),
        ("count = [6, 7]", task(), true),
        ("count = { min = 7 }", task(), true),
        ("count = { min = 8 }", task(), false),
        ("count = { min = 1, max = 6 }", task(), false),
        ("ratio = { max = 0.5 }", task(), true),
        ("ratio = 0.5", task(), true),
        ("maybe = { present = false }", task(), true),
        ("maybe = { present = true }", task(), false),
        ("maybe = true", task(), false),
        ("maybe = true", with("maybe", json!(true)), true),
        ("org = \"acme\", done = false", task(), false),
        ("org_id = \"acme\", done = true", task(), true),
        ("\"item.Owner\" = \"alice\"", task(), true),
        ("\"item.Owner\" = { present = false }", with("item", Json::Null), true),
        ("\"item.Owner\" = { not = \"alice\" }", with("item", Json::Null), true),
    ] {
        let text = route(&format!("groups = [\"org:{{org}}\"]\nwhen = {{ {when} }}"));
        assert_eq!(!groups(&text, &data).is_empty(), taken, "{when} {data}");
    }
}

#[test]
fn a_listed_version_is_the_one_that_wrote_the_event() {
    let text = route("groups = [\"org:{org}\"]\nversions = [1]");
    let table = table(&text);
    let mut old = task();
    old.as_object_mut().unwrap().remove("note");
    assert_eq!(table.route(&event_of(Some(1), "tasks.TaskChanged", &old)).len(), 1);
    assert_eq!(table.route(&event_of(Some(2), "tasks.TaskChanged", &task())).len(), 0);
}

#[test]
fn groups_are_filled_from_the_event() {
    for (templates, data, expected) in [
        ("\"task:{task_id}\", \"org:{org}\"", task(), vec!["task:t1", "org:acme"]),
        ("\"task:{task_id}\", \"task:{task_id}\"", task(), vec!["task:t1"]),
        ("\"task:{count}\"", task(), vec!["task:7"]),
        ("\"task:{level}\"", task(), vec!["task:high"]),
        ("\"task:all\"", task(), vec!["task:all"]),
        ("\"user:{item.Owner}\"", task(), vec!["user:alice"]),
        ("\"user:{item.Owner}\"", with("item", Json::Null), vec![]),
        ("\"org:{$org}\"", task(), vec!["org:acme"]),
        ("\"org:{org}\", \"task:{task_id}\"", with("org", Json::Null), vec!["task:t1"]),
        ("\"tag:{tags}\"", with("tags", json!(["a", "b", "a"])), vec!["tag:a", "tag:b"]),
        ("\"tag:{tags}\"", with("tags", json!([])), vec![]),
        ("\"task:{task_id}\"", with("task_id", json!(" ")), vec![]),
    ] {
        let text = route(&format!("groups = [{templates}]"));
        assert_eq!(groups(&text, &data), expected, "{templates} {data}");
    }
}

#[test]
fn a_route_of_two_hubs_is_two_matches() {
    let text = route("groups = [\"org:{org}\"]")
        .replace("hub = \"/hubs/tasks\"", "hubs = [\"/hubs/tasks\", \"/hubs/notifications\"]");
    let (table, event) = (table(&text), event("tasks.TaskChanged", &task()));
    let matches = table.route(&event);
    let hubs: Vec<_> = matches.iter().map(|found| found.route.hub()).collect();
    assert_eq!(hubs, ["/hubs/tasks", HUB]);
    assert_eq!(matches[0].groups, matches[1].groups);
}

#[test]
fn a_file_may_name_the_hub_of_all_its_routes() {
    let text =
        format!("hub = \"/hubs/tasks\"\n{}", route("groups = [\"org:{org}\"]").replace("hub = \"/hubs/tasks\"\n", ""));
    assert_eq!(groups(&text, &task()), ["org:acme"]);
}

#[test]
fn a_logout_may_have_a_shape_of_its_own() {
    let text = "[[route]]\nname = \"x\"\nevent = \"auth.UserLoggedOut\"\nhub = \"/hubs/notifications\"\n\
                groups = [\"user:{user}\"]\nlogout = { user = \"{user}\" }\n\
                send = { target = \"log_off_initiated\", arguments = [\"{reason}\"] }";
    let table = table(text);
    let event = event("auth.UserLoggedOut", &json!({"org": "acme", "user": "alice", "session": "s1"}));
    let route = table.route(&event)[0].route;
    assert_eq!(route.target(), "log_off_initiated");
    assert_eq!(route.arguments(&event, "c").iter().map(json_of).collect::<Vec<_>>(), [json!("signed out")]);
    assert_eq!(
        route.effect(&event),
        Effect::Logout { realm: InRealm::Every, user: Id::parse("alice").unwrap(), session: None }
    );
}

#[test]
fn the_digest_is_that_of_the_routes_alone() {
    let text = route("groups = [\"org:{org}\"]");
    let digest = table(&text).digest();
    assert_eq!(digest.len(), 16);
    assert_eq!(table(&format!("# A comment\n\n{}", text.replace(" = ", "="))).digest(), digest);
    assert_ne!(table(&text.replace("\"x\"", "\"y\"")).digest(), digest);
    let second = text.replace("\"t\"", "\"u\"");
    let files = |a: &str, b: &str| RouteTable::compile(&[source(a), source(b)], &registry(), &hubs()).unwrap().digest();
    assert_eq!(files(&text, &second), files(&second, &text));
    assert_eq!(files(&text, &second), table(&format!("{text}\n{second}")).digest());
}
