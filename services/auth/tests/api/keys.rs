//! Keys and their rotation.

use crate::{fresh, open, open_with, settings};
use fanfare_auth::{AuthSettings, SERVICE, housekeeping};
use fanfare_producer::testing::Harness;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

#[tokio::test]
async fn tokens_signed_before_a_rotation_stay_valid_after_it() {
    let s = open().await;
    let root = s.login("root").await;
    let before: BTreeSet<String> = s.keys().await.keys.into_iter().map(|key| key.kid).collect();
    let rotated = s.client.post("/keys/rotate", &root, Value::Null).await;
    assert_eq!(rotated.status, 200);
    let signs_now = rotated.json()["kid"].as_str().expect("a key id").to_owned();
    assert!(before.contains(&signs_now), "the next key was published before its first token");
    let after: BTreeSet<String> = s.keys().await.keys.into_iter().map(|key| key.kid).collect();
    assert!(after.is_superset(&before), "no key goes while its tokens are valid");
    let token = s.login("root").await;
    for token in [&root, &token] {
        assert!(s.accepts(token).await);
        assert!(s.claims(token).await.is_some());
    }
    assert_ne!(key_of(&root), key_of(&token));
    assert_eq!(key_of(&token), signs_now);
}

/// The header of a token, which names its key.
fn key_of(token: &str) -> String {
    let header = token.split('.').next().expect("a header");
    let published: Vec<u8> = decode(header);
    let header: Value = serde_json::from_slice(&published).expect("json");
    header["kid"].as_str().expect("a key id").to_owned()
}

/// base64url without padding.
fn decode(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
    for c in text.bytes() {
        let value = ALPHABET.iter().position(|known| *known == c).expect("base64url");
        bits = bits << 6 | value as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    bytes
}

#[tokio::test]
async fn only_a_superadmin_rotates() {
    let s = open().await;
    let bob = s.login("bob").await;
    assert_eq!(s.client.post("/keys/rotate", "", Value::Null).await.status, 401);
    assert_eq!(s.client.post("/keys/rotate", &bob, Value::Null).await.status, 403);
}

#[tokio::test]
async fn keys_rotate_by_age_and_are_forgotten_after_their_last_token() {
    let at_once = AuthSettings { rotate_after: Duration::ZERO, ..settings() };
    let s = open_with(Harness::open_in(SERVICE, fresh().await).await, &at_once).await;
    let old = s.login("root").await;
    let key = key_of(&old);
    housekeeping::round(&s.app).await.expect("housekeeping");
    assert_ne!(key_of(&s.login("root").await), key);
    assert!(s.claims(&old).await.is_some());
    let mut change = s.harness.producer.begin().await.expect("change");
    let age = sqlx::query("UPDATE signing_keys SET retired_at = retired_at - 4000000 WHERE kid = $1").bind(&key);
    assert_eq!(age.execute(change.connection()).await.expect("updated").rows_affected(), 1);
    change.commit().await.expect("commit");
    housekeeping::round(&s.app).await.expect("housekeeping");
    assert!(s.keys().await.keys.iter().all(|published| published.kid != key));
    assert!(!s.accepts(&old).await);
}

#[tokio::test]
async fn the_number_of_keys_is_bounded() {
    let s = open().await;
    let root = s.login("root").await;
    let mut last = 200;
    for _ in 0..10 {
        last = s.client.post("/keys/rotate", &root, Value::Null).await.status.as_u16();
        if last != 200 {
            break;
        }
    }
    assert_eq!(last, 429);
    assert!(s.keys().await.keys.len() <= 10);
    assert!(s.accepts(&root).await, "the first key is still published");
}

#[tokio::test]
async fn the_key_of_the_producer_is_published_and_signs_no_users() {
    let s = open().await;
    let own = s.harness.producer.identity().public_key();
    assert!(s.keys().await.keys.contains(&own));
    let token = s.harness.producer.identity().token().expect("a token");
    assert!(!s.accepts(&token).await);
    assert!(s.claims(&token).await.is_none());
}
