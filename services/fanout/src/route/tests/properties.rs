//! Whatever an event says: routing does not panic, and nobody hears of it through another's group.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

const FILE: &str = r#"
hub = "/hubs/tasks"
[[route]]
name = "all"
event = "tasks.TaskChanged"
groups = ["task:{task_id}", "org:{org}", "user:{item.Owner}", "tag:{tags}", "task:{count}"]
conflate = "{task_id}{due}{tags}"
toast = { severity = "info", title = "{task_id} {tags} {due}", message = "{note}", link = "/x/{note}" }
[[route]]
name = "some"
event = "tasks.TaskChanged"
groups = ["task:{task_id}"]
when = { count = { min = 0 }, ratio = { not = 0.5 }, "item.Owner" = { present = true } }
send = { target = "x", arguments = ["{item}", "{limits}", "{blob}", { "a?" = "{note}", b = ["{due}", "{size}"] }] }
[[route]]
name = "out"
event = "auth.UserLoggedOut"
hub = "/hubs/notifications"
groups = ["user:{user}", "session:{session}", "org:{org}/role:admin", "org:{org}"]
logout = { user = "{user}", session = "{session}", reason = "{reason}" }
"#;

static TABLE: LazyLock<RouteTable> = LazyLock::new(|| table(FILE));

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[a-c/:{}.%]{1,8}",
        "\\PC{0,12}",
        any::<String>(),
        "[a-z]{127,129}",
        Just("acme/role:admin".to_owned()),
        Just("javascript:alert(1)".to_owned()),
    ]
}

fn null_or<T: Strategy<Value = Json> + 'static>(strategy: T) -> impl Strategy<Value = Json> {
    prop_oneof![Just(Json::Null), strategy]
}

prop_compose! {
    fn any_task()(
        task_id in text(), org in null_or(text().prop_map(Json::from)), done: bool, count: i32, size: i64,
        ratio in -1e300..1e300f64, blob in "[\u{0}-\u{ff}]{0,4}", due in null_or(any::<i64>().prop_map(Json::from)),
        tags in prop::collection::vec(text(), 0..4), limit in text(), note in null_or(text().prop_map(Json::from)),
        item in null_or((text(), null_or(text().prop_map(Json::from)), any::<i64>())
            .prop_map(|(id, owner, at)| json!({"id": id, "Owner": owner, "at": at}))),
    ) -> Json {
        json!({"task_id": task_id, "org": org, "done": done, "maybe": null, "count": count, "size": size, "ratio": ratio,
            "blob": blob, "due": due, "level": "low", "tags": tags, "limits": {limit: size}, "email": "", "item": item,
            "note": note})
    }
}

/// The shapes and values of all groups that hear of an event.
fn routed(event: &Event) -> Vec<(String, Vec<String>)> {
    let parts = |group: &crate::vocabulary::name::GroupName| {
        (group.shape().to_owned(), group.values().map(str::to_owned).collect::<Vec<_>>())
    };
    let matches = TABLE.route(event);
    for found in &matches {
        let route = found.route;
        assert_eq!(route.arguments(event, "c").len(), if route.target() == "x" { 4 } else { 1 });
        let _ = (route.slot(event), route.conflation_key(event, &[]), route.effect(event));
        assert!(!found.groups.is_empty());
    }
    matches.iter().flat_map(|found| found.groups.iter().map(parts)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn routing_never_panics_and_values_stay_whole(data in any_task()) {
        let event = event("tasks.TaskChanged", &data);
        if let Ok(resolved) = TABLE.resolve(&event) {
            let routed = TABLE.route(&event);
            prop_assert!(resolved.iter().map(|found| &found.groups).eq(routed.iter().map(|found| &found.groups)));
        }
        for (shape, values) in routed(&event) {
            prop_assert_eq!(values.len(), 1);
            let value = json!(values[0]);
            let expected = match shape.as_str() {
                "org:{}" => value == data["org"],
                "user:{}" => value == data["item"]["Owner"],
                "tag:{}" => data["tags"].as_array().unwrap().contains(&value),
                "task:{}" => value == data["task_id"] || values[0].parse().ok() == data["count"].as_i64(),
                _ => false,
            };
            prop_assert!(expected, "{shape} {values:?} {data}");
        }
    }

    #[test]
    fn a_value_never_reaches_a_group_of_another_template(user in text(), org in text(), session in null_or(text().prop_map(Json::from))) {
        let event = event("auth.UserLoggedOut", &json!({"user": user, "org": org, "session": session}));
        let is_id = |text: &str| Id::parse(text).is_ok();
        let sound = is_id(&user) && is_id(&org) && session.as_str().is_none_or(is_id);
        prop_assert_eq!(TABLE.verify(&event).is_ok(), sound);
        for (shape, values) in routed(&event) {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            match shape.as_str() {
                "user:{}" => prop_assert_eq!(values, [&*user]),
                "org:{}" => prop_assert_eq!(values, [&*org]),
                "org:{}/role:{}" => prop_assert_eq!(values, [&*org, "admin"]),
                "session:{}" => prop_assert_eq!(Some(values[0]), session.as_str()),
                other => prop_assert!(false, "{}", other),
            }
        }
    }
}
