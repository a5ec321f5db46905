//! Calls and what becomes of them.

mod platforms;

use std::path::Path;
use std::sync::Arc;

use fanfare_signalr::Value;

use super::*;
use crate::document::Spot;
use crate::scene::claims;
use crate::vocabulary::Identity;

fn parameter(name: &str, kind: &str) -> Parameter {
    Parameter { name: name.into(), kind: ParameterKind::find(kind).expect("a kind"), words: Words::default() }
}

fn alice() -> Identity {
    Identity::new(Arc::new(claims("alice", "acme", &[], "s1", 1)), None, |_| false).expect("an identity")
}

fn join(template: &str, parameters: Vec<Parameter>, allow: Option<Allow>) -> Declared {
    let rule = GroupRule::parse(template, Names::new(&parameters)).expect("a group");
    let action = Action { does: Some((Deed::Join, [rule].into())), publish: None };
    Declared { authorization: Authorization { allow, ..Authorization::default() }, ..does(action, parameters) }
}

fn does(action: Action, parameters: Vec<Parameter>) -> Declared {
    Declared {
        name: "M".into(),
        parameters: parameters.into(),
        authorization: Authorization::default(),
        action,
        org: None,
        refused: Refused::Told,
        rates: Box::default(),
    }
}

fn called(method: &Declared, roles: &[&str], arguments: Vec<Value<'static>>) -> Result<String, String> {
    called_by(&alice(), method, roles, arguments)
}

fn called_by(
    who: &Identity,
    method: &Declared,
    roles: &[&str],
    arguments: Vec<Value<'static>>,
) -> Result<String, String> {
    let roles = roles.iter().map(ToString::to_string).collect::<Vec<_>>();
    let caller = Caller { identity: Some(who), roles: &roles };
    let own = match &method.refused {
        Refused::Words(words) => Some(&**words),
        _ => None,
    };
    let plan = method.check(caller, "/hubs/a", arguments).map(|checked| checked.plan.expect("no answer is needed"));
    let Plan { groups, draft } = plan.map_err(|refusal| refusal.text("join", own))?;
    let groups = groups.iter().map(|wanted| wanted.group.to_string()).collect::<Vec<_>>().join(" ");
    Ok(draft.map_or(groups, |draft| serde_json::to_string(&draft.body).expect("JSON")))
}

fn scope<'a>(who: Option<&'a Identity>, given: &'a Given) -> Scope<'a> {
    Scope::new(Caller { identity: who, roles: &[] }, given, "/hubs/a")
}

#[test]
fn arguments_are_checked_one_by_one() {
    let method = join("list:{id}", vec![parameter("id", "string")], None);
    let exception = "An unexpected error occurred invoking 'join' on the server. HubException: ";
    let long = "x".repeat(129);
    let cases: [(Vec<Value<'static>>, &str); 11] = [
        (
            vec![],
            "Failed to invoke 'join' due to an error on the server. InvalidDataException: Invocation provides 0 argument(s) but target expects 1.",
        ),
        (
            vec![Value::from("a"), Value::from("b")],
            "InvalidDataException: Invocation provides 2 argument(s) but target expects 1.",
        ),
        (vec![Value::Null], "HubException: `id` must not be null."),
        (vec![Value::from("")], "HubException: A value of the group must not be blank."),
        (vec![Value::from(" \u{a0}")], "HubException: A value of the group must not be blank."),
        (vec![Value::Int(7)], "HubException: `id` must be a string, not an integer."),
        (vec![Value::Array(vec![])], "HubException: `id` must be a string, not a list."),
        (vec![Value::map([("a", Value::Null)])], "HubException: `id` must be a string, not an object."),
        (vec![Value::from("a\nb")], "HubException: A value of the group must not hold control characters."),
        (
            vec![Value::from("a\u{7}b")],
            "HubException: `id` must not hold control characters other than line breaks and tabs.",
        ),
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

/// What .NET writes for a `DateTimeOffset` in MessagePack.
fn with_offset(minutes: i64) -> Value<'static> {
    Value::Array(vec![Value::timestamp_millis(1_767_323_045_000), Value::Int(minutes)])
}

/// A text area sends line breaks and tabs, and may be empty; an argument that says so takes neither.
#[test]
fn a_text_is_filled_from_its_argument() {
    let text = |rules: Text| Parameter { kind: ParameterKind::String(rules), ..parameter("text", "string") };
    let given = |rules: Text, value: &str| Given::read(&[text(rules)], vec![Value::from(value.to_owned())]);
    let plain = Text::default();
    for fine in ["", "two\nlines\r\n\tindented", " "] {
        assert!(given(plain, fine).is_ok(), "{fine:?}");
    }
    let single = Text { single_line: true, ..plain };
    assert!(given(single, "one line").is_ok() && given(single, "").is_ok());
    let refused = |rules, value: &str| given(rules, value).unwrap_err().to_string();
    for broken in ["a\nb", "a\tb"] {
        assert_eq!(refused(single, broken), "`text` must be a single line without tabs and other control characters.");
    }
    assert_eq!(refused(Text { required: true, ..plain }, " \n"), "`text` must not be blank.");
    assert!(refused(plain, "a\u{1b}[0m").contains("other than line breaks and tabs"));
}

#[test]
fn an_error_names_what_came_and_what_is_taken() {
    let refused = |kind: &str, value| {
        let refusal = Given::read(&[parameter("x", kind)], vec![value]).unwrap_err();
        refusal.to_string()
    };
    for (kind, value, message) in [
        ("number", Value::Float(f64::NAN), "`x` must be a number; what came is not-a-number (NaN)."),
        ("number", Value::Float(f64::NEG_INFINITY), "`x` must be a number; what came is infinite."),
        ("integer", Value::Float(1.5), "`x` must be an integer, not a number with a fraction."),
        ("boolean", with_offset(0), "`x` must be a boolean, not a timestamp with its offset."),
        ("number", Value::from("abc"), "`x` must be a number, not a string."),
    ] {
        assert_eq!(refused(kind, value), message);
    }
}

#[test]
fn every_kind_takes_its_own() {
    let number = |value| Value::Float(value);
    let cases: [(&str, Vec<Value<'static>>, Vec<Value<'static>>); 7] = [
        (
            "integer",
            vec![Value::Int(-1), Value::UInt(u64::MAX), number(7.0), Value::from("-7")],
            vec![number(1.5), number(f64::INFINITY), Value::from("1.5"), Value::from("x"), Value::Null],
        ),
        (
            "number",
            vec![Value::Int(1), number(1.5), Value::from("12.340")],
            vec![number(f64::NAN), Value::from("1e3"), Value::from(""), Value::Null],
        ),
        (
            "time",
            vec![
                Value::timestamp_millis(5),
                with_offset(60),
                Value::from("2026-01-02T03:04:05.1234567+01:00"),
                Value::from("2026-01-02T03:04:05"),
            ],
            vec![Value::from("yesterday"), Value::Int(5), with_offset(841), Value::Null],
        ),
        ("bytes", vec![Value::binary(vec![1_u8]), Value::from("AQ==")], vec![Value::from("A"), Value::Int(1)]),
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
    let org = Template::parse("{orgId}", Names::new(&parameters)).expect("a template");
    let roles = Some(["manager".to_owned()].into());
    let condition = Condition { roles, claims: [(Claim::Org, org)].into(), other: Box::default() };
    let allow = Allow { conditions: [condition].into() };
    let method = join("org:{orgId}", parameters, Some(allow));
    let refused = Err("Failed to invoke 'join' because user is unauthorized".to_owned());
    assert_eq!(called(&method, &["manager"], vec![Value::from("acme")]), Ok("org:acme".to_owned()));
    assert_eq!(called(&method, &["manager"], vec![Value::from("globex")]), refused);
    assert_eq!(called(&method, &["user"], vec![Value::from("acme")]), refused);
    let given = Given::read(&method.parameters, vec![Value::from("acme")]).expect("sound");
    let met = method.authorization.allow.as_ref().expect("a condition").met(scope(Some(&alice()), &given));
    assert!(method.allows_roles(met, &["manager".to_owned()]) && !method.allows_roles(met, &[]));
}

#[test]
fn a_connection_that_named_an_org_has_both_and_every_connection_has_one() {
    let root = claims("root", "platform", &["superadmin"], "s", 1);
    let root = Identity::new(Arc::new(root), Some("acme"), |_| true).expect("an identity");
    let caller = Caller { identity: Some(&root), roles: &[] };
    assert!(caller.has(Claim::Org, "acme") && caller.has(Claim::Org, "platform") && !caller.has(Claim::Org, "globex"));
    let nobody = Caller { identity: None, roles: &[] };
    let realm = Template::parse("{realm}", Names::new(&[])).expect("a template");
    let given = Given::read(&[], Vec::new()).expect("nothing");
    let condition = Condition { claims: [(Claim::Realm, realm)].into(), ..Condition::default() };
    let allow = Allow { conditions: [condition].into() };
    let met = allow.met(Scope::new(nobody, &given, "/hubs/a"));
    assert!(!allow.allows(met, &[]), "what is missing on both sides is no match");
}

#[test]
fn templates_name_what_there_is() {
    let parameters = [parameter("listId", "string"), parameter("metrics", "object")];
    for (template, message, help) in [
        ("list:{listID}", "the method knows no `{listID}`", Some("did you mean `listId`?")),
        (
            "list:{2}",
            "the method knows no `{2}`",
            Some("known: listId, metrics, user, org, session, realm, claim.NAME"),
        ),
        ("m:{metrics}", "`{metrics}` is an object and cannot be part of a text", None),
        ("list:{", "a `{` has no partner", None),
    ] {
        let error = GroupRule::parse(template, Names::new(&parameters)).expect_err(template);
        assert!(error.to_string().contains(message), "{error}");
        assert!(help.is_none() || error.help().as_deref() == help, "{:?}", error.help());
    }
}

#[test]
fn a_question_keeps_values_inside_their_segments() {
    let parameters = [parameter("id", "string")];
    let form = |path: &str| QuestionForm {
        authorizer: "lists".into(),
        origin: "https://lists.example".into(),
        path: path.into(),
        post: false,
        body: None,
        again: None,
    };
    let question = |path| Question::new(&form(path), Names::new(&parameters), true);
    let alice = alice();
    let group = GroupTemplate::parse("list:{id}").expect("a template").name(&["7/8"]).expect("a name");
    let url = |path, id: &str| {
        let given = Given::read(&parameters, vec![Value::from(id.to_owned())]).expect("sound");
        let scope = Scope { group: Some(&group), ..scope(Some(&alice), &given) };
        question(path).expect("a question").ask(scope).map(|asking| asking.url)
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
    for dots in [".", "..", ""] {
        assert!(url("/lists/{id}", dots).is_err(), "{dots}");
    }
    let error = question("/{idd}").expect_err("an unknown name");
    assert_eq!(error.help().as_deref(), Some("did you mean `id`?"));
}

#[test]
fn an_event_is_made_of_arguments_with_their_types() {
    let parameters = vec![parameter("orgId", "string"), parameter("metrics", "object"), parameter("count", "integer")];
    let names = Names::new(&parameters);
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
    let publish = Some(PublishRule { event, spot: spot.clone(), fields: fields.into() });
    let method = does(Action { does: None, publish }, parameters.clone());
    let metrics = Value::map([("hits", Value::Int(7)), ("none", Value::Null)]);
    let found = called(&method, &[], vec![Value::from("acme"), metrics, Value::Int(3)]).expect("an event");
    let expected =
        r#"{"org":"acme","metrics":{"hits":7,"none":null},"count":3,"by":"alice","text":"3 of acme","plain":"{x}"}"#;
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    assert_eq!(parsed(&found), parsed(expected));
}

/// What is published is what was sent, in either protocol.
#[test]
fn what_clients_write_for_their_types_reaches_the_event() {
    use fanfare_event::{Registry, Value as Read};
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("calls")).expect("a folder in it");
    let schema = r#"{"type": "record", "name": "Called", "fields": [{"name": "org", "type": "string", "default": "acme"},
        {"name": "raw", "type": "bytes", "default": ""}, {"name": "text", "type": "string", "default": ""},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}, "default": 0},
        {"name": "there", "type": {"type": "long", "logicalType": "local-timestamp-millis"}, "default": 0},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}, "default": 0},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}, "default": ""},
        {"name": "ratio", "type": "double", "default": 0}, {"name": "count", "type": "int", "default": 0},
        {"name": "free", "type": "string", "default": "{}", "fanfare.json": true}]}"#;
    std::fs::write(folder.path().join("calls/Called.v1.avsc"), schema).expect("a file in that");
    let registry = Registry::load(folder.path()).expect("a registry");
    let published = |field: &str, value: Value<'static>| {
        let parameters = [parameter("x", "any")];
        let spot = Spot { file: Path::new("x").into(), line: 1, column: 1 };
        let shape = Shape::template("{x}", Names::new(&parameters)).expect("a template");
        let fields = [Field { name: field.into(), spot: spot.clone(), shape }].into();
        let rule = PublishRule { event: "calls.Called".into(), spot, fields };
        let given = Given::read(&parameters, vec![value]).expect("any value");
        let draft = rule.draft(scope(None, &given)).expect("a draft");
        let body = registry.event_type("calls.Called").expect("its type").encode_call(None, &draft.body)?;
        Ok(registry.decode(&body).expect("a record").get(field).expect("the field").clone())
    };
    let raw = Read::Bytes([0, 255, 16][..].into());
    let text = |text: &str| Read::String(text.into());
    for (field, value, expected) in [
        ("raw", Value::binary(vec![0_u8, 255, 16]), raw.clone()),
        ("raw", Value::from("AP8Q"), raw),
        ("text", Value::binary(vec![0_u8, 255, 16]), text("AP8Q")),
        ("at", Value::timestamp_millis(1500), Read::Int(1500)),
        ("at", with_offset(60), Read::Int(1_767_319_445_000)),
        ("at", Value::from("2026-01-02T03:04:05.6789012+01:00"), Read::Int(1_767_319_445_678)),
        ("at", Value::from("2026-01-02T03:04:05"), Read::Int(1_767_323_045_000)),
        ("there", with_offset(60), Read::Int(1_767_323_045_000)),
        ("there", Value::from("2026-01-02T03:04:05+01:00"), Read::Int(1_767_323_045_000)),
        ("day", Value::timestamp_millis(1_767_323_045_000), Read::Int(20_455)),
        ("day", Value::from("2026-01-02"), Read::Int(20_455)),
        ("day", Value::from("2026-01-02T23:00:00-05:00"), Read::Int(20_455)),
        ("price", Value::from("12.5"), text("12.50")),
        ("price", Value::Float(12.34), text("12.34")),
        ("ratio", Value::from("0.25"), Read::Float(0.25)),
        ("count", Value::Float(7.0), Read::Int(7)),
        ("count", Value::from("7"), Read::Int(7)),
    ] {
        let found: Result<Read, fanfare_event::JsonMismatch> = published(field, value.clone());
        assert_eq!(found, Ok(expected), "{field} {value:?}");
    }
    let free = Value::map([("at", Value::timestamp_millis(0)), ("raw", Value::binary(vec![1_u8])), ("n", Value::Null)]);
    let found = serde_json::to_value(published("free", free).expect("any JSON")).expect("JSON");
    assert_eq!(found, serde_json::json!({"at": "1970-01-01T00:00:00.000Z", "raw": "AQ==", "n": null}));
    for (field, value, is) in [
        ("ratio", Value::Float(f64::NAN), "not-a-number (NaN)"),
        ("at", Value::Array(vec![]), "an array"),
        ("raw", Value::from("%%"), "a string that is not base64"),
        ("count", Value::Float(7.5), "a number with a fraction or an exponent"),
        ("price", Value::from("1.234"), "a number with more than 2 digits after the point"),
    ] {
        let error: fanfare_event::JsonMismatch = published(field, value).expect_err(field);
        assert_eq!((error.field.as_str(), error.found.as_str()), (field, is));
    }
}
