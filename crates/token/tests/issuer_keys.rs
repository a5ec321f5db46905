//! Keys that are fetched from an issuer: start, rotation, floods, outages, odd answers.

// A failing helper should end the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use fanfare_token::{Audience, Keys, TokenError, Verifier, VerifierOptions};
use serde_json::json;
use support::{ISSUER, NOW, Server, claims, config, forged, jwks, key, until};
use tokio::net::TcpListener;

fn options() -> VerifierOptions {
    VerifierOptions { refresh: Duration::from_secs(3600), ..VerifierOptions::default() }
}

/// Refreshes all the time.
fn restless() -> VerifierOptions {
    VerifierOptions { refresh: Duration::from_millis(20), ..options() }
}

fn token(index: usize) -> String {
    key(index).sign(&claims()).unwrap()
}

async fn verdict(verifier: &Verifier, index: usize) -> Result<(), TokenError> {
    verifier.verify_at(&token(index), Audience::User, NOW).await.map(drop)
}

#[tokio::test]
async fn the_first_token_waits_for_the_keys() {
    let server = Server::start().await;
    server.serve_keys(&[0]);
    server.delay(Duration::from_millis(200));
    let verifier = server.verifier(options());
    assert!(!verifier.keys_available());
    assert_eq!(verdict(&verifier, 0).await, Ok(()));
    assert!(verifier.keys_available());
    assert_eq!(server.requests(), ["/jwks"]);
}

#[tokio::test]
async fn a_caller_does_not_wait_for_ever() {
    let server = Server::start().await;
    server.serve_keys(&[0]);
    server.delay(Duration::from_secs(600));
    let verifier = server.verifier(VerifierOptions { fetch_wait: Duration::from_millis(100), ..options() });
    assert_eq!(verdict(&verifier, 0).await, Err(TokenError::KeysUnavailable));
}

#[tokio::test]
async fn the_issuer_may_start_later() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("http://{address}/jwks");
    let verifier = Verifier::new(vec![config(Keys::Jwks(url))], options()).unwrap();
    assert_eq!(verdict(&verifier, 0).await, Err(TokenError::KeysUnavailable));
    assert!(!verifier.keys_available());
    let server = Server::on(TcpListener::bind(address).await.unwrap());
    server.serve_keys(&[0]);
    until("the keys", || async { verifier.keys_available() }).await;
    assert_eq!(verdict(&verifier, 0).await, Ok(()));
}

#[tokio::test]
async fn keys_rotate_without_a_refused_token() {
    let server = Server::start().await;
    server.serve_keys(&[0]);
    let verifier = server.verifier(options());
    assert_eq!(verdict(&verifier, 0).await, Ok(()));
    server.serve_keys(&[0, 1]);
    assert_eq!(verdict(&verifier, 1).await, Ok(()), "the new key's id causes a fetch");
    assert_eq!(verdict(&verifier, 0).await, Ok(()), "both keys are live");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_retired_key_is_refused_even_for_tokens_seen_before() {
    let server = Server::start().await;
    server.serve_keys(&[0, 1]);
    let verifier = server.verifier(restless());
    assert_eq!((verdict(&verifier, 0).await, verdict(&verifier, 1).await), (Ok(()), Ok(())));
    server.serve_keys(&[1]);
    until("the retirement", || async { verdict(&verifier, 0).await == Err(TokenError::UnknownKey) }).await;
    assert_eq!(verdict(&verifier, 1).await, Ok(()));
}

#[tokio::test]
async fn a_flood_of_unknown_key_ids_causes_one_fetch() {
    let server = Server::start().await;
    server.serve_keys(&[0]);
    let verifier = Arc::new(server.verifier(options()));
    assert_eq!(verdict(&verifier, 0).await, Ok(()));
    server.delay(Duration::from_millis(50));
    for round in 0..3 {
        let mut flood = tokio::task::JoinSet::new();
        for number in 0..200 {
            let verifier = Arc::clone(&verifier);
            let token = forged(&json!({ "alg": "RS256", "kid": format!("{round} {number}") }), &claims());
            flood.spawn(async move { verifier.verify_at(&token, Audience::User, NOW).await });
        }
        for refused in flood.join_all().await {
            assert_eq!(refused, Err(TokenError::UnknownKey));
        }
    }
    assert_eq!(server.requests().len(), 2, "one at the start, one for all of the flood");
}

#[tokio::test]
async fn last_good_keys_outlive_an_outage_but_not_for_ever() {
    let server = Server::start().await;
    server.serve_keys(&[0]);
    let verifier = server.verifier(VerifierOptions { keep_keys: Duration::from_millis(1500), ..restless() });
    assert_eq!(verdict(&verifier, 0).await, Ok(()));
    server.fail();
    let before = server.requests().len();
    until("a failed fetch", || async { server.requests().len() > before + 1 }).await;
    assert_eq!(verdict(&verifier, 0).await, Ok(()), "the last good keys serve");
    assert_eq!(verdict(&verifier, 1).await, Err(TokenError::KeysUnavailable), "it may be a new key");
    until("the end of the keys", || async { verdict(&verifier, 0).await == Err(TokenError::KeysUnavailable) }).await;
    assert!(!verifier.keys_available());
    server.serve_keys(&[0]);
    until("the keys to be back", || async { verdict(&verifier, 0).await == Ok(()) }).await;
}

#[tokio::test]
async fn useless_answers_do_not_replace_good_keys() {
    let elliptic = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"e","x":"AA","y":"AA"}]}"#;
    let shared = r#"{"keys":[{"kty":"oct","kid":"s","k":"AA"}]}"#;
    let large = jwks(&[1]).replace("{\"keys\"", &format!("{{\"padding\":\"{}\",\"keys\"", "x".repeat(300 * 1024)));
    let answers = [
        ("200 OK", "no json"),
        ("200 OK", "{\"keys\":[]}"),
        ("200 OK", elliptic),
        ("200 OK", shared),
        ("200 OK", &large),
        ("404 Not Found", ""),
        ("302 Found", ""),
    ];
    for (status, body) in answers {
        let server = Server::start().await;
        server.serve_keys(&[0]);
        let verifier = server.verifier(restless());
        assert_eq!(verdict(&verifier, 0).await, Ok(()));
        server.answer("/moved", "200 OK", jwks(&[1]));
        server.answer("/jwks", status, body);
        let before = server.requests().len();
        until("another fetch", || async { server.requests().len() > before }).await;
        assert_eq!(verdict(&verifier, 0).await, Ok(()), "{status}");
        assert_eq!(verdict(&verifier, 1).await, Err(TokenError::KeysUnavailable), "{status}");
    }
}

#[tokio::test]
async fn usable_keys_are_found_among_others() {
    let server = Server::start().await;
    let mut encryption = serde_json::to_value(key(1).jwk()).unwrap();
    encryption["use"] = json!("enc");
    let mut bare = serde_json::to_value(key(0).jwk()).unwrap();
    for member in ["use", "alg"] {
        bare.as_object_mut().unwrap().remove(member);
    }
    bare["x5c"] = json!(["MIIC"]);
    let keys = json!({ "keys": [7, { "kty": "EC", "kid": "e" }, { "kty": "RSA", "kid": 7 }, encryption, bare] });
    server.answer("/jwks", "200 OK", keys.to_string());
    let verifier = server.verifier(options());
    assert_eq!(verdict(&verifier, 0).await, Ok(()));
    assert_eq!(verdict(&verifier, 1).await, Err(TokenError::UnknownKey));
}

#[tokio::test]
async fn keys_are_discovered() {
    let server = Server::start().await;
    let path = "/.well-known/openid-configuration";
    let issuer = || config(Keys::Discovery(server.url(path)));
    server.answer(path, "200 OK", json!({ "issuer": ISSUER, "jwks_uri": server.url("/jwks") }).to_string());
    server.serve_keys(&[0]);
    let verifier = Verifier::new(vec![issuer()], options()).unwrap();
    assert_eq!(verdict(&verifier, 0).await, Ok(()));
    assert_eq!(server.requests(), [path, "/jwks"]);

    for document in [
        json!({ "issuer": "https://evil.example", "jwks_uri": server.url("/jwks") }),
        json!({ "issuer": ISSUER, "jwks_uri": "file:///etc/passwd" }),
        json!({ "issuer": ISSUER }),
    ] {
        server.answer(path, "200 OK", document.to_string());
        let verifier = Verifier::new(vec![issuer()], options()).unwrap();
        assert_eq!(verdict(&verifier, 0).await, Err(TokenError::KeysUnavailable), "{document}");
    }
}

#[tokio::test]
async fn nothing_is_fetched_after_the_verifier_is_gone() {
    let server = Server::start().await;
    server.serve_keys(&[0]);
    let verifier = server.verifier(restless());
    assert_eq!(verdict(&verifier, 0).await, Ok(()));
    drop(verifier);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let before = server.requests().len();
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(server.requests().len(), before);
}
