//! Calls and what becomes of them.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::config::Spot;
use crate::connection::Identity;
use crate::scene::claims;

fn parameter(name: &str, kind: &str) -> Parameter {
    Parameter { name: name.into(), kind: ParameterKind::find(kind).expect("a kind") }
}

fn alice() -> Identity {
    Identity::new(Arc::new(claims("alice", "acme", &[], "s1", 1)), None, |_| false).expect("an identity")
}

fn join(template: &str, parameters: Vec<Parameter>, allow: Option<Allow>) -> Declared {
    let rule = GroupRule::parse(template, Names(&parameters)).expect("a group");
    Declared {
        name: "Join".into(),
        parameters: parameters.into(),
        authorization: Authorization { allow, ..Authorization::default() },
        action: Action::Join(rule),
    }
}

fn called(method: &Declared, roles: &[&str], arguments: Vec<Value<'static>>) -> Result<String, String> {
    let (alice, roles) = (alice(), roles.iter().map(ToString::to_string).collect::<Vec<_>>());
    let caller = Caller { identity: Some(&alice), roles: &roles };
    match method.check(caller, "/hubs/a", arguments).map(|checked| checked.asked) {
        Ok(Asked::Join(group) | Asked::Leave(group)) => Ok(group.to_string()),
        Ok(Asked::Publish(draft)) => Ok(draft.body.to_string()),
        Err(refusal) => Err(refusal.text("join")),
    }
}

#[test]
fn arguments_are_checked_one_by_one() {
    let method = join("list:{id}", vec![parameter("id", "string")], None);
    let exception = "An unexpected error occurred invoking 'join' on the server. HubException: ";
    let long = "x".repeat(129);
    let cases: [(Vec<Value<'static>>, &str); 10] = [
        (
            vec![],
            "Failed to invoke 'join' due to an error on the server. InvalidDataException: Invocation provides 0 argument(s) but target expects 1.",
        ),
        (
            vec![Value::from("a"), Value::from("b")],
            "InvalidDataException: Invocation provides 2 argument(s) but target expects 1.",
        ),
        (vec![Value::Null], "HubException: `id` must not be null."),
        (vec![Value::from("")], "HubException: `id` must not be blank."),
        (vec![Value::from(" \u{a0}\t")], "HubException: `id` must not be blank."),
        (vec![Value::Int(7)], "HubException: `id` must be a string, not an integer."),
        (vec![Value::Array(vec![])], "HubException: `id` must be a string, not a list."),
        (vec![Value::map([("a", Value::Null)])], "HubException: `id` must be a string, not an object."),
        (vec![Value::from("a\nb")], "HubException: `id` must not hold control characters."),
        (vec![Value::from(long)], "HubException: `id` is longer than 128 characters."),
    ];
    for (arguments, text) in cases {
        let error = called(&method, &[], arguments).expect_err(text);
        assert!(error.ends_with(text) && (error.starts_with(exception) || !text.starts_with("Hub")), "{error}");
    }
    assert_eq!(called(&method, &[], vec![Value::from("7")]), Ok("list:7".to_owned()));
    let wide = "\u{1F600}".repeat(128);
    assert_eq!(called(&method, &[], vec![Value::from(wide.clone())]), Ok(format!("list:{wide}")));
}

#[test]
fn every_kind_takes_its_own() {
    let number = |value| Value::Float(value);
    let cases: [(&str, Vec<Value<'static>>, Vec<Value<'static>>); 5] = [
        ("integer", vec![Value::Int(-1), Value::UInt(u64::MAX)], vec![number(1.5), Value::from("1"), Value::Null]),
        ("number", vec![Value::Int(1), number(1.5)], vec![number(f64::NAN), Value::from("1")]),
        ("boolean", vec![Value::Bool(true)], vec![Value::Int(1), Value::Null]),
        ("object", vec![Value::map([("a", Value::Null)])], vec![Value::Array(vec![]), Value::Null]),
        ("any", vec![Value::Null, Value::Array(vec![]), number(f64::NAN)], vec![]),
    ];
    for (kind, good, bad) in cases {
        let method = join("all", vec![parameter("x", kind)], None);
        for value in good {
            assert_eq!(called(&method, &[], vec![value.clone()]), Ok("all".to_owned()), "{kind} {value:?}");
        }
        for value in bad {
            assert!(called(&method, &[], vec![value.clone()]).is_err(), "{kind} {value:?}");
        }
    }
}

#[test]
fn a_group_is_made_of_arguments_and_claims() {
    let parameters = || vec![parameter("id", "string"), parameter("page", "integer")];
    for (template, expected) in [
        ("deployment-{0}", Ok("deployment-7")),
        ("{id}/{1}", Ok("7/3")),
        ("draft:{org}/{user}/{id}", Ok("draft:acme/alice/7")),
        ("all-deployments", Ok("all-deployments")),
        ("{realm}", Err("HubException: The caller has no realm.")),
    ] {
        let found = called(&join(template, parameters(), None), &[], vec![Value::from("7"), Value::Int(3)]);
        match expected {
            Ok(group) => assert_eq!(found.as_deref(), Ok(group), "{template}"),
            Err(text) => assert!(found.expect_err(template).ends_with(text), "{template}"),
        }
    }
}

#[test]
fn a_condition_is_over_roles_and_claims() {
    let parameters = vec![parameter("orgId", "string")];
    let org = Template::parse("{orgId}", Names(&parameters)).expect("a template");
    let allow = Allow { roles: Some(["manager".to_owned()].into()), claims: [(Claim::Org, org)].into() };
    let method = join("org:{orgId}", parameters, Some(allow));
    let refused = Err("Failed to invoke 'join' because user is unauthorized".to_owned());
    assert_eq!(called(&method, &["manager"], vec![Value::from("acme")]), Ok("org:acme".to_owned()));
    assert_eq!(called(&method, &["manager"], vec![Value::from("globex")]), refused);
    assert_eq!(called(&method, &["user"], vec![Value::from("acme")]), refused);
    assert!(method.allows_roles(&["manager".to_owned()]) && !method.allows_roles(&[]));
}

#[test]
fn someone_who_named_an_org_is_of_both_and_nobody_is_of_none() {
    let root = claims("root", "platform", &["superadmin"], "s", 1);
    let root = Identity::new(Arc::new(root), Some("acme"), |_| true).expect("an identity");
    let caller = Caller { identity: Some(&root), roles: &[] };
    assert!(caller.has(Claim::Org, "acme") && caller.has(Claim::Org, "platform") && !caller.has(Claim::Org, "globex"));
    let nobody = Caller { identity: None, roles: &[] };
    let realm = Template::parse("{realm}", Names(&[])).expect("a template");
    let given = Given::read(&[], Vec::new()).expect("nothing");
    let allow = Allow { roles: None, claims: [(Claim::Realm, realm)].into() };
    assert!(!allow.holds(nobody, &given), "what is missing on both sides is no match");
}

#[test]
fn templates_name_what_there_is() {
    let parameters = [parameter("listId", "string"), parameter("metrics", "object")];
    for (template, message, help) in [
        ("list:{listID}", "the method knows no `{listID}`", Some("did you mean `listId`?")),
        ("list:{2}", "the method knows no `{2}`", Some("known: listId, metrics, user, org, session, realm")),
        ("m:{metrics}", "`{metrics}` is an object and cannot be part of a text", None),
        ("list:{", "a `{` has no partner", None),
    ] {
        let error = GroupRule::parse(template, Names(&parameters)).expect_err(template);
        assert!(error.to_string().contains(message), "{error}");
        assert!(help.is_none() || error.help().as_deref() == help, "{:?}", error.help());
    }
}

#[test]
fn a_question_keeps_values_inside_their_segments() {
    let parameters = [parameter("id", "string")];
    let question = |path| Question::new("lists".into(), "https://lists.example", path, Names(&parameters), true);
    let alice = alice();
    let caller = Caller { identity: Some(&alice), roles: &[] };
    let group = GroupTemplate::parse("list:{id}").expect("a template").name(&["7/8"]).expect("a name");
    let url = |path, id: &str| {
        let given = Given::read(&parameters, vec![Value::from(id.to_owned())]).expect("sound");
        question(path).expect("a question").url(caller, &given, "/hubs/a", Some(&group))
    };
    for (path, id, expected) in [
        ("/users/{user}/lists/{id}/access", "7", "https://lists.example/users/alice/lists/7/access"),
        ("/lists/{id}", "../admin?x=#%2e", "https://lists.example/lists/..%2Fadmin%3Fx%3D%23%252e"),
        ("/lists/{id}", "a\u{e9} b", "https://lists.example/lists/a%C3%A9%20b"),
        ("/{hub}/{group}", "7", "https://lists.example/%2Fhubs%2Fa/list%3A7%2F8"),
        ("/v{id}", "..", "https://lists.example/v.."),
        ("", "7", "https://lists.example"),
    ] {
        let url = url(path, id).expect("a URL");
        assert_eq!(url, expected);
        let parsed = reqwest::Url::parse(&url).expect("a URL");
        let segments = parsed.path_segments().map_or(0, Iterator::count);
        assert_eq!(segments, path.matches('/').count().max(1), "{url} is read as {parsed}");
    }
    for dots in [".", ".."] {
        assert!(url("/lists/{id}", dots).is_err(), "{dots}");
    }
    let error = question("/{idd}").expect_err("an unknown name");
    assert_eq!(error.help().as_deref(), Some("did you mean `id`?"));
}

#[test]
fn an_event_is_made_of_arguments_with_their_types() {
    let parameters = vec![parameter("orgId", "string"), parameter("metrics", "object"), parameter("count", "integer")];
    let names = Names(&parameters);
    let (event, spot) = ("analytics.DashboardUpdate".into(), Spot { file: Path::new("x").into(), line: 1, column: 1 });
    let field = |name: &str, text: &str| Field {
        name: name.into(),
        spot: spot.clone(),
        shape: Shape::template(text, names).expect("a template"),
    };
    let fields = [
        field("org", "{orgId}"),
        field("metrics", "{metrics}"),
        field("count", "{2}"),
        field("by", "{user}"),
        field("text", "{count} of {org}"),
        field("plain", "{{x}}"),
    ];
    let action = Action::Publish(PublishRule { event, spot: spot.clone(), fields: fields.into() });
    let authorization = Authorization::default();
    let method = Declared { name: "M".into(), parameters: parameters.clone().into(), authorization, action };
    let metrics = Value::map([("hits", Value::Int(7)), ("none", Value::Null)]);
    let found = called(&method, &[], vec![Value::from("acme"), metrics, Value::Int(3)]).expect("an event");
    let expected =
        r#"{"org":"acme","metrics":{"hits":7,"none":null},"count":3,"by":"alice","text":"3 of acme","plain":"{x}"}"#;
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    assert_eq!(parsed(&found), parsed(expected));
}
