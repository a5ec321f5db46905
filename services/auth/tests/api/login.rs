//! Logins.

use crate::{fresh, id, open, open_with, settings};
use fanfare_auth::{SERVICE, housekeeping};
use fanfare_producer::testing::Harness;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn a_login_is_a_token_and_an_event() {
    let mut s = open().await;
    let answer = s.try_login("alice", "demo").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["token_type"], "Bearer");
    assert_eq!(answer.json()["expires_in"], 3600);
    let token = answer.json()["access_token"].as_str().expect("a token").to_owned();
    let claims = s.claims(&token).await.expect("a valid token");
    assert_eq!(claims.user, id("alice"));
    assert_eq!(claims.org, Some(id("acme")));
    assert_eq!(claims.roles, ["user"]);
    assert_eq!(claims.expires_at - claims.issued_at, 3600);
    let event = s.harness.event().await;
    assert_eq!(event.event_type(), "auth.UserLoggedIn");
    assert_eq!(event.data, json!({"user": "alice", "org": "acme", "session": claims.session}));
}

#[tokio::test]
async fn every_demo_user_is_as_documented() {
    let s = open().await;
    for (user, org, role) in [
        ("alice", "acme", "user"),
        ("bob", "acme", "admin"),
        ("carol", "globex", "user"),
        ("root", "platform", "superadmin"),
    ] {
        let claims = s.claims(&s.login(user).await).await.expect("a valid token");
        assert_eq!((claims.org.clone(), claims.roles.clone()), (Some(id(org)), vec![role.to_owned()]));
    }
}

#[tokio::test]
async fn wrong_credentials_are_all_the_same() {
    let s = open().await;
    let wrong = s.try_login("alice", "wrong").await;
    assert_eq!(wrong.status, 401);
    assert_eq!(wrong.headers["www-authenticate"], "Bearer");
    for (user, password) in [("alice", ""), ("nobody", "demo"), ("", "demo"), ("a b", "demo"), ("ALICE", "demo")] {
        let answer = s.try_login(user, password).await;
        assert_eq!((answer.status, answer.body), (wrong.status, wrong.body.clone()), "{user}");
    }
}

#[tokio::test]
async fn wrong_bodies_are_named() {
    let s = open().await;
    for (body, named) in [
        (json!({"user": "alice"}), "password"),
        (json!({"password": "demo"}), "user"),
        (json!({"user": 1, "password": "demo"}), "user"),
        (json!({"user": "alice", "password": "demo", "otp": 1}), "otp"),
    ] {
        let answer = s.client.post("/login", "", body).await;
        assert_eq!(answer.status, 400);
        assert!(answer.error().contains(named), "{}", answer.error());
    }
}

#[tokio::test]
async fn guessing_is_slowed_down_for_one_user_alone() {
    let s = open().await;
    for _ in 0..10 {
        assert_eq!(s.try_login("carol", "wrong").await.status, 401);
    }
    let refused = s.try_login("carol", "demo").await;
    assert_eq!(refused.status, 429, "even the right password waits");
    let wait: u64 = refused.headers["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!((1..=60).contains(&wait));
    assert_eq!(s.try_login("alice", "demo").await.status, 200);
}

#[tokio::test]
async fn tokens_end_with_their_lifetime() {
    let short = fanfare_auth::AuthSettings { token_lifetime: Duration::ZERO, ..settings() };
    let s = open_with(Harness::open_in(SERVICE, fresh().await).await, &short).await;
    let token = s.login("alice").await;
    // Verifiers allow for clocks that differ, so the session's end is what shows here.
    let mut change = s.harness.producer.begin().await.expect("change");
    let past = sqlx::query("UPDATE sessions SET expires_at = expires_at - 60");
    past.execute(change.connection()).await.expect("updated");
    change.commit().await.expect("commit");
    housekeeping::round(&s.app).await.expect("housekeeping");
    assert!(!s.accepts(&token).await);
}

#[tokio::test]
async fn sessions_keys_and_users_survive_a_restart() {
    let s = open().await;
    let token = s.login("bob").await;
    s.client.put("/users/alice/roles", &token, json!({"roles": ["user", "editor"]})).await;
    let folder = s.harness.stop().await;
    let s = open_with(Harness::open_in(SERVICE, folder).await, &settings()).await;
    assert!(s.accepts(&token).await);
    let alice = s.claims(&s.login("alice").await).await.expect("a valid token");
    assert_eq!(alice.roles, ["editor", "user"], "the demo users are not recreated");
}

#[tokio::test]
async fn without_the_flag_there_are_no_demo_users() {
    let none = fanfare_auth::AuthSettings { demo_users: false, ..settings() };
    let s = open_with(Harness::open(SERVICE).await, &none).await;
    assert_eq!(s.try_login("root", "demo").await.status, 401);
}
