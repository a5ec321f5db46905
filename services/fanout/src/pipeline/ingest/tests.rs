use fanfare_event::{Timestamp, TypeName, TypePattern};
use serde_json::json;

use super::*;

#[test]
fn to_a_client_what_the_broker_refuses_is_not_stored() {
    let refused = PublishError::Refused("no right to write to the topic events.system".to_owned());
    let told = for_client(refused.into());
    assert!(matches!(told, IngestError::Broker(PublishError::NotStored(_))), "{told:?}");
    let told = for_client(PublishError::Unknown("no answer".to_owned()).into());
    assert!(matches!(told, IngestError::Broker(PublishError::Unknown(_))), "{told:?}");
}

fn attributes(event_type: &str, source: &str) -> Attributes {
    Attributes {
        id: "1".to_owned(),
        source: source.to_owned(),
        event_type: TypeName::parse(event_type).expect("a type"),
        time: Timestamp(0),
        subject: None,
        org: None,
        data_version: None,
        traceparent: None,
    }
}

fn permission(types: &[&str], sources: &[&str], orgs: &[&str]) -> Publish {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    let types = types.iter().map(|text| TypePattern::parse(text).expect("a pattern")).collect();
    Publish { types, sources: texts(sources), orgs: texts(orgs), issuer_orgs: fanfare_token::NameList::any() }
}

#[test]
fn a_refusal_shows_what_is_allowed() {
    let limited = permission(&["license.*", "a.B"], &["license/*"], &["acme"]);
    let refused = |event_type, source| {
        permission::of_attributes(&attributes(event_type, source), &limited).map_err(|error| error.to_string())
    };
    assert_eq!(refused("license.FlagToggled", "license/eu"), Ok(()));
    assert!(
        refused("auth.UserLoggedOut", "license/eu").is_err_and(|told| told.contains("`publish` allows license.*, a.B"))
    );
    assert!(refused("a.B", "/other").is_err_and(|told| told.contains("`publish_sources` allows license/*")));
    let org = permission::of_org(None, &limited).expect_err("refused").to_string();
    assert!(org.contains("events of no org") && org.contains("`publish_orgs` allows acme"), "{org}");
    let issuer_orgs = fanfare_token::NameList::of(["globex".to_owned()]);
    let of_issuer = permission::of_org(Some(&Id::parse("acme").expect("an id")), &Publish { issuer_orgs, ..limited });
    let told = of_issuer.expect_err("refused").to_string();
    assert!(told.contains("events of org acme") && told.contains("`orgs` of its [[issuer]]"), "{told}");
}

#[test]
fn the_org_of_a_body_counts_before_its_fields() {
    let registry = Registry::builtin();
    let limited = permission(&["license.*"], &["*"], &["acme"]);
    let name = TypeName::parse("license.FlagToggled").expect("a type");
    for (body, allowed) in [
        (json!({"org": "acme", "nonsense": 1}), true),
        (json!({"org": "globex", "nonsense": 1}), false),
        (json!({"org_id": "globex"}), false),
        (json!({"org": 7}), true),
        (json!([]), true),
    ] {
        assert_eq!(permission::of_json(&registry, &name, &body, &limited).is_ok(), allowed, "{body}");
    }
}

#[test]
fn no_type_is_named_that_the_token_does_not_allow() {
    let limited = permission(&["license.*"], &["*"], &["*"]);
    let told = |error| permission::without_what_is_not_theirs(error, &limited).to_string();
    let unknown =
        |name: &str, near: &str| IngestError::UnknownType { name: name.into(), suggestion: Some(near.into()) };
    assert!(told(unknown("license.FlagTogled", "license.FlagToggled")).contains("did you mean"));
    assert!(!told(unknown("license.UserLoggedOut", "auth.UserLoggedOut")).contains("auth."));
    let other = IngestError::OtherType { said: "license.FlagToggled".into(), is: "auth.RolesChanged".into() };
    assert!(!told(other).contains("auth."));
}
