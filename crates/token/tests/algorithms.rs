//! Keys of every type, and tokens that another library has signed with them.

// A failing helper should end the test.
#![allow(clippy::unwrap_used)]

mod support;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fanfare_token::{Audience, IssuerConfig, Keys, PublicJwk, TokenError, Verifier, VerifierOptions};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use support::{NOW, Server, claims, config, forged, key, token, until, with};

fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A key of a curve, as published, and the same key for signing.
fn of_curve(crv: &str, algorithm: &'static EcdsaSigningAlgorithm) -> (PublicJwk, Vec<u8>, EcdsaKeyPair) {
    let der = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, der.as_ref()).unwrap();
    let (x, y) = pair.public_key().as_ref()[1..].split_at((pair.public_key().as_ref().len() - 1) / 2);
    let jwk = PublicJwk {
        kty: "EC".into(),
        crv: crv.into(),
        kid: crv.into(),
        x: base64(x),
        y: base64(y),
        ..PublicJwk::default()
    };
    (jwk, der.as_ref().to_vec(), pair)
}

fn ed25519() -> (PublicJwk, Vec<u8>) {
    let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(der.as_ref()).unwrap();
    let x = base64(pair.public_key().as_ref());
    let jwk = PublicJwk { kty: "OKP".into(), crv: "Ed25519".into(), kid: "ed".into(), x, ..PublicJwk::default() };
    (jwk, der.as_ref().to_vec())
}

fn signed(algorithm: Algorithm, kid: Option<&str>, key: &EncodingKey) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
    jsonwebtoken::encode(&header, &claims(), key).unwrap()
}

fn rsa(index: usize) -> EncodingKey {
    EncodingKey::from_rsa_pem(key(index).to_pkcs8_pem().unwrap().as_bytes()).unwrap()
}

/// The RSA key without its declared algorithm.
fn open_rsa() -> PublicJwk {
    PublicJwk { alg: None, ..key(0).jwk() }
}

async fn verify(keys: &[PublicJwk], token: &str) -> Result<(), TokenError> {
    let verifier = Verifier::new(vec![config(Keys::Static(keys.to_vec()))], VerifierOptions::default()).unwrap();
    verifier.verify_at(token, Audience::User, NOW).await.map(drop)
}

#[tokio::test]
async fn every_algorithm_that_is_not_symmetric_is_known() {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let (p256, p256_der, _) = of_curve("P-256", &ECDSA_P256_SHA256_FIXED_SIGNING);
    let (p384, p384_der, _) = of_curve("P-384", &ECDSA_P384_SHA384_FIXED_SIGNING);
    let (ed, ed_der) = ed25519();
    let keys = [p256, p384, ed, open_rsa()];
    for algorithm in [RS256, RS384, RS512, PS256, PS384, PS512] {
        let token = signed(algorithm, Some(key(0).kid()), &rsa(0));
        assert_eq!(verify(&keys, &token).await, Ok(()), "{algorithm:?}");
        let strict = verify(&[key(0).jwk()], &token).await;
        assert_eq!(strict.is_ok(), algorithm == RS256, "{algorithm:?}: the key says that it is for RS256");
    }
    for (algorithm, kid, der) in [(ES256, "P-256", &p256_der), (ES384, "P-384", &p384_der)] {
        let token = signed(algorithm, Some(kid), &EncodingKey::from_ec_der(der));
        assert_eq!(verify(&keys, &token).await, Ok(()), "{algorithm:?}");
    }
    assert_eq!(verify(&keys, &signed(EdDSA, Some("ed"), &EncodingKey::from_ed_der(&ed_der))).await, Ok(()));
}

#[tokio::test]
async fn es512_is_known_too() {
    let (jwk, _, pair) = of_curve("P-521", &ECDSA_P521_SHA512_FIXED_SIGNING);
    let unsigned = forged(&json!({ "alg": "ES512", "kid": "P-521" }), &claims());
    let (unsigned, _) = unsigned.rsplit_once('.').unwrap();
    let signature = pair.sign(&SystemRandom::new(), unsigned.as_bytes()).unwrap();
    assert_eq!(verify(&[jwk], &format!("{unsigned}.{}", base64(signature.as_ref()))).await, Ok(()));
}

#[tokio::test]
async fn a_header_cannot_choose_another_algorithm_than_its_key_is_for() {
    let (p256, _, _) = of_curve("P-256", &ECDSA_P256_SHA256_FIXED_SIGNING);
    let (ed, _) = ed25519();
    let keys = [p256, ed, open_rsa()];
    for (alg, kid) in [
        ("RS256", "P-256"),
        ("ES384", "P-256"),
        ("EdDSA", "P-256"),
        ("ES256", "ed"),
        ("ES256", key(0).kid()),
        ("HS256", key(0).kid()),
        ("HS256", "ed"),
        ("none", "ed"),
    ] {
        let refused = verify(&keys, &forged(&json!({ "alg": alg, "kid": kid }), &claims())).await;
        assert_eq!(refused, Err(TokenError::WrongAlgorithm), "{alg} with {kid}");
    }
}

#[tokio::test]
async fn a_token_without_a_key_id_is_good_where_one_key_can_be_meant() {
    let (p256, der, _) = of_curve("P-256", &ECDSA_P256_SHA256_FIXED_SIGNING);
    let (rs, es) =
        (signed(Algorithm::RS256, None, &rsa(0)), signed(Algorithm::ES256, None, &EncodingKey::from_ec_der(&der)));
    let keys = [key(0).jwk(), p256];
    assert_eq!((verify(&keys, &rs).await, verify(&keys, &es).await), (Ok(()), Ok(())));
    let two = [key(0).jwk(), key(1).jwk()];
    assert_eq!(verify(&two, &rs).await, Err(TokenError::UnknownKey), "which of the two is not said");
    let nameless = [PublicJwk { kid: String::new(), ..key(0).jwk() }];
    assert_eq!(verify(&nameless, &rs).await, Ok(()));
    assert_eq!(verify(&nameless, &token(&claims())).await, Ok(()), "the token names it, the set does not");
    assert_eq!(
        verify(&[key(0).jwk()], &signed(Algorithm::RS256, Some("another"), &rsa(0))).await,
        Err(TokenError::UnknownKey)
    );
}

#[tokio::test]
async fn a_set_of_mixed_keys_serves_with_those_that_are_sound() {
    let (p256, der, _) = of_curve("P-256", &ECDSA_P256_SHA256_FIXED_SIGNING);
    let server = Server::start().await;
    let mut keys = vec![
        json!({ "kty": "oct", "k": "c2VjcmV0", "kid": "shared" }),
        json!({ "kty": "EC", "crv": "secp256k1", "x": "AQ", "y": "AQ", "kid": "bitcoin" }),
        json!({ "kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ", "kid": "no point" }),
        json!({ "kty": "RSA", "use": "enc", "n": key(0).jwk().n, "e": "AQAB", "kid": "for encryption" }),
        json!(7),
    ];
    keys.push(serde_json::to_value(p256).unwrap());
    server.answer("/jwks", "200 OK", json!({ "keys": keys }).to_string());
    let verifier = server.verifier(VerifierOptions::default());
    until("the keys", async || verifier.keys_available()).await;
    let token = signed(Algorithm::ES256, Some("P-256"), &EncodingKey::from_ec_der(&der));
    assert!(verifier.verify_at(&token, Audience::User, NOW).await.is_ok());
}

/// A discovery document of several tenants, like Entra's: its issuer is a pattern, and its keys name their tenants.
#[tokio::test]
async fn tenants_stand_for_a_name_in_the_issuer() {
    let server = Server::start().await;
    let pattern = "https://login.example/{tenantid}/v2.0";
    let own = PublicJwk { issuer: Some("https://login.example/t-1/v2.0".into()), ..key(1).jwk() };
    let shared = PublicJwk { issuer: Some(pattern.into()), ..key(0).jwk() };
    server.answer("/jwks", "200 OK", json!({ "keys": [own, shared] }).to_string());
    let document = json!({ "issuer": pattern, "jwks_uri": server.url("/jwks") });
    server.answer("/discovery", "200 OK", document.to_string());
    let issuer = IssuerConfig {
        issuer: pattern.into(),
        tenants: vec!["t-1".into(), "t-2".into()],
        ..config(Keys::Discovery(server.url("/discovery")))
    };
    let verifier = Verifier::new(vec![issuer], VerifierOptions::default()).unwrap();
    let verdict = async |index: usize, tenant: &str| {
        let of = |value: Value| key(index).sign(&with("iss", value)).unwrap();
        let token = of(json!(format!("https://login.example/{tenant}/v2.0")));
        verifier.verify_at(&token, Audience::User, NOW).await.map(|claims| claims.issuer.to_string())
    };
    assert_eq!(verdict(0, "t-1").await, Ok("https://login.example/t-1/v2.0".to_owned()));
    assert_eq!(verdict(0, "t-2").await, Ok("https://login.example/t-2/v2.0".to_owned()));
    assert!(verdict(1, "t-1").await.is_ok());
    assert_eq!(verdict(1, "t-2").await, Err(TokenError::UnknownKey), "the key is another tenant's");
    for other in ["t-3", "{tenantid}", "t-1/x", ""] {
        assert_eq!(verdict(0, other).await, Err(TokenError::UnknownIssuer), "{other}");
    }
}
