//! The content of good tokens.

// A failing helper should end the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use fanfare_event::{Id, TypeName, TypePattern};
use fanfare_token::{
    Audience, ClaimName, ClaimNames, ConfigError, Dropped, IssuerConfig, Keys, NewToken, TokenError, Verifier,
    VerifierOptions,
};
use serde_json::{Value, json};
use support::{AUDIENCE, ISSUER, NOW, PRODUCERS, claims, config, fixed_keys, key, token, verifier, verify, with};

fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

fn claim(name: &str) -> ClaimName {
    ClaimName::parse(name).unwrap()
}

fn patterns(texts: &[&str]) -> Vec<TypePattern> {
    texts.iter().map(|text| TypePattern::parse(text).unwrap()).collect()
}

#[tokio::test]
async fn every_claim_is_read() {
    let claims = verify(&token(&claims())).await.unwrap();
    assert_eq!((&*claims.issuer, claims.realm.as_deref()), (ISSUER, None));
    assert_eq!(
        (claims.user.as_str(), claims.org.as_ref(), claims.session.as_ref()),
        ("alice", Some(&id("acme")), Some(&id("s-1")))
    );
    assert_eq!(claims.roles, ["user", "admin"]);
    assert!(claims.has_role("admin") && !claims.has_role("superadmin"));
    assert_eq!((claims.issued_at, claims.expires_at), (NOW - 60, NOW + 840));
    assert_eq!(claims.publish, None);
}

#[tokio::test]
async fn org_session_and_roles_may_be_absent() {
    for claim in ["org", "sid", "roles"] {
        assert!(verify(&token(&with(claim, Value::Null))).await.is_ok(), "{claim}");
    }
    let mut bare = with("org", Value::Null);
    bare["sid"] = Value::Null;
    bare["roles"] = Value::Null;
    let claims = verify(&token(&bare)).await.unwrap();
    assert_eq!((&claims.org, &claims.session, claims.roles.len()), (&None, &None, 0));
}

#[tokio::test]
async fn one_role_may_be_a_plain_string() {
    assert_eq!(verify(&token(&with("roles", json!("admin")))).await.unwrap().roles, ["admin"]);
}

#[tokio::test]
async fn names_that_no_role_can_have_are_dropped_and_counted() {
    let guid = "0b9c1b0e-5d0a-4f5b-9c6d-1234567890ab";
    let verifier = verifier();
    let roles = json!(["admin", "", "a/b", "admin", "two words", "x".repeat(257), "a\nb", true, 7, guid, "Tasks.Read"]);
    let claims = verifier.verify_at(&token(&with("roles", roles)), Audience::User, NOW).await.unwrap();
    assert_eq!(claims.roles, ["admin", "a/b", "two words", "7", guid, "Tasks.Read"]);
    assert_eq!(verifier.take_dropped(), Dropped { invalid: 4, not_of_issuer: 0 });
}

#[tokio::test]
async fn fractions_of_a_second_are_cut() {
    let mut fractions = claims();
    fractions["iat"] = json!(NOW as f64 - 60.25);
    fractions["exp"] = json!(NOW as f64 + 840.75);
    let claims = verify(&token(&fractions)).await.unwrap();
    assert_eq!((claims.issued_at, claims.expires_at), (NOW - 61, NOW + 840));
}

#[tokio::test]
async fn claim_names_can_be_configured() {
    let names = ClaimNames {
        user: claim("oid"),
        org: claim("tid"),
        roles: vec![claim("realm_access.roles"), claim("groups")],
        session: claim("https://example.com/session"),
        other: vec![("plan".into(), claim("https://example.com/plan")), ("teams".into(), claim("teams"))],
    };
    let issuer = IssuerConfig { claims: names, realm: Some("entra".into()), ..config(fixed_keys()) };
    let verifier = Verifier::new(vec![issuer], VerifierOptions::default()).unwrap();
    let mut other = with("sub", json!("not an id"));
    other["oid"] = json!("o-1");
    other["tid"] = json!("t-1");
    other["realm_access"] = json!({ "roles": ["editor"] });
    other["groups"] = json!(["editor", "g-7"]);
    other["https://example.com/plan"] = json!("pro");
    other["teams"] = json!([7, "red"]);
    other["https://example.com/session"] = json!("s-2");
    let claims = verifier.verify_at(&token(&other), Audience::User, NOW).await.unwrap();
    assert_eq!(
        (claims.user.as_str(), claims.org.as_ref(), claims.session.as_ref()),
        ("o-1", Some(&id("t-1")), Some(&id("s-2")))
    );
    assert_eq!((claims.roles.join(" "), claims.realm.as_deref()), ("editor g-7".to_owned(), Some("entra")));
    assert_eq!((claims.other.one("plan"), claims.other.values("teams").join(" ")), (Some("pro"), "7 red".to_owned()));
    assert_eq!((claims.other.one("teams"), claims.other.values("nothing").len()), (None, 0));
    let missing = verifier.verify_at(&token(&support::claims()), Audience::User, NOW).await;
    assert_eq!(missing, Err(TokenError::MissingClaim { claim: "oid".into() }));
}

#[tokio::test]
async fn issuers_are_kept_apart() {
    let other = IssuerConfig {
        issuer: "https://other.example".into(),
        keys: Keys::Static(vec![key(1).jwk()]),
        ..config(fixed_keys())
    };
    let verifier = Verifier::new(vec![config(fixed_keys()), other], VerifierOptions::default()).unwrap();
    let of_other = with("iss", json!("https://other.example"));
    let good = key(1).sign(&of_other).unwrap();
    assert_eq!(&*verifier.verify_at(&good, Audience::User, NOW).await.unwrap().issuer, "https://other.example");
    // A key is valid only for its own issuer.
    let cross = key(0).sign(&of_other).unwrap();
    assert_eq!(verifier.verify_at(&cross, Audience::User, NOW).await, Err(TokenError::UnknownKey));
}

#[tokio::test]
async fn a_producer_may_publish_what_its_token_lists() {
    let types = patterns(&["license.*"]);
    let new = NewToken::producer(ISSUER, PRODUCERS, &id("license"), &types, NOW, 600)
        .sources(["/services/license"])
        .orgs(["acme"]);
    let claims = verifier().verify_at(&key(0).sign(&new).unwrap(), Audience::Producer, NOW).await.unwrap();
    let publish = claims.publish.as_ref().unwrap();
    let [toggled, logged_out] =
        ["license.FlagToggled", "auth.UserLoggedOut"].map(|name| TypeName::parse(name).unwrap());
    assert!(publish.allows_type(&toggled) && !publish.allows_type(&logged_out));
    assert!(publish.allows_source("/services/license") && !publish.allows_source("/services/auth"));
    assert!(
        publish.allows_org(Some(&id("acme"))) && !publish.allows_org(Some(&id("globex"))) && !publish.allows_org(None)
    );
}

#[tokio::test]
async fn sources_and_orgs_default_to_any() {
    let new = NewToken::producer(ISSUER, PRODUCERS, &id("license"), &patterns(&["*"]), NOW, 600);
    let claims = verifier().verify_at(&key(0).sign(&new).unwrap(), Audience::Producer, NOW).await.unwrap();
    let publish = claims.publish.as_ref().unwrap();
    assert_eq!(
        (publish.sources.as_slice(), publish.orgs.as_slice()),
        (["*".to_owned()].as_slice(), ["*".to_owned()].as_slice())
    );
}

#[tokio::test]
async fn an_issuer_cannot_grant_more_than_its_cap() {
    let issuer = IssuerConfig { publish: Some(patterns(&["license.*"])), ..config(fixed_keys()) };
    let verifier = Verifier::new(vec![issuer], VerifierOptions::default()).unwrap();
    let new = NewToken::producer(ISSUER, PRODUCERS, &id("p"), &patterns(&["*"]), NOW, 600);
    let claims = verifier.verify_at(&key(0).sign(&new).unwrap(), Audience::Producer, NOW).await.unwrap();
    assert_eq!(claims.publish.as_ref().unwrap().types, patterns(&["license.*"]));
}

#[tokio::test]
async fn nobody_else_may_publish() {
    let verifier = verifier();
    let mut user = claims();
    user["roles"] = json!(["producer"]);
    user["publish"] = json!(["*"]);
    let as_user = token(&user);
    assert_eq!(verifier.verify_at(&as_user, Audience::User, NOW).await.unwrap().publish, None);
    assert_eq!(verifier.verify_at(&as_user, Audience::Producer, NOW).await, Err(TokenError::WrongAudience));
    user["aud"] = json!(PRODUCERS);
    let producer = token(&user);
    assert!(verifier.verify_at(&producer, Audience::Producer, NOW).await.unwrap().publish.is_some());
    assert_eq!(verifier.verify_at(&producer, Audience::User, NOW).await, Err(TokenError::WrongAudience));
    user["roles"] = json!(["admin"]);
    assert_eq!(verifier.verify_at(&token(&user), Audience::Producer, NOW).await.unwrap().publish, None);
    user["roles"] = json!(["producer"]);
    for (claim, value) in [
        ("publish", json!(["license.Flag*"])),
        ("publish", json!(7)),
        ("publish_sources", json!([""])),
        ("publish_orgs", json!(["a\nb"])),
    ] {
        let mut bad = user.clone();
        bad[claim] = value;
        let refused = verifier.verify_at(&token(&bad), Audience::Producer, NOW).await;
        let refused = refused.unwrap_err();
        assert!(matches!(&refused, TokenError::InvalidClaim { claim: at, .. } if at == claim), "{bad} {refused}");
    }
}

#[tokio::test]
async fn minted_tokens_verify() {
    let new =
        NewToken::user(ISSUER, AUDIENCE, &id("bob"), NOW, 900).org(&id("acme")).roles(["admin"]).session(&id("s-9"));
    let claims = verify(&key(0).sign(&new).unwrap()).await.unwrap();
    assert_eq!((claims.user.as_str(), claims.expires_at - claims.issued_at), ("bob", 900));
    assert_eq!((claims.roles.as_slice(), claims.session.as_ref()), (["admin".to_owned()].as_slice(), Some(&id("s-9"))));
}

#[tokio::test]
async fn a_verified_token_is_remembered_until_it_expires() {
    let verifier = verifier();
    let token = token(&claims());
    let first = verifier.verify_at(&token, Audience::User, NOW).await.unwrap();
    let second = verifier.verify_at(&token, Audience::User, NOW + 1).await.unwrap();
    assert!(Arc::ptr_eq(&first, &second), "it was verified twice");
    assert_eq!(verifier.verify_at(&token, Audience::Producer, NOW).await, Err(TokenError::WrongAudience));
    assert_eq!(verifier.verify_at(&token, Audience::User, NOW + 870).await, Err(TokenError::Expired));
    let options = VerifierOptions { cached_tokens: 0, ..VerifierOptions::default() };
    let forgetful = Verifier::new(vec![config(fixed_keys())], options).unwrap();
    let first = forgetful.verify_at(&token, Audience::User, NOW).await.unwrap();
    assert!(!Arc::ptr_eq(&first, &forgetful.verify_at(&token, Audience::User, NOW).await.unwrap()));
}

#[test]
fn wrong_configuration_is_reported() {
    let build = |issuers: Vec<IssuerConfig>| Verifier::new(issuers, VerifierOptions::default()).unwrap_err();
    let good = || config(fixed_keys());
    let issuer = || ISSUER.to_owned();
    assert_eq!(build(vec![]), ConfigError::NoIssuer);
    assert_eq!(build(vec![good(), good()]), ConfigError::DuplicateIssuer { issuer: issuer() });
    let same = IssuerConfig { producer_audience: AUDIENCE.into(), ..good() };
    assert_eq!(build(vec![same]), ConfigError::SameAudience { issuer: issuer(), audience: AUDIENCE.into() });
    let empty = IssuerConfig { audience: String::new(), ..good() };
    assert_eq!(build(vec![empty]), ConfigError::Empty { issuer: issuer(), field: "audience" });
    for url in ["", "auth.example/jwks", "file:///etc/passwd"] {
        let bad = ConfigError::BadUrl { issuer: issuer(), url: url.into() };
        assert_eq!(build(vec![config(Keys::Jwks(url.into()))]), bad);
    }
    assert_eq!(build(vec![config(Keys::Static(vec![]))]), ConfigError::NoKeys { issuer: issuer() });
    let mut short = key(0).jwk();
    // 1024 bits, all of them set.
    short.n = format!("{}w", "_".repeat(170));
    let bad = build(vec![config(Keys::Static(vec![short]))]);
    assert!(matches!(&bad, ConfigError::BadKey { reason, .. } if reason.contains("2048")), "{bad}");
    assert_eq!(build(vec![config(Keys::Jwks("http://127.0.0.1:1/jwks".into()))]), ConfigError::NoRuntime);
}
