//! Jobs from their start to their end.

use crate::{open, open_idle, settings};
use fanfare_export::{ExportSettings, SERVICE};
use fanfare_producer::testing::Harness;
use serde_json::{Value, json};

#[tokio::test]
async fn a_report_publishes_its_progress_and_its_end() {
    let mut s = open().await;
    let job = s.start(&s.alice, "usage-report").await;
    let (percents, end) = s.until_end().await;
    assert_eq!(percents, [0, 20, 40, 60, 80, 100]);
    assert_eq!(end.event_type(), "export.ExportCompleted");
    assert_eq!(end.data["org"], "acme");
    assert_eq!(end.data["user"], "alice");
    assert_eq!(end.data["job_id"], job);
    assert_eq!(end.data["kind"], "usage-report");
    assert_eq!(end.data["download_url"], format!("/exports/{job}/download"));
    assert_eq!(end.attributes.subject.as_deref(), Some(job.as_str()));
    let shown = s.status(&s.alice, &job).await;
    let size = end.data["size_bytes"].as_i64().expect("a size");
    assert!(size > 1_000);
    let expected = json!({
        "job_id": job, "kind": "usage-report", "status": "completed", "percent": 100, "stage": "checking",
        "file_name": end.data["file_name"], "size_bytes": size, "download_url": format!("/exports/{job}/download"),
    });
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn a_broken_export_fails_with_a_reason() {
    let mut s = open().await;
    let job = s.start(&s.alice, "broken").await;
    let (percents, end) = s.until_end().await;
    assert_eq!(percents, [0, 20, 40]);
    assert_eq!(end.event_type(), "export.ExportFailed");
    assert_eq!(end.data["kind"], "broken");
    assert!(!end.data["reason"].as_str().expect("a reason").is_empty());
    let shown = s.status(&s.alice, &job).await;
    assert_eq!(shown["status"], "failed");
    assert_eq!(shown["reason"], end.data["reason"]);
    assert!(shown.get("download_url").is_none());
    assert_eq!(s.client.get(&format!("/exports/{job}/download"), &s.alice).await.status, 409);
}

#[tokio::test]
async fn a_superadmin_exports_in_the_org_that_is_named() {
    let mut s = open().await;
    let answer = s.client.post("/exports?org=globex", &s.root, json!({"kind": "usage-report"})).await;
    assert_eq!(answer.status, 202);
    assert_eq!(s.harness.event().await.data["org"], "globex");
    let other = s.client.post("/exports?org=globex", &s.alice, json!({"kind": "usage-report"})).await;
    assert_eq!(other.status, 403);
}

#[tokio::test]
async fn who_may_ask_for_a_job() {
    let s = open().await;
    let job = s.start(&s.alice, "usage-report").await;
    let path = format!("/exports/{job}");
    for (caller, status) in [(&String::new(), 401), (&s.alice, 200), (&s.bob, 200), (&s.root, 200), (&s.carol, 404)] {
        assert_eq!(s.client.get(&path, caller).await.status, status);
    }
    let carols = s.start(&s.carol, "usage-report").await;
    assert_eq!(s.client.get(&format!("/exports/{carols}"), &s.bob).await.status, 404);
    assert_eq!(s.client.get("/exports/0190a2b4-0000-7000-8000-000000000000", &s.alice).await.status, 404);
    for wrong in ["x", "..%2F..%2Fetc%2Fpasswd", &job.to_uppercase()] {
        assert_eq!(s.client.get(&format!("/exports/{wrong}"), &s.alice).await.status, 400, "{wrong}");
        assert_eq!(s.client.get(&format!("/exports/{wrong}/download"), &s.alice).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn wrong_kinds_are_named() {
    let s = open().await;
    for body in [json!({"kind": "everything"}), json!({"kind": 1}), json!({}), json!({"kind": "broken", "x": 1})] {
        let answer = s.client.post("/exports", &s.alice, body).await;
        assert_eq!(answer.status, 400);
        assert!(answer.error().contains("kind"), "{}", answer.error());
    }
    assert_eq!(s.client.post("/exports", "", json!({"kind": "broken"})).await.status, 401);
    assert_eq!(s.client.post("/exports", &s.alice, Value::Null).await.status, 400);
}

#[tokio::test]
async fn unfinished_jobs_are_limited_per_user() {
    let s = open_idle(Harness::open(SERVICE).await, settings()).await;
    for _ in 0..8 {
        s.start(&s.alice, "usage-report").await;
    }
    let refused = s.client.post("/exports", &s.alice, json!({"kind": "usage-report"})).await;
    assert_eq!(refused.status, 429);
    assert!(refused.headers.contains_key("retry-after"));
    s.start(&s.bob, "usage-report").await;
}

#[tokio::test]
async fn many_jobs_all_come_to_an_end() {
    let mut s = open().await;
    for token in [&s.alice, &s.bob, &s.carol] {
        for kind in ["usage-report", "broken"] {
            s.start(token, kind).await;
        }
    }
    let mut ends = std::collections::BTreeMap::new();
    for _ in 0..6 {
        let (_, end) = s.until_end().await;
        *ends.entry(end.event_type().to_owned()).or_insert(0) += 1;
    }
    assert_eq!(ends["export.ExportCompleted"], 3);
    assert_eq!(ends["export.ExportFailed"], 3);
}

#[tokio::test]
async fn a_public_url_makes_links_absolute() {
    let public = ExportSettings { public_url: Some("https://x.example/".parse().expect("url")), ..settings() };
    let mut s = open_idle(Harness::open(SERVICE).await, public).await;
    s.app.start_tasks(&s.harness.shutdown);
    let job = s.start(&s.alice, "usage-report").await;
    let (_, end) = s.until_end().await;
    assert_eq!(end.data["download_url"], format!("https://x.example/exports/{job}/download"));
}
