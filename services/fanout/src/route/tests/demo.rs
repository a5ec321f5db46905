//! The demo's route file against the table of the outside contract.

use super::*;

fn demo() -> RouteTable {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo/routes.toml");
    let source = RouteSource::read(&path).unwrap();
    RouteTable::compile(&[source], &Registry::builtin(), &hubs()).unwrap_or_else(|faults| panic!("{}", faults[0]))
}

/// Event, its data, and: groups, target, the argument without what every notification has, whether it crosses orgs.
fn contract() -> Vec<(&'static str, Json, &'static str, &'static str, Json, bool)> {
    let alert = |more: Json| {
        let mut data =
            json!({"org": null, "user": null, "severity": "success", "title": "T", "message": "M", "link": null});
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        data
    };
    let toast =
        |severity: &str, title: &str, message: &str| json!({"severity": severity, "title": title, "message": message});
    let job = |more: Json| {
        let mut data = json!({"org": "acme", "user": "alice", "job_id": "j1"});
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        data
    };
    let linked = |mut toast: Json, link: &str| {
        toast["link"] = json!(link);
        toast
    };
    vec![
        (
            "license.FlagToggled",
            json!({"org": "acme", "flag": "beta", "enabled": true}),
            "org:acme",
            "featureFlag",
            json!({"flag": "beta", "enabled": true}),
            false,
        ),
        (
            "license.FlagRemoved",
            json!({"org": "acme", "flag": "beta"}),
            "org:acme",
            "featureFlag",
            json!({"flag": "beta", "enabled": false, "removed": true}),
            false,
        ),
        (
            "license.LicenseUpdated",
            json!({"org": "acme", "plan": "gold", "seats": 5}),
            "org:acme",
            "toast",
            toast("info", "License updated", "License updated, refresh your browser"),
            false,
        ),
        (
            "license.LicenseExpired",
            json!({"org": "acme", "plan": "gold", "expired_at": 0}),
            "org:acme",
            "toast",
            toast("warning", "License expired: gold", "License updated, refresh your browser"),
            false,
        ),
        (
            "auth.RolesChanged",
            json!({"org": "acme", "user": "alice", "roles": ["user", "admin"]}),
            "user:alice",
            "toast",
            toast("info", "Your roles changed", "Your roles in acme are now: user, admin"),
            false,
        ),
        (
            "auth.UserLoggedOut",
            json!({"org": "acme", "user": "alice", "session": null}),
            "user:alice",
            "logout",
            json!({"reason": "signed out"}),
            true,
        ),
        (
            "auth.UserLoggedOut",
            json!({"org": "acme", "user": "alice", "session": "s1", "reason": "idle"}),
            "session:s1",
            "logout",
            json!({"reason": "idle"}),
            true,
        ),
        (
            "export.ExportProgress",
            job(json!({"percent": 40, "stage": "rows"})),
            "user:alice",
            "exportProgress",
            json!({"job_id": "j1", "percent": 40, "stage": "rows"}),
            false,
        ),
        (
            "export.ExportCompleted",
            job(json!({"kind": "usage-report", "file_name": "u.csv", "size_bytes": 9,
            "download_url": "/exports/j1/download"})),
            "user:alice",
            "toast",
            linked(toast("success", "Export ready", "u.csv is ready to download"), "/exports/j1/download"),
            false,
        ),
        (
            "export.ExportFailed",
            job(json!({"kind": "broken", "reason": "disk full"})),
            "user:alice",
            "toast",
            toast("error", "Export failed", "disk full"),
            false,
        ),
        ("system.Alert", alert(json!({})), "admin", "toast", toast("success", "T", "M"), false),
        ("system.Alert", alert(json!({"org": "acme"})), "org:acme", "toast", toast("success", "T", "M"), false),
        ("system.Alert", alert(json!({"user": "alice"})), "user:alice", "toast", toast("success", "T", "M"), false),
        (
            "system.Alert",
            alert(json!({"user": "alice", "org": "acme", "link": "https://x.example/"})),
            "user:alice",
            "toast",
            linked(toast("success", "T", "M"), "https://x.example/"),
            false,
        ),
        (
            "system.Alert",
            alert(json!({"link": "javascript:alert(1)"})),
            "admin",
            "toast",
            toast("success", "T", "M"),
            false,
        ),
    ]
}

#[test]
fn the_demo_routes_keep_the_contract() {
    let table = demo();
    for (name, data, group, target, expected, cross_org) in contract() {
        let event = event(name, &data);
        assert_eq!(table.verify(&event), Ok(()), "{name} {data}");
        let matches = table.route(&event);
        assert_eq!(matches.len(), 1, "{name} {data}");
        let route = matches[0].route;
        let groups: Vec<_> = matches[0].groups.iter().map(ToString::to_string).collect();
        assert_eq!(
            (groups, route.target(), route.cross_org(), route.hub()),
            (vec![group.to_owned()], target, cross_org, HUB)
        );
        let arguments = route.arguments(&event, "c1");
        assert_eq!(arguments.len(), 1, "{name}");
        let mut found = json_of(&arguments[0]);
        let found = found.as_object_mut().unwrap();
        assert_eq!(found.remove("id"), Some(json!(route.notification_id(&event.attributes))), "{name}");
        assert_eq!(found.remove("cursor"), Some(json!("c1")), "{name}");
        let at = (target != "exportProgress").then(|| json!("2026-01-02T03:04:05.678Z"));
        assert_eq!(found.remove("at"), at, "{name}");
        assert_eq!(Json::Object(found.clone()), expected, "{name} {data}");
        assert_eq!(keys(&arguments[0])[..2], ["id", "cursor"], "{name}");
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
        table.route(&event)[0].route.conflation_key(&event)
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
        Effect::Logout { user: id("alice"), session: None }
    );
    assert_eq!(
        effect("auth.UserLoggedOut", &json!({"org": "acme", "user": "alice", "session": "s1"})),
        Effect::Logout { user: id("alice"), session: Some(id("s1")) }
    );
    assert_eq!(
        effect("auth.RolesChanged", &json!({"org": "acme", "user": "alice", "roles": ["user", "No Role"]})),
        Effect::Roles { user: id("alice"), org: id("acme"), roles: vec!["user".to_owned()] }
    );
    assert_eq!(effect("license.FlagRemoved", &json!({"org": "acme", "flag": "x"})), Effect::None);
}
