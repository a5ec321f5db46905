//! Changing roles.

use crate::open;
use serde_json::json;

#[tokio::test]
async fn an_admin_changes_roles_in_the_own_org() {
    let mut s = open().await;
    let bob = s.login("bob").await;
    let answer = s.client.put("/users/alice/roles", &bob, json!({"roles": ["user", "editor", "user"]})).await;
    assert_eq!(answer.status, 202);
    let first = s.event().await;
    assert_eq!(answer.json(), json!({ "id": first.attributes.id }));
    assert_eq!(first.event_type(), "auth.RolesChanged");
    assert_eq!(first.key.as_deref(), Some("alice"));
    assert_eq!(first.data["roles"], json!(["editor", "user"]));
    assert_eq!(first.data["changed_by"], "bob");
    assert_eq!(first.data["org"], "acme");
    s.client.put("/users/alice/roles", &bob, json!({"roles": []})).await;
    let second = s.event().await;
    assert_eq!(second.data["roles"], json!([]));
    assert!(second.data["revision"].as_i64() > first.data["revision"].as_i64());
    let alice = s.claims(&s.login("alice").await).await.expect("a valid token");
    assert!(alice.roles.is_empty());
}

#[tokio::test]
async fn a_put_that_changes_nothing_publishes_nothing() {
    let mut s = open().await;
    let bob = s.login("bob").await;
    for roles in [json!(["user"]), json!(["user", "user"])] {
        let answer = s.client.put("/users/alice/roles", &bob, json!({ "roles": roles })).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (202, json!({})));
    }
    s.client.put("/users/alice/roles", &bob, json!({"roles": ["other"]})).await;
    assert_eq!(s.event().await.data["roles"], json!(["other"]));
}

#[tokio::test]
async fn who_may_change_whose_roles() {
    let s = open().await;
    let (alice, bob, root) = (s.login("alice").await, s.login("bob").await, s.login("root").await);
    let nobody = String::new();
    for (caller, user, status) in [
        (&nobody, "alice", 401),
        (&alice, "alice", 403),
        (&alice, "unknown", 403),
        (&bob, "alice", 202),
        (&bob, "carol", 403),
        (&bob, "unknown", 404),
        (&root, "carol", 202),
        (&root, "unknown", 404),
        (&root, "a%20b", 404),
        (&root, "a%0Ab", 400),
    ] {
        let answer = s.client.put(&format!("/users/{user}/roles"), caller, json!({"roles": ["editor"]})).await;
        assert_eq!(answer.status, status, "{user}");
    }
}

#[tokio::test]
async fn only_a_superadmin_gives_and_takes_superadmin() {
    let s = open().await;
    let (bob, root) = (s.login("bob").await, s.login("root").await);
    let set = async |caller: &str, roles: &[&str]| {
        s.client.put("/users/alice/roles", caller, json!({ "roles": roles })).await.status.as_u16()
    };
    assert_eq!(set(&bob, &["superadmin"]).await, 403);
    assert_eq!(set(&root, &["user", "superadmin"]).await, 202);
    assert_eq!(set(&bob, &["user"]).await, 403);
    assert_eq!(set(&bob, &["superadmin", "editor"]).await, 202, "other roles stay an admin's to change");
    assert_eq!(set(&root, &["user"]).await, 202);
}

#[tokio::test]
async fn roles_hold_at_once_for_tokens_that_exist() {
    let s = open().await;
    let (bob, root) = (s.login("bob").await, s.login("root").await);
    assert_eq!(s.client.put("/users/bob/roles", &root, json!({"roles": ["user"]})).await.status, 202);
    let demoted = s.client.put("/users/alice/roles", &bob, json!({"roles": ["editor"]})).await;
    assert_eq!(demoted.status, 403);
}

#[tokio::test]
async fn bad_roles_are_named() {
    let s = open().await;
    let bob = s.login("bob").await;
    for body in [
        json!({"roles": ["Admin"]}),
        json!({"roles": [""]}),
        json!({"roles": ["x".repeat(33)]}),
        json!({"roles": "admin"}),
        json!({"roles": null}),
        json!({}),
    ] {
        let answer = s.client.put("/users/alice/roles", &bob, body).await;
        assert_eq!(answer.status, 400);
        assert!(answer.error().contains("roles"), "{}", answer.error());
    }
}

#[tokio::test]
async fn a_change_counts_for_tokens_that_are_dated_ahead() {
    let mut s = open().await;
    let root = s.login("root").await;
    // The login right after a logout is dated a second ahead; the change comes within that second.
    let first = s.login("alice").await;
    assert_eq!(s.logout(&first, json!({})).await, 202);
    let claims = s.claims(&s.login("alice").await).await.expect("a valid token");
    assert_eq!(s.client.put("/users/alice/roles", &root, json!({"roles": ["editor"]})).await.status, 202);
    assert_eq!(s.event().await.event_type(), "auth.UserLoggedOut");
    let changed = s.event().await;
    assert!(changed.attributes.time.0.div_euclid(1000) >= claims.issued_at);
}
