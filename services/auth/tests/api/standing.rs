//! The standing of a user for other services.

use crate::open;
use serde_json::{Value, json};

#[tokio::test]
async fn the_answer_has_the_roles_and_the_logout_of_now() {
    let s = open().await;
    let (bob, root) = (s.login("bob").await, s.login("root").await);
    let before = s.client.get("/standing/bob", &bob).await;
    assert_eq!(before.headers["cache-control"], "no-store");
    let expected = json!({"user": "bob", "org": "acme", "roles": ["admin"], "signed_out_at": 0, "session_lasts": true});
    assert_eq!((before.status.as_u16(), before.json()), (200, expected));
    s.client.put("/users/bob/roles", &root, json!({"roles": ["user"]})).await;
    assert_eq!(s.client.get("/standing/bob", &bob).await.json()["roles"], json!(["user"]));
    let second = s.login("bob").await;
    assert_eq!(s.logout(&bob, json!({"scope": "session"})).await, 202);
    assert_eq!(s.client.get("/standing/bob", &bob).await.json()["session_lasts"], false);
    assert_eq!(s.client.get("/standing/bob", &second).await.json()["session_lasts"], true);
    assert_eq!(s.logout(&second, Value::Null).await, 202);
    let after = s.client.get("/standing/bob", &second).await.json();
    let issued_at = s.claims(&second).await.expect("a token").issued_at;
    assert!(after["signed_out_at"].as_i64().expect("a time") / 1000 >= issued_at, "{after}");
}

#[tokio::test]
async fn it_is_for_the_bearer_alone() {
    let s = open().await;
    let (alice, root) = (s.login("alice").await, s.login("root").await);
    for (token, user, status) in
        [("", "bob", 401), ("nonsense", "bob", 401), (&alice, "bob", 403), (&alice, "nobody", 403), (&root, "bob", 403)]
    {
        assert_eq!(s.client.get(&format!("/standing/{user}"), token).await.status, status, "{user}");
    }
}
