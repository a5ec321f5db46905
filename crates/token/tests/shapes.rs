//! Claims in the shapes that issuers use, what an issuer may name, and backdated tokens.

// A failing helper should end the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use fanfare_token::{
    Audience, ClaimKind, ClaimName, ClaimNames, Claims, Dropped, IssuerConfig, NameList, TokenError, Verifier,
    VerifierOptions,
};
use serde_json::{Value, json};
use support::{NOW, claims, config, fixed_keys, key, token, verify, with};

fn names(patterns: &[&str]) -> NameList {
    NameList::of(patterns.iter().map(ToString::to_string)).except(["superadmin".to_owned()])
}

fn verifier(change: impl FnOnce(&mut IssuerConfig)) -> Verifier {
    let mut issuer = config(fixed_keys());
    change(&mut issuer);
    Verifier::new(vec![issuer], VerifierOptions::default()).unwrap()
}

async fn of(verifier: &Verifier, claims: &Value) -> Result<Arc<Claims>, TokenError> {
    verifier.verify_at(&token(claims), Audience::User, NOW).await
}

#[tokio::test]
async fn ids_are_what_issuers_make_them() {
    for user in ["auth0|64f0c2", "_eNtra", "urn:acme:user:17", "anna+test@example.org", "j\u{fc}rgen", &"x".repeat(256)]
    {
        assert_eq!(verify(&token(&with("sub", json!(user)))).await.unwrap().user.as_str(), user);
    }
    let roles = ["read:alerts", "/admins", "tickets/approve", "Source.Admin", "Super Admin", &"x".repeat(71)];
    assert_eq!(verify(&token(&with("roles", json!(roles)))).await.unwrap().roles, roles);
    let numbers = with("sub", json!(17));
    assert_eq!(verify(&token(&numbers)).await.unwrap().user.as_str(), "17");
    assert_eq!(verify(&token(&with("org", json!(-3)))).await.unwrap().org.as_ref().unwrap().as_str(), "-3");
    assert_eq!(verify(&token(&with("roles", json!(u64::MAX)))).await.unwrap().roles, [u64::MAX.to_string()]);
}

#[tokio::test]
async fn roles_are_lists_words_or_the_keys_of_a_map() {
    let scp = |list: bool| {
        verifier(|issuer| {
            let name = ClaimName::parse("scp").unwrap();
            let roles = if list { name.separated_by_spaces() } else { name };
            issuer.claims = ClaimNames { roles: vec![roles], ..ClaimNames::default() };
        })
    };
    let words = with("scp", json!("tickets.read  tickets.write"));
    assert_eq!(of(&scp(true), &words).await.unwrap().roles, ["tickets.read", "tickets.write"]);
    assert_eq!(of(&scp(false), &words).await.unwrap().roles, ["tickets.read  tickets.write"]);
    let map = with("roles", json!({ "editor": { "org": "acme" }, "viewer": {} }));
    assert_eq!(verify(&token(&map)).await.unwrap().roles, ["editor", "viewer"]);
}

#[tokio::test]
async fn a_connection_chooses_one_of_several_orgs() {
    for (value, org, orgs) in [
        (json!(["acme"]), Some("acme"), vec![]),
        (json!({ "acme": { "id": "1" } }), Some("acme"), vec![]),
        (json!(["acme", "globex"]), None, vec!["acme", "globex"]),
        (json!({ "acme": {}, "globex": {} }), None, vec!["acme", "globex"]),
        (json!([]), None, vec![]),
    ] {
        let claims = verify(&token(&with("org", value.clone()))).await.unwrap();
        assert_eq!(claims.org.as_ref().map(|org| org.as_str()), org, "{value}");
        assert_eq!(claims.orgs.iter().map(|org| org.as_str()).collect::<Vec<_>>(), orgs, "{value}");
    }
}

#[tokio::test]
async fn what_cannot_be_used_refuses_no_token_by_itself() {
    for (claim, says, value) in [
        ("org", ClaimKind::Org, json!("a\nb")),
        ("org", ClaimKind::Org, json!(true)),
        ("org", ClaimKind::Org, json!([""])),
        ("sid", ClaimKind::Session, json!(["s"])),
        ("sid", ClaimKind::Session, json!("x".repeat(257))),
        ("roles", ClaimKind::Roles, json!(false)),
    ] {
        let claims = verify(&token(&with(claim, value.clone()))).await.unwrap();
        let [unusable] = &claims.unusable[..] else { panic!("{claim} = {value}: {:?}", claims.unusable) };
        assert_eq!((unusable.says, &*unusable.claim), (says, claim), "{value}");
    }
}

#[tokio::test]
async fn an_issuer_names_its_own_orgs_and_roles_alone() {
    let partner = verifier(|issuer| {
        issuer.orgs = names(&["acme", "tenant-*"]);
        issuer.roles = names(&["*"]);
    });
    assert!(of(&partner, &claims()).await.is_ok());
    assert!(of(&partner, &with("org", json!("tenant-7"))).await.is_ok());
    let refused = of(&partner, &with("org", json!("globex"))).await.unwrap_err();
    assert_eq!((refused.label(), refused.claim()), ("org_not_of_issuer", Some("org")));
    assert!(of(&partner, &with("org", Value::Null)).await.unwrap().org.is_none());
    let several = of(&partner, &with("org", json!(["acme", "globex"]))).await.unwrap();
    assert_eq!(several.org.as_ref().unwrap().as_str(), "acme");
    assert_eq!(partner.take_dropped(), Dropped { invalid: 0, not_of_issuer: 1 });
    let root = of(&partner, &with("roles", json!(["superadmin", "admin"]))).await.unwrap();
    assert_eq!(root.roles, ["admin"], "superadmin is written out, or it is not given");
    assert_eq!(partner.take_dropped(), Dropped { invalid: 0, not_of_issuer: 1 });
    assert!(partner.may_name(&root, "tenant-9") && !partner.may_name(&root, "globex"));
}

#[tokio::test]
async fn a_token_without_a_date_is_as_old_as_it_can_be() {
    let undated = verify(&token(&with("iat", Value::Null))).await.unwrap();
    assert_eq!(undated.issued_at, undated.expires_at - 86_400);
    let mut long = with("iat", Value::Null);
    long["exp"] = json!(NOW + 90_000);
    let refused = verify(&token(&long)).await.unwrap_err();
    assert_eq!(refused.label(), TokenError::LifetimeTooLong { limit: 0 }.label(), "however old it is");
}

#[tokio::test]
async fn tokens_that_are_dated_back_count_as_later_and_never_as_future() {
    let behind = verifier(|issuer| issuer.issued_behind = 300);
    let issued = async |iat: i64| of(&behind, &with("iat", json!(iat))).await.unwrap().issued_at;
    assert_eq!(issued(NOW - 1000).await, NOW - 700);
    assert_eq!(issued(NOW - 100).await, NOW);
    assert_eq!(issued(NOW + 10).await, NOW + 10, "within the leeway");
}

#[tokio::test]
async fn a_token_with_two_hundred_groups_is_taken() {
    let groups: Vec<_> = (0..200).map(|at| format!("{at:08}-5d0a-4f5b-9c6d-1234567890ab")).collect();
    let token = key(0).sign(&with("roles", json!(groups))).unwrap();
    assert!(token.len() > 10_000, "{}", token.len());
    assert_eq!(verify(&token).await.unwrap().roles.len(), 200);
}
