//! Every way in which a token can be bad has its own error, and no error repeats any part of the token.

// A failing helper should end the test.
#![allow(clippy::unwrap_used)]

mod support;

use fanfare_token::{Audience, TokenError, Verifier, VerifierOptions};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{ISSUER, NOW, PRODUCERS, claims, config, fixed_keys, forged, key, token, verifier, verify, with};

fn missing(claim: &str) -> TokenError {
    TokenError::MissingClaim { claim: claim.into() }
}

#[track_caller]
fn assert_invalid(error: TokenError, claim: &str) {
    assert!(matches!(&error, TokenError::InvalidClaim { claim: at, .. } if at == claim), "{claim}: {error}");
}

async fn refused(claims: Value) -> TokenError {
    verify(&token(&claims)).await.unwrap_err()
}

fn good_header() -> Value {
    json!({ "alg": "RS256", "kid": key(0).kid() })
}

#[tokio::test]
async fn the_good_token_is_good() {
    assert!(verify(&token(&claims())).await.is_ok());
}

#[tokio::test]
async fn a_key_is_used_with_its_own_algorithm_alone() {
    for alg in [json!("none"), json!("None"), json!("HS256"), json!("RS384"), json!("PS256"), json!("ES256"), json!(7)]
    {
        let header = json!({ "alg": alg, "kid": key(0).kid() });
        assert_eq!(verify(&forged(&header, &claims())).await, Err(TokenError::WrongAlgorithm), "{alg}");
    }
    let unsigned = forged(&json!({ "alg": "none" }), &claims());
    let (unsigned, _) = unsigned.rsplit_once('.').unwrap();
    assert_eq!(verify(&format!("{unsigned}.")).await, Err(TokenError::WrongAlgorithm));
    assert_eq!(verify(&forged(&json!({ "kid": "x" }), &claims())).await, Err(TokenError::WrongAlgorithm));
}

#[tokio::test]
async fn the_public_key_is_no_shared_secret() {
    let jwk = key(0).jwk();
    for secret in [serde_json::to_string(&jwk).unwrap(), jwk.n] {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(key(0).kid().into());
        let token = jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(secret.as_bytes())).unwrap();
        assert_eq!(verify(&token).await, Err(TokenError::WrongAlgorithm));
        // The same with a header that names the wrong algorithm.
        let (_, rest) = token.split_once('.').unwrap();
        let lying = forged(&good_header(), &claims());
        let (lying, _) = lying.split_once('.').unwrap();
        assert_eq!(verify(&format!("{lying}.{rest}")).await, Err(TokenError::BadSignature));
    }
}

#[tokio::test]
async fn a_signature_by_another_key_is_refused() {
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some(key(0).kid().into());
    let other = EncodingKey::from_rsa_pem(key(1).to_pkcs8_pem().unwrap().as_bytes()).unwrap();
    let token = jsonwebtoken::encode(&header, &claims(), &other).unwrap();
    assert_eq!(verify(&token).await, Err(TokenError::BadSignature));
    assert_eq!(verify(&forged(&good_header(), &claims())).await, Err(TokenError::BadSignature));
}

#[tokio::test]
async fn changed_claims_are_refused() {
    let (good, better) = (token(&claims()), token(&with("roles", json!(["superadmin"]))));
    let parts: Vec<_> = good.split('.').collect();
    let other: Vec<_> = better.split('.').collect();
    let mixed = format!("{}.{}.{}", parts[0], other[1], parts[2]);
    assert_eq!(verify(&mixed).await, Err(TokenError::BadSignature));
}

#[tokio::test]
async fn unknown_key_ids_are_refused() {
    for kid in [json!("another"), json!("x".repeat(257))] {
        let header = json!({ "alg": "RS256", "kid": kid });
        assert_eq!(verify(&forged(&header, &claims())).await, Err(TokenError::UnknownKey), "{kid}");
    }
    assert_eq!(verify(&key(1).sign(&claims()).unwrap()).await, Err(TokenError::UnknownKey));
}

#[tokio::test]
async fn header_extensions_that_must_be_understood_are_refused() {
    let mut header = good_header();
    header["crit"] = json!(["b64"]);
    header["b64"] = json!(false);
    assert_eq!(verify(&forged(&header, &claims())).await, Err(TokenError::UnsupportedExtension));
}

#[tokio::test]
async fn the_issuer_and_the_audience_must_match() {
    assert_eq!(refused(with("iss", json!("https://evil.example"))).await, TokenError::UnknownIssuer);
    assert_eq!(refused(with("iss", json!(format!("{ISSUER}/")))).await, TokenError::UnknownIssuer);
    assert_eq!(refused(with("iss", json!(7))).await, TokenError::UnknownIssuer);
    assert_eq!(refused(with("iss", Value::Null)).await, missing("iss"));
    assert_eq!(refused(with("aud", json!("another"))).await, TokenError::WrongAudience);
    assert_eq!(refused(with("aud", json!(["another", PRODUCERS]))).await, TokenError::WrongAudience);
    assert_eq!(refused(with("aud", json!([]))).await, TokenError::WrongAudience);
    assert_invalid(refused(with("aud", json!({}))).await, "aud");
    assert_eq!(refused(with("aud", Value::Null)).await, missing("aud"));
    assert!(verify(&token(&with("aud", json!(["another", support::AUDIENCE])))).await.is_ok());
}

#[tokio::test]
async fn times_are_checked_with_leeway() {
    let cases = [
        ("exp", NOW - 29, None),
        ("exp", NOW - 30, Some(TokenError::Expired)),
        ("exp", NOW - 3600, Some(TokenError::Expired)),
        ("nbf", NOW + 30, None),
        ("nbf", NOW + 31, Some(TokenError::NotYetValid)),
        ("iat", NOW + 1, None),
        ("iat", NOW + 30, None),
        ("iat", NOW + 31, Some(TokenError::IssuedInFuture)),
        ("exp", NOW - 60 + 86_400, None),
        ("exp", NOW - 60 + 86_401, Some(TokenError::LifetimeTooLong { limit: 86_400 })),
    ];
    for (claim, value, expected) in cases {
        let found = verify(&token(&with(claim, json!(value)))).await.err();
        assert_eq!(found, expected, "{claim} = now {:+}", value - NOW);
    }
}

#[tokio::test]
async fn times_must_be_numbers_of_seconds() {
    for claim in ["exp", "iat", "nbf"] {
        for value in [json!("1800000000"), json!(-1), json!(1e300), json!(u64::MAX), json!([NOW]), json!(true)] {
            assert_invalid(refused(with(claim, value.clone())).await, claim);
        }
    }
    assert_eq!(refused(with("exp", Value::Null)).await, missing("exp"));
}

#[tokio::test]
async fn a_user_must_be_one() {
    for value in [
        json!(""),
        json!(" "),
        json!("a\nb"),
        json!("x".repeat(257)),
        json!(1.5),
        json!(1e30),
        json!(["a"]),
        json!(true),
    ] {
        assert_invalid(refused(with("sub", value)).await, "sub");
    }
    assert_eq!(refused(with("sub", Value::Null)).await, missing("sub"));
}

#[tokio::test]
async fn garbage_is_not_a_token() {
    let good = token(&claims());
    let parts: Vec<_> = good.split('.').collect();
    let mut cases: Vec<String> = ["", ".", "..", "...", "a.b.c", "Bearer x", "\u{1f980}.\u{1f980}.\u{1f980}"]
        .iter()
        .map(ToString::to_string)
        .collect();
    cases.extend([
        parts[..2].join("."),
        format!("{good}.more"),
        format!("{good}="),
        format!(" {good}"),
        format!("{}.{}.{}!", parts[0], parts[1], parts[2]),
        forged(&json!([1, 2]), &claims()),
        forged(&good_header(), &json!("claims")),
    ]);
    for case in cases {
        assert_eq!(verify(&case).await, Err(TokenError::Malformed), "{case:?}");
    }
}

#[tokio::test]
async fn an_oversized_token_is_refused_before_anything_else() {
    let limit = 24 * 1024;
    assert_eq!(verify(&"x".repeat(limit + 1)).await, Err(TokenError::TooLong { limit }));
    let large = token(&with("padding", json!("x".repeat(limit))));
    assert_eq!(verify(&large).await, Err(TokenError::TooLong { limit }));
    assert!(verify(&token(&with("padding", json!("x".repeat(limit / 2))))).await.is_ok());
}

#[tokio::test]
async fn errors_repeat_nothing_of_the_token() {
    const CANARY: &str = "canary17";
    let mut tokens = vec![
        forged(&json!({ "alg": CANARY, "kid": key(0).kid() }), &claims()),
        forged(&json!({ "alg": "RS256", "kid": CANARY }), &claims()),
        forged(&json!({ "alg": "RS256", "kid": key(0).kid(), "crit": [CANARY] }), &claims()),
        forged(&good_header(), &with("sub", json!(CANARY))),
        format!("{CANARY}.{CANARY}.{CANARY}"),
        CANARY.repeat(5000),
    ];
    for claim in ["iss", "aud", "sub", "exp", "iat", "nbf"] {
        tokens.push(token(&with(claim, json!(format!("{CANARY}\n{CANARY}")))));
    }
    for token in tokens {
        let error = verify(&token).await.unwrap_err();
        let said = format!("{error} {error:?} {}", error.label());
        assert!(!said.contains(CANARY), "{said}");
        assert!(!said.contains(&token[..20.min(token.len())]), "{said}");
    }
}

#[tokio::test]
async fn only_missing_keys_are_the_servers_fault() {
    assert!(TokenError::KeysUnavailable.is_server_fault());
    assert!(!TokenError::UnknownKey.is_server_fault());
}

#[tokio::test]
async fn a_shorter_lifetime_and_leeway_can_be_configured() {
    let options = VerifierOptions {
        leeway: std::time::Duration::ZERO,
        max_token_lifetime: std::time::Duration::from_secs(600),
        ..VerifierOptions::default()
    };
    let verifier = Verifier::new(vec![config(fixed_keys())], options).unwrap();
    let verified = |claims: Value| {
        let verifier = &verifier;
        async move { verifier.verify_at(&token(&claims), Audience::User, NOW).await.err() }
    };
    assert_eq!(verified(claims()).await, Some(TokenError::LifetimeTooLong { limit: 600 }));
    assert_eq!(verified(with("exp", json!(NOW + 1))).await, None);
    assert_eq!(verified(with("exp", json!(NOW))).await, Some(TokenError::Expired));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_text_is_refused_without_a_panic(text in "\\PC{0,200}") {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        prop_assert!(runtime.block_on(verifier().verify_at(&text, Audience::User, NOW)).is_err());
    }

    #[test]
    fn any_changed_byte_is_noticed(at in any::<prop::sample::Index>(), replacement in "[A-Za-z0-9_-]") {
        let good = token(&claims());
        let at = at.index(good.len());
        let changed = format!("{}{replacement}{}", &good[..at], &good[at + 1..]);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let verified = runtime.block_on(verifier().verify_at(&changed, Audience::User, NOW));
        prop_assert_eq!(verified.is_ok(), changed == good);
    }
}
