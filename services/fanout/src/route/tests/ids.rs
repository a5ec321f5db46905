//! Ids of notifications, and what an event must say to be routed.

use super::*;

const FLAGS: &str = "[[route]]\nname = \"flags\"\nevent = \"license.FlagToggled\"\nhub = \"/hubs/notifications\"\n\
                     groups = [\"org:{org}\"]\ntoast = { severity = \"info\", title = \"t\", message = \"m\" }";

fn flag() -> Event {
    event("license.FlagToggled", &json!({"org": "acme", "flag": "beta", "enabled": true}))
}

#[test]
fn an_id_comes_from_source_id_and_route() {
    let id = |file: &str, change: fn(&mut Attributes)| {
        let (table, mut event) = (table(file), flag());
        change(&mut event.attributes);
        table.route(&event)[0].route.notification_id(&event.attributes)
    };
    let first = id(FLAGS, |_| {});
    // Fixed for ever: nodes of different releases must agree, and clients remember ids.
    assert_eq!(first, "OcezRFqxaXsxWaYDM8NS");
    assert_eq!(first, id(&FLAGS.replace("\"m\"", "\"other words\""), |event| event.time = Timestamp(0)));
    let others = [
        id(FLAGS, |event| event.id = "e2".to_owned()),
        id(FLAGS, |event| event.source = "/services/other".to_owned()),
        id(FLAGS, |event| (event.source, event.id) = ("/services/teste".to_owned(), "1".to_owned())),
        id(&FLAGS.replace("\"flags\"", "\"flag\""), |_| {}),
    ];
    for (at, other) in others.iter().enumerate() {
        assert!(*other != first && !others[..at].contains(other), "{at}");
    }
}

#[test]
fn events_with_foreign_orgs_or_bad_ids_are_not_routed() {
    let table = table(FLAGS);
    let verified = |data: &Json, org: Option<&str>| {
        let mut event = event("license.FlagToggled", data);
        event.attributes.org = org.map(|org| Id::parse(org).unwrap());
        table.verify(&event)
    };
    let data = |org: &str| json!({"org": org, "flag": "beta", "enabled": true});
    assert_eq!(verified(&data("acme"), Some("acme")), Ok(()));
    assert_eq!(verified(&data("acme"), None), Ok(()));
    assert_eq!(verified(&data("acme"), Some("globex")), Err(Unroutable::OtherOrg { field: "org".to_owned() }));
    for good in ["a/b", "acme/role:admin", "a b", ".a", "*", "j\u{fc}rgen"] {
        assert_eq!(verified(&data(good), Some(good)), Ok(()), "{good:?}");
    }
    for bad in ["", " ", "a\u{1f}b", "a\nb", &"x".repeat(257)] {
        let error = verified(&data(bad), None).unwrap_err();
        assert!(matches!(&error, Unroutable::BadId { field, .. } if field == "org"), "{bad:?} {error}");
    }
}

#[test]
fn a_body_of_another_type_is_never_read_with_the_wrong_fields() {
    let table = table(FLAGS);
    let mut event = event("auth.UserLoggedIn", &json!({"org": "acme", "user": "alice", "session": "s1"}));
    event.attributes.event_type = TypeName::parse("license.FlagToggled").unwrap();
    assert!(table.route(&event).is_empty());
    assert!(matches!(table.verify(&event), Err(Unroutable::OtherType { .. })));
}

#[test]
fn values_that_name_no_group_are_reported() {
    let file = "[[route]]\nname = \"t\"\nevent = \"tasks.TaskChanged\"\nhub = \"/hubs/tasks\"\n\
                groups = [\"task:{task_id}\", \"tag:{tags}\"]\nsend = { target = \"x\", arguments = [] }";
    let table = table(file);
    let verified = |key: &str, value: Json| {
        let mut data = task();
        data[key] = value;
        table.verify(&event("tasks.TaskChanged", &data))
    };
    assert_eq!(verified("done", json!(false)), Ok(()));
    for (key, value) in [
        ("task_id", json!("a\u{1f}b")),
        ("task_id", json!("")),
        ("task_id", json!("x".repeat(257))),
        ("tags", json!(["fine", "\n"])),
        ("tags", (0..257).map(|tag| tag.to_string()).collect()),
    ] {
        assert!(matches!(verified(key, value.clone()), Err(Unroutable::BadGroup { .. })), "{key} {value}");
    }
}
