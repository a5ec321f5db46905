//! Raising alerts.

use crate::open;
use serde_json::{Value, json};

fn alert(more: Value) -> Value {
    let mut alert = json!({"severity": "warning", "title": "Maintenance", "message": "At noon."});
    let fields = alert.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    alert
}

#[tokio::test]
async fn whom_an_alert_reaches() {
    let mut s = open().await;
    let (bob, root) = (s.login("bob").await, s.login("root").await);
    for (caller, names, org, user) in [
        (&bob, json!({"org": "acme"}), json!("acme"), json!(null)),
        (&bob, json!({"user": "alice"}), json!("acme"), json!("alice")),
        (&bob, json!({"org": "acme", "user": "alice"}), json!("acme"), json!("alice")),
        (&root, json!({}), json!(null), json!(null)),
        (&root, json!({"org": null, "user": null}), json!(null), json!(null)),
        (&root, json!({"org": "globex"}), json!("globex"), json!(null)),
        (&root, json!({"user": "carol"}), json!(null), json!("carol")),
    ] {
        let answer = s.client.post("/alerts", caller, alert(names.clone())).await;
        assert_eq!(answer.status, 202, "{names}");
        let event = s.event().await;
        assert_eq!(answer.json(), json!({ "id": event.attributes.id }));
        assert_eq!(event.event_type(), "system.Alert");
        assert_eq!((&event.data["org"], &event.data["user"]), (&org, &user), "{names}");
        assert_eq!(json!(event.attributes.org), org, "the event belongs to the org it names");
    }
}

#[tokio::test]
async fn who_may_not_raise_it() {
    let s = open().await;
    let (alice, bob) = (s.login("alice").await, s.login("bob").await);
    let nobody = String::new();
    for (caller, names, status) in [
        (&nobody, json!({"org": "acme"}), 401),
        (&alice, json!({"org": "acme"}), 403),
        (&alice, json!({"user": "alice"}), 403),
        (&bob, json!({}), 403),
        (&bob, json!({"org": "globex"}), 403),
        (&bob, json!({"org": "globex", "user": "carol"}), 403),
    ] {
        let answer = s.client.post("/alerts", caller, alert(names.clone())).await;
        assert_eq!(answer.status, status, "{names}");
    }
}

#[tokio::test]
async fn every_severity_and_a_link_are_carried() {
    let mut s = open().await;
    let root = s.login("root").await;
    for severity in ["info", "success", "warning", "error"] {
        let body = alert(json!({"severity": severity, "link": "/status?day=1", "org": "acme"}));
        assert_eq!(s.client.post("/alerts", &root, body).await.status, 202);
        let event = s.event().await;
        assert_eq!(event.data["severity"], severity);
        assert_eq!(event.data["link"], "/status?day=1");
        assert_eq!(event.data["title"], "Maintenance");
        assert_eq!(event.data["message"], "At noon.");
        assert_eq!(event.data["raised_by"], "root");
    }
}

#[tokio::test]
async fn wrong_alerts_are_named() {
    let s = open().await;
    let root = s.login("root").await;
    for (more, named) in [
        (json!({"severity": "loud"}), "severity"),
        (json!({"title": ""}), "title"),
        (json!({"title": "x".repeat(201)}), "title"),
        (json!({"message": 7}), "message"),
        (json!({"org": "a\nb"}), "org"),
        (json!({"user": "a\u{7}b"}), "user"),
        (json!({"link": "javascript:alert(1)"}), "link"),
        (json!({"link": "http://example.com"}), "link"),
        (json!({"audience": "all"}), "audience"),
    ] {
        let answer = s.client.post("/alerts", &root, alert(more)).await;
        assert_eq!(answer.status, 400);
        assert!(answer.error().contains(named), "{}", answer.error());
    }
    for missing in ["severity", "title", "message"] {
        let mut body = alert(json!({}));
        body.as_object_mut().expect("an object").remove(missing);
        let answer = s.client.post("/alerts", &root, body).await;
        assert!(answer.status == 400 && answer.error().contains(missing), "{}", answer.error());
    }
}
