//! What platforms need of methods: lists, own words, any claim, several conditions, questions.

use std::path::Path;
use std::sync::Arc;

use fanfare_signalr::Value;

use super::super::*;
use super::{alice, called, called_by, does, join, parameter, scope};
use crate::document::Spot;
use crate::scene::claims;
use crate::vocabulary::Identity;

#[test]
fn a_uuid_is_one_value_in_every_notation() {
    let method = join("list:{id}", vec![parameter("id", "uuid")], None);
    let id = "d355c24f-8b11-4c5a-a4e7-1a2b3c4d5e6f";
    for form in [id, "D355C24F-8B11-4C5A-A4E7-1A2B3C4D5E6F", "d355c24f8b114c5aa4e71a2b3c4d5e6f"] {
        assert_eq!(called(&method, &[], vec![Value::from(form)]), Ok(format!("list:{id}")), "{form}");
    }
    for other in [Value::from("7"), Value::from(""), Value::Int(7), Value::binary(vec![0_u8; 16])] {
        let error = called(&method, &[], vec![other]).expect_err("no UUID");
        assert!(error.contains("HubException: `id` must be a UUID (such as "), "{error}");
    }
}

#[test]
fn an_argument_has_its_own_text_for_each_fault() {
    let words = |null: &str, blank: &str| Words { null: Some(null.into()), blank: Some(blank.into()), other: None };
    let kind = ParameterKind::String(Text { required: true, ..Text::default() });
    let id = Parameter { name: "id".into(), kind, words: words("It cannot be null.", "It cannot be blank.") };
    let method = join("deployment-{id}", vec![id], None);
    for (arguments, told) in [
        (vec![], "HubException: It cannot be null."),
        (vec![Value::Null], "HubException: It cannot be null."),
        (vec![Value::from("")], "HubException: It cannot be blank."),
        (vec![Value::from(" \t")], "HubException: It cannot be blank."),
        (vec![Value::Int(7)], "HubException: `id` must be a string, not an integer."),
        (vec![Value::from("a"), Value::Null], "Invocation provides 2 argument(s) but target expects 1."),
    ] {
        let error = called(&method, &[], arguments).expect_err(told);
        assert!(error.ends_with(told), "{error}");
    }
}

fn list_of(kind: &str, max: usize) -> Parameter {
    let item = ParameterKind::find(kind).expect("a kind");
    Parameter { kind: ParameterKind::List(Box::new(ListOf { item, max, required: false })), ..parameter("ids", "any") }
}

#[test]
fn a_list_spreads_to_a_group_for_each_item_within_bounds() {
    let ids = |count: i64| vec![Value::Array((0..count).map(Value::Int).collect())];
    let method = join("list:{ids}", vec![list_of("integer", 300)], None);
    assert_eq!(called(&method, &[], ids(3)), Ok("list:0 list:1 list:2".to_owned()));
    for (arguments, told) in [
        (ids(301), "`ids` has more than 300 items."),
        (ids(257), "A call names 256 groups at most."),
        (ids(0), "An argument is no text, or an empty list."),
        (vec![Value::Array(vec![Value::Int(1), Value::from("x")])], "`ids[1]` must be an integer, not a string."),
        (vec![Value::Int(1)], "`ids` must be a list, not an integer."),
    ] {
        let error = called(&method, &[], arguments).expect_err(told);
        assert!(error.ends_with(told), "{error}");
    }
}

/// Carol of acme, whose token says more.
fn carol() -> Identity {
    let values = |values: &[&str]| values.iter().map(ToString::to_string).collect::<Vec<_>>();
    let other = [("teams".into(), values(&["red", "7"])), ("plan".into(), values(&["pro"]))].into_iter().collect();
    let claims = fanfare_token::Claims { other, ..claims("carol", "acme", &[], "s1", 1) };
    Identity::new(Arc::new(claims), None, |_| false).expect("an identity")
}

#[test]
fn any_claim_fills_groups_and_events_and_a_list_expands() {
    let method = join("team:{claim.teams}/{claim.plan}", vec![], None);
    assert_eq!(called_by(&carol(), &method, &[], vec![]), Ok("team:red/pro team:7/pro".to_owned()));
    assert_eq!(method.claims().collect::<Vec<_>>(), ["teams", "plan"]);
    let error = called(&method, &[], vec![]).expect_err("no such claim");
    assert!(error.ends_with("HubException: The caller has no teams."), "{error}");
    let spot = Spot { file: Path::new("x").into(), line: 1, column: 1 };
    let event = |shape| {
        let fields = [Field { name: "f".into(), spot: spot.clone(), shape }].into();
        does(
            Action { does: None, publish: Some(PublishRule { event: "a.B".into(), spot: spot.clone(), fields }) },
            vec![],
        )
    };
    let template = |text: &str| Shape::template(text, Names::new(&[])).expect("a template");
    let all = event(Shape::List([template("{claim.teams}"), template("{claim.plan}")].into()));
    assert_eq!(called_by(&carol(), &all, &[], vec![]), Ok(r#"{"f":["red","7","pro"]}"#.to_owned()));
    let error = called_by(&carol(), &event(template("{claim.teams}")), &[], vec![]).expect_err("several");
    assert!(error.ends_with("The caller's claim teams has several values."), "{error}");
}

#[test]
fn one_of_several_conditions_is_enough_and_roles_are_those_of_the_one_that_was_met() {
    let parameters = vec![parameter("orgId", "string")];
    let template = |text: &str| Template::parse(text, Names::new(&parameters)).expect("a template");
    let own = Condition { claims: [(Claim::Org, template("{orgId}"))].into(), ..Condition::default() };
    let roles = Some(["superadmin".to_owned()].into());
    let any = Condition { roles, ..Condition::default() };
    let plan = [OneOf { claim: "plan".into(), values: [template("pro"), template("team")].into() }].into();
    let paid = Condition { other: plan, ..Condition::default() };
    let method = join("org:{orgId}", parameters.clone(), Some(Allow { conditions: [own, any, paid].into() }));
    let by =
        |who: &Identity, roles: &[&str], org: &str| called_by(who, &method, roles, vec![Value::from(org.to_owned())]);
    assert!(by(&alice(), &[], "acme").is_ok() && by(&alice(), &[], "globex").is_err());
    assert!(by(&alice(), &["superadmin"], "globex").is_ok() && by(&carol(), &[], "globex").is_ok());
    let given = Given::read(&parameters, vec![Value::from("globex")]).expect("sound");
    let met = method.authorization.allow.as_ref().expect("conditions").met(scope(Some(&alice()), &given));
    assert!(method.allows_roles(met, &["superadmin".to_owned()]) && !method.allows_roles(met, &["user".to_owned()]));
}

#[test]
fn a_declared_text_explains_only_who_may_not_call() {
    let condition = Condition { roles: Some(["editor".to_owned()].into()), ..Condition::default() };
    let method = join("list:{id}", vec![parameter("id", "string")], Some(Allow { conditions: [condition].into() }));
    let method = Declared { refused: Refused::Words("Access denied".into()), ..method };
    let error = called(&method, &[], vec![Value::from("7")]).expect_err("no role");
    assert_eq!(error, "An unexpected error occurred invoking 'join' on the server. HubException: Access denied");
    assert!(called(&method, &["editor"], vec![Value::Null]).expect_err("null").ends_with("`id` must not be null."));
}

#[test]
fn a_list_in_a_question_is_asked_item_by_item_and_a_body_holds_all_of_it() {
    let parameters = [list_of("string", 10), parameter("n", "integer")];
    let form = |path: &str, body| QuestionForm {
        authorizer: "lists".into(),
        origin: "https://a".into(),
        path: path.into(),
        post: true,
        body: Some(body),
        again: None,
    };
    let asked = |path: &str, body: serde_json::Value| {
        let question = Question::new(&form(path, body), Names::new(&parameters), true).expect("a question");
        let method = join("list:{ids}", parameters.to_vec(), None);
        let authorization = Authorization { authorizer: Some(question), ..Authorization::default() };
        let method = Declared { authorization, ..method };
        let alice = alice();
        let caller = Caller { identity: Some(&alice), roles: &[] };
        let ids = Value::Array(vec![Value::from("a"), Value::from("b/c")]);
        let checked = method.check(caller, "/hubs/a", vec![ids, Value::Int(7)]).expect("sound");
        let shares: Vec<usize> = checked.plan.expect("a plan").groups.iter().map(|wanted| wanted.share).collect();
        let each = checked.shares.iter().map(|share| share.asking.as_ref().expect("a question"));
        let told = each.map(|asking| format!("{} {}", asking.url, asking.body.as_deref().unwrap_or("")));
        (told.collect::<Vec<_>>(), shares)
    };
    let all =
        asked("/access", serde_json::json!({ "user": "{user}", "lists": "{ids}", "n": "{n}", "fixed": [1, true] }));
    let body = r#"{"fixed":[1,true],"lists":["a","b/c"],"n":7,"user":"alice"}"#;
    assert_eq!(all, (vec![format!("https://a/access {body}")], vec![0, 0]));
    let each = asked("/{ids}", serde_json::json!(["{ids}"]));
    assert_eq!(each, (vec![r#"https://a/a ["a"]"#.to_owned(), r#"https://a/b%2Fc ["b/c"]"#.to_owned()], vec![0, 1]));
    let groups = asked("/{hub}", serde_json::json!("{group}"));
    assert_eq!(groups.0, [r#"https://a/%2Fhubs%2Fa "list:a""#, r#"https://a/%2Fhubs%2Fa "list:b/c""#]);
}

#[test]
fn what_an_authorizer_answers_makes_groups_of_the_same_call() {
    let form = QuestionForm {
        authorizer: "lists".into(),
        origin: "https://a".into(),
        path: "/{user}".into(),
        post: false,
        body: None,
        again: None,
    };
    let names = Names::new(&[]);
    let rule = GroupRule::parse("list:{answer.lists}", names.with_answers()).expect("a group");
    let question = Question::new(&form, names, true).expect("a question");
    let authorization = Authorization { authorizer: Some(question), ..Authorization::default() };
    let action = Action { does: Some((Deed::Join, [rule].into())), publish: None };
    let method = Declared { authorization, ..does(action, vec![]) };
    let alice = alice();
    let caller = Caller { identity: Some(&alice), roles: &[] };
    let checked = method.check(caller, "/hubs/a", vec![]).expect("sound");
    assert!(checked.plan.is_none() && checked.shares.len() == 1);
    let said = [("lists".into(), vec!["1".to_owned(), "2".to_owned()])].into_iter().collect();
    let planned = |answers: &[fanfare_token::OtherClaims]| {
        let plan = method.plan(Scope::new(caller, &checked.given, "/hubs/a"), &checked.shares, answers)?;
        Ok::<_, Refusal>(plan.groups.iter().map(|wanted| wanted.group.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(planned(&[said]), Ok(vec!["list:1".to_owned(), "list:2".to_owned()]));
    assert_eq!(planned(&[Default::default()]), Err(Refusal::NoAnswer("lists".to_owned())));
}
