//! The demo's route file against the table of the outside contract.

use super::*;

fn demo() -> RouteTable {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo/routes.toml");
    let source = RouteSource::read(&path).unwrap();
    RouteTable::compile(&[source], &Registry::builtin(), &hubs()).unwrap_or_else(|faults| panic!("{}", faults[0]))
}

struct Case {
    event: &'static str,
    data: &'static str,
    group: &'static str,
    target: &'static str,
    /// The argument without what every notification has.
    argument: &'static str,
}

#[rustfmt::skip]
const CONTRACT: &[Case] = &[
    Case { event: "license.FlagToggled", data: r#"{"org":"acme","flag":"beta","enabled":true}"#,
        group: "org:acme", target: "featureFlag", argument: r#"{"flag":"beta","enabled":true}"# },
    Case { event: "license.FlagRemoved", data: r#"{"org":"acme","flag":"beta"}"#,
        group: "org:acme", target: "featureFlag", argument: r#"{"flag":"beta","enabled":false,"removed":true}"# },
    Case { event: "license.LicenseUpdated", data: r#"{"org":"acme","plan":"gold","seats":5}"#, group: "org:acme", target: "toast",
        argument: r#"{"severity":"info","title":"License updated","message":"License updated, refresh your browser"}"# },
    Case { event: "license.LicenseExpired", data: r#"{"org":"acme","plan":"gold","expired_at":0}"#, group: "org:acme", target: "toast",
        argument: r#"{"severity":"warning","title":"License expired: gold","message":"License updated, refresh your browser"}"# },
    Case { event: "auth.RolesChanged", data: r#"{"org":"acme","user":"alice","roles":["user","admin"]}"#, group: "user:alice", target: "toast",
        argument: r#"{"severity":"info","title":"Your roles changed","message":"Your roles in acme are now: user, admin"}"# },
    Case { event: "auth.UserLoggedOut", data: r#"{"org":"acme","user":"alice","session":null}"#,
        group: "user:alice", target: "logout", argument: r#"{"reason":"signed out"}"# },
    Case { event: "auth.UserLoggedOut", data: r#"{"org":"acme","user":"alice","session":"s1","reason":"idle"}"#,
        group: "session:s1", target: "logout", argument: r#"{"reason":"idle"}"# },
    Case { event: "export.ExportProgress", data: r#"{"org":"acme","user":"alice","job_id":"j1","percent":40,"stage":"rows"}"#,
        group: "user:alice", target: "exportProgress", argument: r#"{"job_id":"j1","percent":40,"stage":"rows"}"# },
    Case { event: "export.ExportCompleted", data: r#"{"org":"acme","user":"alice","job_id":"j1","kind":"usage-report","file_name":"u.csv","size_bytes":9,"download_url":"/exports/j1/download"}"#,
        group: "user:alice", target: "toast",
        argument: r#"{"severity":"success","title":"Export ready","message":"u.csv is ready to download","link":"/exports/j1/download"}"# },
    Case { event: "export.ExportFailed", data: r#"{"org":"acme","user":"alice","job_id":"j1","kind":"broken","reason":"disk full"}"#,
        group: "user:alice", target: "toast", argument: r#"{"severity":"error","title":"Export failed","message":"disk full"}"# },
    Case { event: "system.Alert", data: r#"{"severity":"success","title":"T","message":"M"}"#,
        group: "admin", target: "toast", argument: r#"{"severity":"success","title":"T","message":"M"}"# },
    Case { event: "system.Alert", data: r#"{"org":"acme","severity":"error","title":"T","message":"M"}"#,
        group: "org:acme", target: "toast", argument: r#"{"severity":"error","title":"T","message":"M"}"# },
    Case { event: "system.Alert", data: r#"{"user":"alice","title":"T","message":"M"}"#,
        group: "user:alice", target: "toast", argument: r#"{"severity":"info","title":"T","message":"M"}"# },
    Case { event: "system.Alert", data: r#"{"org":"acme","user":"alice","title":"T","message":"M","link":"https://x.example/"}"#,
        group: "user:alice", target: "toast", argument: r#"{"severity":"info","title":"T","message":"M","link":"https://x.example/"}"# },
    Case { event: "system.Alert", data: r#"{"title":"T","message":"M","link":"javascript:alert(1)"}"#,
        group: "admin", target: "toast", argument: r#"{"severity":"info","title":"T","message":"M"}"# },
];

#[test]
fn the_demo_routes_keep_the_contract() {
    let table = demo();
    for case in CONTRACT {
        let event = event(case.event, &serde_json::from_str(case.data).unwrap());
        assert_eq!(table.verify(&event), Ok(()), "{}", case.data);
        let matches = table.route(&event);
        assert_eq!(matches.len(), 1, "{} {}", case.event, case.data);
        let route = matches[0].route;
        let groups: Vec<_> = matches[0].groups.iter().map(ToString::to_string).collect();
        assert_eq!((groups, route.target(), route.hub()), (vec![case.group.to_owned()], case.target, HUB));
        assert_eq!(route.cross_org(), case.target == "logout", "{}", case.event);
        let arguments = route.arguments(&event, "c1");
        assert_eq!(arguments.len(), 1, "{}", case.event);
        let mut found = json_of(&arguments[0]);
        let found = found.as_object_mut().unwrap();
        assert_eq!(found.remove("id"), Some(json!(route.notification_id(&event.attributes))), "{}", case.event);
        assert_eq!(found.remove("cursor"), Some(json!("c1")), "{}", case.event);
        let at = json!({"seconds": 1_767_323_045, "nanoseconds": 678_000_000});
        let at = (case.target != "exportProgress").then_some(at);
        assert_eq!(found.remove("at"), at, "{}", case.event);
        let expected: Json = serde_json::from_str(case.argument).unwrap();
        assert_eq!(Json::Object(found.clone()), expected, "{} {}", case.event, case.data);
        assert_eq!(keys(&arguments[0])[..2], ["id", "cursor"], "{}", case.event);
    }
}

#[test]
fn a_login_is_nobodys_business() {
    let event = event("auth.UserLoggedIn", &json!({"org": "acme", "user": "alice", "session": "s1"}));
    assert!(demo().route(&event).is_empty());
}

#[test]
fn flags_are_retained_until_they_are_removed() {
    let table = demo();
    let toggled = event("license.FlagToggled", &json!({"org": "acme", "flag": "beta", "enabled": true}));
    let removed = event("license.FlagRemoved", &json!({"org": "acme", "flag": "beta"}));
    let (toggled_by, removed_by) = (table.route(&toggled)[0].route, table.route(&removed)[0].route);
    assert_eq!((toggled_by.retain(), removed_by.retain()), (Retain::Keep, Retain::Remove));
    let slot = toggled_by.slot(&toggled);
    assert!(slot.is_some());
    assert_eq!(slot, removed_by.slot(&removed));
    for other in [
        json!({"org": "globex", "flag": "beta", "enabled": true}),
        json!({"org": "acme", "flag": "b", "enabled": true}),
    ] {
        assert_ne!(toggled_by.slot(&event("license.FlagToggled", &other)), slot, "{other}");
    }
}

#[test]
fn the_newest_progress_of_a_job_replaces_older_ones() {
    let table = demo();
    let progress = |org: &str, job: &str, percent: i32| {
        let data = json!({"org": org, "user": "alice", "job_id": job, "percent": percent, "stage": "rows"});
        let event = event("export.ExportProgress", &data);
        table.route(&event)[0].route.conflation_key(&event, &[])
    };
    assert!(progress("acme", "j1", 1).is_some());
    assert_eq!(progress("acme", "j1", 1), progress("acme", "j1", 2));
    assert_ne!(progress("acme", "j1", 1), progress("acme", "j2", 1));
    assert_ne!(progress("acme", "j1", 1), progress("globex", "j1", 1));
}

#[test]
fn logout_and_roles_have_their_effects() {
    let table = demo();
    let id = |text| Id::parse(text).unwrap();
    let effect = |name: &str, data: &Json| {
        let event = event(name, data);
        table.route(&event)[0].route.effect(&event)
    };
    assert_eq!(
        effect("auth.UserLoggedOut", &json!({"org": "acme", "user": "alice", "session": null})),
        Effect::Logout { realm: InRealm::Every, user: id("alice"), session: None }
    );
    assert_eq!(
        effect("auth.UserLoggedOut", &json!({"org": "acme", "user": "alice", "session": "s1"})),
        Effect::Logout { realm: InRealm::Every, user: id("alice"), session: Some(id("s1")) }
    );
    assert_eq!(
        effect("auth.RolesChanged", &json!({"org": "acme", "user": "alice", "roles": ["user", "Super Admin", "/a"]})),
        Effect::Roles {
            realm: None,
            user: id("alice"),
            org: id("acme"),
            roles: ["user", "Super Admin", "/a"].map(str::to_owned).to_vec()
        }
    );
    let unprintable = event("auth.RolesChanged", &json!({"org": "acme", "user": "alice", "roles": ["user", "a\nb"]}));
    assert!(
        matches!(table.verify(&unprintable), Err(Unroutable::BadRole { field, .. }) if field == "roles"),
        "a role is never left out in silence"
    );
    assert_eq!(effect("license.FlagRemoved", &json!({"org": "acme", "flag": "x"})), Effect::None);
}
