//! The projection against the demo platform's own routes and schemas.

use std::sync::Arc;

use fanfare_broker::Position;
use fanfare_event::Id;
use fanfare_token::Claims;

use super::*;
use crate::groups::name::{GroupName, GroupTemplate};
use crate::scene::{BOUNDS, Scene, claims};

mod interleaving;

fn empty() -> Projection {
    Projection::new(Position::start(1), &BOUNDS)
}

fn fold(known: &mut Projection, scene: &Scene, record: &Record) -> Folded {
    let event = scene.decode(record);
    known.fold(record, &event, &scene.routes.route(&event))
}

fn acme() -> GroupName {
    GroupTemplate::parse("org:{org}").expect("valid").name(&["acme"]).expect("valid")
}

/// What a tab of acme is told at connect: the events' versions of flags, newest of each.
fn flags(known: &Projection) -> Vec<String> {
    let hub = Arc::from("/hubs/notifications");
    let held = known.retained().for_groups(&hub, std::iter::once(&acme()));
    held.iter()
        .map(|value| {
            let record = &value.event.record;
            format!("{:?}={:?}", record.get("flag"), record.get("enabled"))
        })
        .collect()
}

fn user(issued_at: i64) -> Claims {
    claims("alice", "acme", &["user"], "s1", issued_at)
}

#[test]
fn what_is_older_than_its_own_duplicate_in_the_state_is_told_by_that() {
    let (mut known, mut scene) = (empty(), Scene::demo());
    let toggled = r#"{"org": "acme", "flag": "beta", "enabled": true, "revision": 4}"#;
    let first = scene.event("license.FlagToggled", toggled);
    let again = Record { offset: first.offset + 1, ..first.clone() };
    let event = scene.decode(&again);
    known.fold_state(&again, &event, &scene.routes.route(&event));
    assert_eq!(fold(&mut known, &scene, &first).verdict, Verdict::Stale);
    assert_eq!(fold(&mut known, &scene, &again).verdict, Verdict::New);
    let third = Record { offset: first.offset + 2, ..first };
    assert_eq!(fold(&mut known, &scene, &third).verdict, Verdict::Duplicate);
}

#[test]
fn a_logout_refuses_tokens_up_to_its_second_and_no_later_ones() {
    let (mut known, mut scene) = (empty(), Scene::demo());
    let out = scene.event_at(10_700, "auth.UserLoggedOut", r#"{"user":"alice","org":"acme"}"#);
    let folded = fold(&mut known, &scene, &out);
    assert_eq!(folded.verdict, Verdict::New);
    assert!(known.refuses(&user(9)) && known.refuses(&user(10)));
    assert!(!known.refuses(&user(11)), "a login in the same second is issued for the next");
    assert!(!known.refuses(&claims("bob", "acme", &[], "s2", 5)));
}

#[test]
fn a_logout_of_one_session_leaves_the_others() {
    let (mut known, mut scene) = (empty(), Scene::demo());
    let json = r#"{"user":"alice","org":"acme","session":"s1"}"#;
    let out = scene.event_at(10_000, "auth.UserLoggedOut", json);
    fold(&mut known, &scene, &out);
    assert!(known.refuses(&user(20)), "whenever it was issued");
    assert!(!known.refuses(&claims("alice", "acme", &[], "s2", 5)));
}

#[test]
fn users_of_another_realm_share_no_logout() {
    let (mut known, mut scene) = (empty(), Scene::demo());
    let out = scene.event_at(10_000, "auth.UserLoggedOut", r#"{"user":"alice","org":"acme"}"#);
    fold(&mut known, &scene, &out);
    assert!(!known.refuses(&Claims { realm: Some(Arc::from("partner")), ..user(5) }));
}

#[test]
fn logouts_beyond_the_bound_become_stricter_and_never_forgotten() {
    let mut revocations = Revocations::new(2);
    for (at, name) in [(10, "a"), (20, "b"), (30, "c")] {
        revocations.log_out(&Id::parse(name).expect("valid"), None, at);
    }
    assert_eq!(revocations.len(), 2);
    assert!(revocations.refuses(&claims("a", "acme", &[], "s", 10)));
    assert!(revocations.refuses(&claims("unrelated", "acme", &[], "s", 10)));
    assert!(!revocations.refuses(&claims("unrelated", "acme", &[], "s", 11)));
}

#[test]
fn roles_of_an_event_override_older_tokens_and_only_those() {
    let (mut known, mut scene) = (empty(), Scene::demo());
    let json = r#"{"user":"alice","org":"acme","roles":["admin"]}"#;
    let change = scene.event_at(10_000, "auth.RolesChanged", json);
    fold(&mut known, &scene, &change);
    let names = |claims: &Claims| -> Vec<String> { known.roles_of(claims).into_iter().map(|(role, _)| role).collect() };
    assert_eq!(names(&user(9)), ["admin"]);
    assert_eq!(names(&user(11)), ["user"], "a newer token carries its own roles");
    assert_eq!(names(&claims("alice", "globex", &["user"], "s", 9)), ["user"]);
}

#[test]
fn an_older_revision_never_replaces_a_newer_one() {
    let (mut known, mut scene) = (empty(), Scene::demo());
    let on = r#"{"org":"acme","flag":"beta","enabled":true,"revision":7}"#;
    let off = r#"{"org":"acme","flag":"beta","enabled":false,"revision":6}"#;
    let (newer, older) = (scene.event("license.FlagToggled", on), scene.event("license.FlagToggled", off));
    assert_eq!(fold(&mut known, &scene, &newer).verdict, Verdict::New);
    assert_eq!(fold(&mut known, &scene, &older).verdict, Verdict::Stale);
    assert_eq!(flags(&known), ["Some(String(\"beta\"))=Some(Bool(true))"]);
}

#[test]
fn a_removed_flag_is_gone_and_its_late_toggle_does_not_bring_it_back() {
    let (mut known, mut scene) = (empty(), Scene::demo());
    for (name, json, verdict) in [
        ("license.FlagToggled", r#"{"org":"acme","flag":"beta","enabled":true,"revision":1}"#, Verdict::New),
        ("license.FlagRemoved", r#"{"org":"acme","flag":"beta","revision":3}"#, Verdict::New),
        ("license.FlagToggled", r#"{"org":"acme","flag":"beta","enabled":true,"revision":2}"#, Verdict::Stale),
    ] {
        let record = scene.event(name, json);
        assert_eq!(fold(&mut known, &scene, &record).verdict, verdict);
    }
    assert!(flags(&known).is_empty());
}

#[test]
fn the_same_event_twice_is_dropped_and_a_forged_id_is_a_conflict() {
    let (mut known, mut scene) = (empty(), Scene::demo());
    let json = r#"{"org":"acme","flag":"beta","enabled":true}"#;
    let first = scene.event("license.FlagToggled", json);
    fold(&mut known, &scene, &first);
    assert_eq!(fold(&mut known, &scene, &first).verdict, Verdict::Duplicate, "read again");
    let mut again = first.clone();
    again.offset = 50;
    assert_eq!(fold(&mut known, &scene, &again).verdict, Verdict::Duplicate, "published again");
    let mut forged = scene.event("license.FlagToggled", r#"{"org":"acme","flag":"other","enabled":true}"#);
    forged.offset = 60;
    forged.message.headers = first.message.headers.clone();
    assert_eq!(fold(&mut known, &scene, &forged).verdict, Verdict::Conflict);
}

#[test]
fn state_read_ahead_is_not_undone_by_the_window() {
    let (mut known, mut scene) = (empty(), Scene::demo());
    let on = scene.event("license.FlagToggled", r#"{"org":"acme","flag":"beta","enabled":true}"#);
    let off = scene.event("license.FlagToggled", r#"{"org":"acme","flag":"beta","enabled":false}"#);
    let event = scene.decode(&off);
    known.fold_state(&off, &event, &scene.routes.route(&event));
    assert_eq!(fold(&mut known, &scene, &on).verdict, Verdict::Stale);
    assert_eq!(fold(&mut known, &scene, &off).verdict, Verdict::New, "its place in the log is news");
    assert_eq!(fold(&mut known, &scene, &off).verdict, Verdict::Duplicate);
    assert_eq!(flags(&known), ["Some(String(\"beta\"))=Some(Bool(false))"]);
}

#[test]
fn values_beyond_the_bound_in_bytes_are_delivered_and_not_retained() {
    let mut scene = Scene::demo();
    let mut known = Projection::new(Position::start(1), &Bounds { retained_bytes: 2500, ..BOUNDS });
    for (flag, full) in [("a", false), ("b", false), ("c", true)] {
        let json = format!(r#"{{"org":"acme","flag":"{flag}","enabled":true}}"#);
        let toggled = scene.event("license.FlagToggled", &json);
        let folded = fold(&mut known, &scene, &toggled);
        assert_eq!((folded.verdict, folded.retained_full), (Verdict::New, full), "{flag}");
    }
    assert_eq!(flags(&known).len(), 2);
    assert!(known.sizes().bytes > known.retained().bytes() && known.retained().bytes() <= 2500);
    let removed = scene.event("license.FlagRemoved", r#"{"org":"acme","flag":"a"}"#);
    fold(&mut known, &scene, &removed);
    let again = scene.event("license.FlagToggled", r#"{"org":"acme","flag":"c","enabled":true}"#);
    assert!(!fold(&mut known, &scene, &again).retained_full, "there is room again");
}

#[test]
fn what_was_learnt_is_told_once_by_a_replay() {
    let (mut known, mut scene) = (empty(), Scene::demo());
    let mut read = |known: &mut Projection| {
        let record = scene.event("system.Alert", r#"{"org": "acme", "title": "t", "message": "m"}"#);
        assert_eq!(fold(known, &scene, &record).verdict, Verdict::New);
        scene.decode(&record)
    };
    let learnt = read(&mut known);
    known.end_reading_back();
    let told = read(&mut known);
    assert!(known.tells_replay(&learnt), "nobody was told of it");
    assert!(!known.tells_replay(&learnt), "now they were");
    assert!(!known.tells_replay(&told));
    let unknown = scene.event("system.Alert", r#"{"org": "acme", "title": "t", "message": "m"}"#);
    assert!(!known.tells_replay(&scene.decode(&unknown)), "of what was forgotten the fold itself tells");
}
