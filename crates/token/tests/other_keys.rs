//! Keys that change while a verifier is in use.

// A failing helper should end the test.
#![allow(clippy::unwrap_used)]

mod support;

use fanfare_token::{Audience, ConfigError, IssuerConfig, Keys, TokenError, Verifier};
use support::{NOW, Server, claims, config, key, until, verifier};

fn fixed(index: usize) -> IssuerConfig {
    config(Keys::Static(vec![key(index).jwk()]))
}

async fn outcome(verifier: &Verifier, index: usize) -> Result<(), TokenError> {
    let token = key(index).sign(&claims()).unwrap();
    verifier.verify_at(&token, Audience::User, NOW).await.map(|_| ())
}

#[tokio::test]
async fn a_token_of_a_removed_key_is_refused_although_it_was_verified_before() {
    let verifier = verifier();
    assert_eq!(outcome(&verifier, 0).await, Ok(()));
    assert_eq!(outcome(&verifier, 1).await, Err(TokenError::UnknownKey));
    let others = verifier.other_keys(&[fixed(1)]).unwrap();
    assert_eq!(others.issuers().collect::<Vec<_>>(), [support::ISSUER]);
    assert_eq!(outcome(&verifier, 0).await, Ok(()), "nothing changes before it is told to");
    verifier.use_keys(others);
    assert_eq!(outcome(&verifier, 1).await, Ok(()));
    assert_eq!(outcome(&verifier, 0).await, Err(TokenError::UnknownKey));
}

#[tokio::test]
async fn keys_may_be_fetched_from_now_on() {
    let (server, verifier) = (Server::start().await, verifier());
    server.serve_keys(&[1]);
    let others = verifier.other_keys(&[config(Keys::Jwks(server.url("/jwks")))]).unwrap();
    verifier.use_keys(others);
    until("the other key", async || outcome(&verifier, 1).await.is_ok()).await;
    assert_eq!(outcome(&verifier, 0).await, Err(TokenError::UnknownKey));
}

#[tokio::test]
async fn the_same_keys_are_no_change_and_faulty_ones_change_nothing() {
    let verifier = verifier();
    let mut another = fixed(1);
    another.issuer = "https://another.example".to_owned();
    assert_eq!(verifier.other_keys(&[fixed(0), another]).unwrap().issuers().count(), 0);
    let fault = verifier.other_keys(&[config(Keys::Jwks("ftp://keys.example".to_owned()))]).err().unwrap();
    assert!(matches!(fault, ConfigError::BadUrl { .. }), "{fault}");
    assert_eq!(outcome(&verifier, 0).await, Ok(()));
}
