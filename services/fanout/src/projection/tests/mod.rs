//! The projection against the demo platform's own routes and schemas.

use std::sync::Arc;

use fanfare_broker::Position;
use fanfare_event::Id;
use fanfare_token::Claims;

use super::*;
use crate::config::{Joiner, default_join};
use crate::route::{InRealm, Realms};
use crate::scene::{BOUNDS, Scene, claims};
use crate::vocabulary::Identity;
use crate::vocabulary::Place;
use crate::vocabulary::name::{GroupName, GroupTemplate};

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
fn a_record_older_than_its_copy_in_the_state_is_delivered_by_the_copy() {
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

/// The event names the user's realm by a field of its own.
const KEYED_LOGOUT: &str = r#"{"type": "record", "name": "SignedOut", 
    "fields": [{"name": "user", "type": "string"}, {"name": "realm", "type": ["null", "string"], "default": null}]}"#;

const REALM_ROUTES: &str = "[[route]]\nname = \"out\"\nevent = \"login.SignedOut\"\nhub = \"/hubs/notifications\"\n\
    cross_org = true\ngroups = [\"user:{user}\"]\nlogout = { user = \"{user}\", reason = \"bye\" }\n";

fn in_realm(realm: Option<&str>, user: Claims) -> Claims {
    Claims { realm: realm.map(Arc::from), ..user }
}

#[test]
fn a_logout_is_in_every_realm_unless_it_names_one() {
    let schemas = [("login/SignedOut.v1.avsc", KEYED_LOGOUT)];
    let mut scene = Scene::with(&schemas, REALM_ROUTES, Realms::new(["entra", "partner"]));
    let mut groups = |realm: &str| {
        let mut known = empty();
        let out = scene.event_at(10_000, "login.SignedOut", &format!(r#"{{"user":"alice","realm":{realm}}}"#));
        let event = scene.decode(&out);
        let matched = scene.routes.resolve(&event).map(|found| found[0].groups.clone());
        let names = matched.map(|groups| groups.iter().map(ToString::to_string).collect::<Vec<_>>());
        let folded = fold(&mut known, &scene, &out);
        let ended = ["entra", "partner"].map(|realm| {
            let claims = in_realm(Some(realm), user(5));
            let who = Identity::new(Arc::new(claims.clone()), None, |_| false).expect("an identity");
            let refused = known.refuses(&claims);
            assert_eq!(folded.effects.iter().any(|felt| felt.ends(&who)), refused, "open tabs and tokens alike");
            refused
        });
        (names.map_err(|error| error.to_string()), ended)
    };
    assert_eq!(
        groups("null"),
        (Ok(vec!["user:entra/alice".to_owned(), "user:partner/alice".to_owned()]), [true, true])
    );
    assert_eq!(groups("\"partner\""), (Ok(vec!["user:partner/alice".to_owned()]), [false, true]));
    let (unknown, ended) = groups("\"evil\"");
    assert!(unknown.is_err_and(|error| error.contains("`realm` names a realm that no issuer of users has")));
    assert_eq!(ended, [false, false]);
}

#[test]
fn roles_are_those_of_the_first_realm_unless_another_is_named() {
    let roles = |change: Option<&str>, user: &Claims| {
        let (mut known, mut scene) = (empty(), Scene::with(&[], ROLES, Realms::new(["entra", "partner"])));
        let routes = change.map(|realm| format!("{ROLES}realm = \"{realm}\"\n"));
        if let Some(routes) = &routes {
            scene = Scene::with(&[], routes, Realms::new(["entra", "partner"]));
        }
        let json = r#"{"user":"alice","org":"acme","roles":["Super Admin"]}"#;
        let changed = scene.event_at(10_000, "auth.RolesChanged", json);
        fold(&mut known, &scene, &changed);
        known.roles_of(user).into_iter().map(|(role, _)| role).collect::<Vec<_>>()
    };
    let (entra, partner) = (in_realm(Some("entra"), user(5)), in_realm(Some("partner"), user(5)));
    assert_eq!((roles(None, &entra), roles(None, &partner)), (vec!["Super Admin".to_owned()], vec!["user".to_owned()]));
    assert_eq!(roles(Some("partner"), &partner), ["Super Admin"]);
    assert_eq!(roles(Some("partner"), &entra), ["user"]);
}

const ROLES: &str = "[[route]]\nname = \"roles\"\nevent = \"auth.RolesChanged\"\nhub = \"/hubs/notifications\"\n\
    groups = [\"user:{user}\"]\nroles = { user = \"{user}\", org = \"{org}\", roles = \"{roles}\" }\n\
    toast = { severity = \"info\", title = \"t\", message = \"m\" }\n";

#[test]
fn the_session_of_one_user_is_not_that_of_another() {
    let (mut known, mut scene) = (empty(), Scene::demo());
    let out = scene.event_at(10_000, "auth.UserLoggedOut", r#"{"user":"alice","org":"acme","session":"1"}"#);
    let folded = fold(&mut known, &scene, &out);
    let (alice, bob) = (claims("alice", "acme", &[], "1", 5), claims("bob", "globex", &[], "1", 5));
    assert!(known.refuses(&alice) && !known.refuses(&bob));
    let who = |claims: &Claims| Identity::new(Arc::new(claims.clone()), None, |_| false).expect("an identity");
    let ends = |claims: &Claims| folded.effects.iter().any(|felt| felt.ends(&who(claims)));
    assert!(ends(&alice) && !ends(&bob));
    let event = scene.decode(&out);
    let heard = &scene.routes.route(&event)[0].groups;
    let groups = |claims: &Claims| {
        let mut groups = Vec::new();
        default_join().iter().for_each(|rule| rule.groups(&Joiner::of(claims), &mut groups));
        groups
    };
    assert!(heard.iter().all(|group| groups(&alice).contains(group) && !groups(&bob).contains(group)), "{heard:?}");
}

#[test]
fn logouts_beyond_the_bound_become_stricter_and_never_forgotten() {
    let mut revocations = Revocations::new(2);
    for (at, name) in [(10, "a"), (20, "b"), (30, "c")] {
        revocations.log_out(&InRealm::Every, &Id::parse(name).expect("valid"), None, at);
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

/// Fault 13: a token that is newer than the grant was told what its role's groups heard before it.
#[test]
fn a_newer_token_receives_nothing_from_before_the_event_that_granted_its_role() {
    let (mut known, mut scene) = (empty(), Scene::demo());
    let json = r#"{"user":"alice","org":"acme","roles":["admin"]}"#;
    let flag = r#"{"org":"acme","flag":"beta","enabled":true}"#;
    let before = scene.event_at(9_000, "license.FlagToggled", flag);
    let grant = scene.event_at(10_000, "auth.RolesChanged", json);
    let behind = scene.event_at(11_000, "license.FlagToggled", flag);
    for record in [&before, &grant, &behind] {
        fold(&mut known, &scene, record);
    }
    let roles = known.roles_of(&claims("alice", "acme", &["admin", "auditor"], "s", 11));
    let bounded: Vec<_> = roles.iter().map(|(role, held)| (role.as_str(), held.is_some())).collect();
    assert_eq!(bounded, [("admin", true), ("auditor", false)], "of what the issuer alone grants nothing else is known");
    let held = roles[0].1.as_ref().expect("intervals");
    assert_eq!([&before, &behind].map(|record| held.hold(Place::of(record))), [false, true]);
}

#[test]
fn a_node_on_an_empty_log_does_not_take_its_first_record_for_one_from_the_future() {
    let (mut known, mut scene) = (empty(), Scene::demo());
    let today = 1_790_000_000_000;
    known.pass_time(std::time::Duration::from_secs(2), today);
    let record = scene.event_at(today + 5_000, "license.FlagToggled", r#"{"org":"acme","flag":"beta","enabled":true}"#);
    fold(&mut known, &scene, &record);
    known.pass_time(std::time::Duration::from_secs(7), today + 5_000);
    assert_eq!(known.fell_behind(), None);
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
fn a_record_that_was_only_learnt_is_sent_once_by_a_replay() {
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
