//! Feature flags.

use crate::open;
use serde_json::{Value, json};

#[tokio::test]
async fn a_toggle_is_an_event_with_a_rising_revision() {
    let mut s = open().await;
    let on = s.client.put("/orgs/acme/flags/new-editor", &s.bob, json!({"enabled": true})).await;
    assert_eq!(on.status, 202);
    let first = s.harness.event().await;
    assert_eq!(on.json(), json!({ "id": first.attributes.id }));
    assert_eq!(first.event_type(), "license.FlagToggled");
    assert_eq!(first.key.as_deref(), Some("new-editor"));
    assert_eq!(first.data["org"], "acme");
    assert_eq!(first.data["flag"], "new-editor");
    assert_eq!(first.data["enabled"], true);
    assert_eq!(first.data["changed_by"], "bob");
    let off = s.client.put("/orgs/acme/flags/new-editor", &s.root, json!({"enabled": false})).await;
    assert_eq!(off.status, 202);
    let second = s.harness.event().await;
    assert_eq!(second.data["enabled"], false);
    assert!(second.data["revision"].as_i64() > first.data["revision"].as_i64());
}

#[tokio::test]
async fn a_put_that_changes_nothing_publishes_nothing() {
    let mut s = open().await;
    for _ in 0..3 {
        let answer = s.client.put("/orgs/acme/flags/a", &s.bob, json!({"enabled": true})).await;
        assert_eq!(answer.status, 202);
    }
    let same = s.client.put("/orgs/acme/flags/a", &s.bob, json!({"enabled": true})).await;
    assert_eq!(same.json(), json!({}));
    s.client.put("/orgs/acme/flags/b", &s.bob, json!({"enabled": false})).await;
    assert_eq!(s.harness.event().await.data["flag"], "a");
    assert_eq!(s.harness.event().await.data["flag"], "b", "a new flag that is off is a change");
}

#[tokio::test]
async fn the_list_is_the_source_of_truth() {
    let s = open().await;
    for (flag, enabled) in [("b", true), ("a", false), ("gone", true)] {
        s.client.put(&format!("/orgs/acme/flags/{flag}"), &s.bob, json!({ "enabled": enabled })).await;
    }
    s.client.delete("/orgs/acme/flags/gone", &s.bob).await;
    for caller in [&s.alice, &s.bob, &s.root] {
        let list = s.client.get("/orgs/acme/flags", caller).await.json();
        let flags: Vec<(&Value, &Value)> =
            list["flags"].as_array().expect("a list").iter().map(|flag| (&flag["flag"], &flag["enabled"])).collect();
        assert_eq!(flags, [(&json!("a"), &json!(false)), (&json!("b"), &json!(true))]);
    }
    assert_eq!(s.client.get("/orgs/globex/flags", &s.carol).await.json()["flags"], json!([]));
}

#[tokio::test]
async fn a_removed_flag_comes_back_with_a_higher_revision() {
    let mut s = open().await;
    s.client.put("/orgs/acme/flags/x", &s.bob, json!({"enabled": true})).await;
    let removed = s.client.delete("/orgs/acme/flags/x", &s.bob).await;
    assert_eq!(removed.status, 202);
    assert_eq!(s.client.delete("/orgs/acme/flags/x", &s.bob).await.status, 404);
    assert_eq!(s.client.delete("/orgs/acme/flags/never", &s.bob).await.status, 404);
    s.client.put("/orgs/acme/flags/x", &s.bob, json!({"enabled": true})).await;
    let (toggled, gone, back) = (s.harness.event().await, s.harness.event().await, s.harness.event().await);
    assert_eq!(gone.event_type(), "license.FlagRemoved");
    assert_eq!(removed.json(), json!({ "id": gone.attributes.id }));
    assert_eq!(gone.key.as_deref(), Some("x"));
    assert_eq!(back.event_type(), "license.FlagToggled");
    let revisions = [&toggled, &gone, &back].map(|event| event.data["revision"].as_i64().expect("a revision"));
    assert!(revisions.is_sorted_by(|a, b| a < b), "{revisions:?}");
}

#[tokio::test]
async fn only_admins_of_the_org_change_and_only_members_read() {
    let s = open().await;
    let (path, body) = ("/orgs/acme/flags/x", json!({"enabled": true}));
    for (caller, status) in [(&String::new(), 401), (&s.alice, 403), (&s.carol, 403), (&s.bob, 202), (&s.root, 202)] {
        assert_eq!(s.client.put(path, caller, body.clone()).await.status, status);
    }
    for (caller, status) in [(&String::new(), 401), (&s.alice, 403), (&s.carol, 403)] {
        assert_eq!(s.client.delete(path, caller).await.status, status);
    }
    for (caller, status) in [(&String::new(), 401), (&s.alice, 200), (&s.carol, 403)] {
        assert_eq!(s.client.get("/orgs/acme/flags", caller).await.status, status);
    }
    assert_eq!(s.client.put("/orgs/globex/flags/x", &s.bob, body).await.status, 403);
}

#[tokio::test]
async fn wrong_bodies_and_names_are_named() {
    let s = open().await;
    for (body, named) in [
        (json!({"enabled": "yes"}), "enabled"),
        (json!({}), "enabled"),
        (json!({"enabled": true, "colour": "red"}), "colour"),
        (json!([]), "body"),
    ] {
        let answer = s.client.put("/orgs/acme/flags/x", &s.bob, body).await;
        assert_eq!(answer.status, 400);
        assert!(answer.error().contains(named), "{}", answer.error());
    }
    for path in ["/orgs/acme/flags/a%20b".to_owned(), format!("/orgs/acme/flags/{}", "x".repeat(65))] {
        let answer = s.client.put(&path, &s.bob, json!({"enabled": true})).await;
        assert_eq!(answer.status, 400);
        assert!(answer.error().contains("flag"), "{}", answer.error());
    }
    assert_eq!(s.client.put("/orgs/a%0Ac/flags/x", &s.bob, json!({"enabled": true})).await.status, 400);
    let longest = format!("/orgs/acme/flags/{}", "x".repeat(64));
    assert_eq!(s.client.put(&longest, &s.bob, json!({"enabled": true})).await.status, 202);
}

#[tokio::test]
async fn changes_at_once_are_one_after_the_other() {
    let mut s = open().await;
    let calls = (0..8).map(|n| {
        let (client, bob) = (s.client.clone(), s.bob.clone());
        tokio::spawn(async move { client.put("/orgs/acme/flags/x", &bob, json!({"enabled": n % 2 == 0})).await })
    });
    let mut published = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        let answer = call.await.expect("an answer");
        assert_eq!(answer.status, 202);
        published.extend(answer.json().get("id").cloned());
    }
    let (mut values, mut revisions) = (Vec::new(), Vec::new());
    for _ in &published {
        let event = s.harness.event().await;
        values.push(event.data["enabled"].as_bool().expect("a value"));
        revisions.push(event.data["revision"].as_i64().expect("a revision"));
    }
    assert!(values.windows(2).all(|pair| pair[0] != pair[1]), "every event is a change: {values:?}");
    assert!(revisions.is_sorted_by(|a, b| a < b), "{revisions:?}");
    let now = s.client.get("/orgs/acme/flags", &s.bob).await.json();
    assert_eq!(now["flags"][0]["enabled"], *values.last().expect("an event"));
}
