//! Licenses and their end.

use crate::open;
use serde_json::{Value, json};

const FAR: &str = "2999-01-01T00:00:00Z";

#[tokio::test]
async fn new_terms_are_an_event_and_the_same_terms_are_not() {
    let mut s = open().await;
    assert_eq!(s.client.get("/orgs/acme/license", &s.alice).await.status, 404);
    let terms = json!({"plan": "pro", "seats": 5, "expires_at": "2999-01-01T01:00:00+01:00"});
    let answer = s.client.put("/orgs/acme/license", &s.bob, terms).await;
    assert_eq!(answer.status, 202);
    let event = s.harness.event().await;
    assert_eq!(answer.json(), json!({ "id": event.attributes.id }));
    assert_eq!(event.event_type(), "license.LicenseUpdated");
    assert_eq!(event.data["plan"], "pro");
    assert_eq!(event.data["seats"], 5);
    assert!(!event.data["expires_at"].is_null());
    // The same moment in another notation.
    let same = s.client.put("/orgs/acme/license", &s.root, json!({"plan": "pro", "seats": 5, "expires_at": FAR})).await;
    assert_eq!((same.status.as_u16(), same.json()), (202, json!({})));
    s.client.put("/orgs/acme/license", &s.bob, json!({"plan": "pro", "seats": 6})).await;
    let event = s.harness.event().await;
    assert_eq!(event.data["seats"], 6);
    assert_eq!(event.data["expires_at"], Value::Null);
    let shown = s.client.get("/orgs/acme/license", &s.alice).await.json();
    let expected = json!({"org": "acme", "plan": "pro", "seats": 6, "expires_at": null, "expired": false});
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn only_admins_of_the_org_change_and_only_members_read() {
    let s = open().await;
    let terms = json!({"plan": "pro", "seats": 5, "expires_at": FAR});
    for (caller, status) in [(&String::new(), 401), (&s.alice, 403), (&s.carol, 403), (&s.bob, 202), (&s.root, 202)] {
        assert_eq!(s.client.put("/orgs/acme/license", caller, terms.clone()).await.status, status);
    }
    for (caller, status) in [(&String::new(), 401), (&s.carol, 403), (&s.alice, 200), (&s.root, 200)] {
        assert_eq!(s.client.get("/orgs/acme/license", caller).await.status, status);
    }
}

#[tokio::test]
async fn wrong_terms_are_named() {
    let s = open().await;
    for (terms, named) in [
        (json!({"seats": 1}), "plan"),
        (json!({"plan": "pro"}), "seats"),
        (json!({"plan": "", "seats": 1}), "plan"),
        (json!({"plan": 7, "seats": 1}), "plan"),
        (json!({"plan": "pro", "seats": "many"}), "seats"),
        (json!({"plan": "pro", "seats": -1}), "seats"),
        (json!({"plan": "pro", "seats": 1, "expires_at": "soon"}), "expires_at"),
        (json!({"plan": "pro", "seats": 1, "price": 3}), "price"),
    ] {
        let answer = s.client.put("/orgs/acme/license", &s.bob, terms).await;
        assert_eq!(answer.status, 400);
        assert!(answer.error().contains(named), "{}", answer.error());
    }
}

#[tokio::test]
async fn a_license_that_ends_is_published_once() {
    let mut s = open().await;
    s.app.start_tasks(&s.harness.shutdown);
    let soon = {
        let now = s.harness.producer.database().now().await.expect("time");
        fanfare_event::Timestamp(now.0 + 300)
    };
    let terms = |seats: i32| json!({"plan": "trial", "seats": seats, "expires_at": soon.to_rfc3339()});
    s.client.put("/orgs/acme/license", &s.bob, terms(1)).await;
    assert_eq!(s.harness.event().await.event_type(), "license.LicenseUpdated");
    let expired = s.harness.event().await;
    assert_eq!(expired.event_type(), "license.LicenseExpired");
    assert_eq!(expired.data["plan"], "trial");
    assert_eq!(expired.data["expired_at"], soon.0);
    assert!(expired.attributes.time >= soon, "not before its end");
    assert_eq!(s.client.get("/orgs/acme/license", &s.alice).await.json()["expired"], true);
    // More seats with the same end: it has passed already, so it is not published again.
    s.client.put("/orgs/acme/license", &s.bob, terms(2)).await;
    assert_eq!(s.harness.event().await.event_type(), "license.LicenseUpdated");
    assert_eq!(s.client.get("/orgs/acme/license", &s.alice).await.json()["expired"], true);
    let past = json!({"plan": "trial", "seats": 2, "expires_at": "2020-01-01T00:00:00Z"});
    s.client.put("/orgs/acme/license", &s.bob, past).await;
    assert_eq!(s.harness.event().await.event_type(), "license.LicenseUpdated");
    let expired = s.harness.event().await;
    assert_eq!(expired.event_type(), "license.LicenseExpired", "another end passes again");
}

#[tokio::test]
async fn a_license_that_ended_while_the_service_was_down_is_published_at_the_start() {
    let mut s = open().await;
    let past = json!({"plan": "trial", "seats": 2, "expires_at": "2020-01-01T00:00:00Z"});
    s.client.put("/orgs/acme/license", &s.bob, past).await;
    assert_eq!(s.harness.event().await.event_type(), "license.LicenseUpdated");
    s.app.start_tasks(&s.harness.shutdown);
    assert_eq!(s.harness.event().await.event_type(), "license.LicenseExpired");
}
