//! Calls and what becomes of them.

use std::sync::Arc;

use super::*;
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
        authorization: Authorization { allow },
        action: Action::Join(rule),
    }
}

fn called(method: &Declared, roles: &[&str], arguments: Vec<Value<'static>>) -> Result<String, String> {
    let (alice, roles) = (alice(), roles.iter().map(ToString::to_string).collect::<Vec<_>>());
    let caller = Caller { identity: Some(&alice), roles: &roles };
    match method.check(caller, arguments) {
        Ok(Asked::Join(group) | Asked::Leave(group)) => Ok(group.to_string()),
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
    let error = called(&method, &[], vec![Value::from(wide)]).expect_err("a group's values are bounded in bytes");
    assert!(error.ends_with("HubException: A value of the group has more than 128 bytes."), "{error}");
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
