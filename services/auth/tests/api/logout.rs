//! Logouts are final, and do not stand in the way of the next login.

use crate::{id, open};
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

#[tokio::test]
async fn everywhere_is_the_default_and_ends_every_session() {
    for body in [Value::Null, json!({}), json!({"scope": "everywhere"})] {
        let mut s = open().await;
        let (first, second, other) = (s.login("alice").await, s.login("alice").await, s.login("bob").await);
        assert_eq!(s.logout(&first, body).await, 202);
        assert!(!s.accepts(&first).await);
        assert!(!s.accepts(&second).await);
        assert!(s.accepts(&other).await);
        let event = s.event().await;
        assert_eq!(event.event_type(), "auth.UserLoggedOut");
        assert_eq!(event.data["user"], "alice");
        assert_eq!(event.data["org"], "acme");
        assert_eq!(event.data["session"], Value::Null);
        assert_eq!(event.attributes.org, Some(id("acme")));
        assert_eq!(event.data["revision"], event.attributes.time.0);
    }
}

#[tokio::test]
async fn a_session_ends_alone() {
    let mut s = open().await;
    let (first, second) = (s.login("alice").await, s.login("alice").await);
    let answer = s.client.post("/logout", &first, json!({"scope": "session"})).await;
    assert_eq!(answer.status, 202);
    assert!(!s.accepts(&first).await);
    assert!(s.accepts(&second).await);
    let event = s.event().await;
    assert_eq!(answer.json(), json!({ "id": event.attributes.id }));
    let ended = s.claims(&first).await.expect("elsewhere the token is still valid").session.clone();
    assert_eq!(event.data["session"], json!(ended));
}

#[tokio::test]
async fn a_session_ends_once() {
    let s = open().await;
    let token = s.login("alice").await;
    assert_eq!(s.logout("", Value::Null).await, 401);
    assert_eq!(s.logout("nonsense", Value::Null).await, 401);
    assert_eq!(s.logout(&token, json!({"scope": "session"})).await, 202);
    assert_eq!(s.logout(&token, json!({"scope": "session"})).await, 401);
    assert_eq!(s.logout(&token, Value::Null).await, 401);
}

#[tokio::test]
async fn of_two_concurrent_logouts_one_is_published() {
    let mut s = open().await;
    let token = s.login("alice").await;
    let (first, second) = tokio::join!(s.logout(&token, Value::Null), s.logout(&token, Value::Null));
    let mut both = [first, second];
    both.sort_unstable();
    assert_eq!(both, [202, 401]);
    assert_eq!(s.event().await.data["user"], "alice");
    let bob = s.login("bob").await;
    assert_eq!(s.logout(&bob, Value::Null).await, 202);
    assert_eq!(s.event().await.data["user"], "bob");
}

#[tokio::test]
async fn wrong_scopes_are_named_and_end_nothing() {
    let s = open().await;
    let token = s.login("alice").await;
    for body in [json!({"scope": "world"}), json!({"scope": null}), json!({"all": true}), json!("session")] {
        let answer = s.client.post("/logout", &token, body).await;
        assert_eq!(answer.status, 400, "{}", answer.error());
    }
    let broken = Request::post("/logout").header("authorization", format!("Bearer {token}")).body(Body::from("{"));
    assert_eq!(s.client.send(broken.expect("request")).await.status, 400);
    assert!(s.accepts(&token).await);
}

/// Logs in and out as fast as it goes, so that most of it falls into one second.
#[tokio::test]
async fn a_login_right_after_a_logout_works_and_the_next_logout_ends_it() {
    let mut s = open().await;
    let mut issued = Vec::new();
    let mut ended = Vec::new();
    for _ in 0..4 {
        let token = s.login("alice").await;
        assert!(s.accepts(&token).await, "the new token works at once");
        let claims = s.claims(&token).await.expect("and elsewhere");
        assert_eq!(s.logout(&token, Value::Null).await, 202);
        let event = s.event().await;
        let refused_until = event.attributes.time.0.div_euclid(1000);
        assert!(claims.issued_at <= refused_until, "whoever reads the event refuses the token");
        assert!(!s.accepts(&token).await);
        issued.push(claims.issued_at);
        ended.push((refused_until, event.data["revision"].as_i64().expect("a revision")));
    }
    for (next, (refused_until, _)) in issued[1..].iter().zip(&ended) {
        assert!(next > refused_until, "the event of the logout before does not refuse the next token");
    }
    assert!(ended.is_sorted_by(|a, b| a.1 < b.1), "revisions rise: {ended:?}");
}

#[tokio::test]
async fn tokens_are_not_dated_further_ahead_than_verifiers_allow() {
    let s = open().await;
    let mut change = s.harness.producer.begin().await.expect("change");
    let ahead = change.now().0 + 60_000;
    let update = sqlx::query("UPDATE users SET signed_out_at = $1 WHERE user_id = 'alice'").bind(ahead);
    update.execute(change.connection()).await.expect("updated");
    change.commit().await.expect("commit");
    let refused = s.try_login("alice", "demo").await;
    assert_eq!(refused.status, 429);
    assert!(refused.headers.contains_key("retry-after"));
}
