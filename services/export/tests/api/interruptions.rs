//! Jobs whose worker ends before they do.

use crate::{Service, open_idle, settings};
use fanfare_export::{ExportSettings, SERVICE};
use fanfare_producer::testing::Harness;
use std::time::Duration;

/// Opens the service with steps long enough to be interrupted.
async fn slow(harness: Harness) -> Service {
    let s = open_idle(harness, ExportSettings { step: Duration::from_millis(100), ..settings() }).await;
    s.app.start_tasks(&s.harness.shutdown);
    s
}

/// Puts the database into the state after a kill in the middle of a step.
async fn as_after_a_kill(s: &Service, job: &str, attempts: i64) {
    let mut change = s.harness.producer.begin().await.expect("change");
    let held = change.now().0 + 300;
    sqlx::query(
        "UPDATE jobs SET status = 'running', worker = 'dead', held_until = $1, attempts = $2 WHERE job_id = $3",
    )
    .bind(held)
    .bind(attempts)
    .bind(job)
    .execute(change.connection())
    .await
    .expect("updated");
    change.commit().await.expect("commit");
}

#[tokio::test]
async fn a_stop_releases_jobs_and_the_next_start_continues_them() {
    let mut s = slow(Harness::open(SERVICE).await).await;
    let job = s.start(&s.alice, "usage-report").await;
    let mut seen =
        vec![s.harness.event().await.data["percent"].clone(), s.harness.event().await.data["percent"].clone()];
    assert_eq!(seen, [0, 20]);
    let folder = s.harness.stop().await;
    let mut s = slow(Harness::open_in(SERVICE, folder).await).await;
    let (percents, end) = s.until_end().await;
    seen.extend(percents.into_iter().map(Into::into));
    assert_eq!(seen, [0, 20, 40, 60, 80, 100], "nothing is done twice");
    assert_eq!(end.event_type(), "export.ExportCompleted");
    let answer = s.client.get(&format!("/exports/{job}/download"), &s.alice).await;
    assert_eq!(end.data["size_bytes"], answer.body.len());
    let rows = String::from_utf8(answer.body).expect("text").lines().count();
    assert_eq!(rows, 1 + 5 * 30 * 6, "no row is missing or twice");
}

#[tokio::test]
async fn a_job_whose_worker_died_is_taken_up_when_its_lease_ends() {
    let mut s = open_idle(Harness::open(SERVICE).await, settings()).await;
    let job = s.start(&s.alice, "usage-report").await;
    as_after_a_kill(&s, &job, 1).await;
    // Half of a step that was never committed.
    let file = s.harness.producer.folder().join("files").join(format!("{job}.dead.csv"));
    std::fs::write(&file, "org,day,fea").expect("written");
    s.app.start_tasks(&s.harness.shutdown);
    let (percents, end) = s.until_end().await;
    assert_eq!(percents, [0, 20, 40, 60, 80, 100]);
    assert_eq!(end.event_type(), "export.ExportCompleted");
    let answer = s.client.get(&format!("/exports/{job}/download"), &s.alice).await;
    assert!(answer.body.starts_with(b"org,day,feature,"));
}

#[tokio::test]
async fn a_job_that_is_interrupted_again_and_again_fails() {
    let mut s = open_idle(Harness::open(SERVICE).await, settings()).await;
    let job = s.start(&s.alice, "usage-report").await;
    as_after_a_kill(&s, &job, 5).await;
    s.app.start_tasks(&s.harness.shutdown);
    let (_, end) = s.until_end().await;
    assert_eq!(end.event_type(), "export.ExportFailed");
    assert!(end.data["reason"].as_str().expect("a reason").contains("interrupted"));
}

#[tokio::test]
async fn a_worker_that_lost_its_job_publishes_nothing_more_of_it() {
    let mut s = slow(Harness::open(SERVICE).await).await;
    let job = s.start(&s.alice, "usage-report").await;
    assert_eq!(s.harness.event().await.data["percent"], 0);
    assert_eq!(s.harness.event().await.data["percent"], 20);
    as_after_a_kill(&s, &job, 1).await;
    // The other worker does not exist, so this one takes the job back when the lease expires.
    let (percents, end) = s.until_end().await;
    assert!(percents.is_sorted_by(|a, b| a < b), "no step is told twice: {percents:?}");
    assert_eq!(end.event_type(), "export.ExportCompleted");
}
