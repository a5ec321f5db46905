//! The files of exports.

use crate::{Service, open};
use fanfare_export::job::cleanup;
use std::path::PathBuf;

async fn done(s: &mut Service) -> String {
    let job = s.start(&s.alice, "usage-report").await;
    s.until_end().await;
    job
}

fn folder(s: &Service) -> PathBuf {
    s.harness.producer.folder().join("files")
}

/// The only file of a job.
fn file(s: &Service, job: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder(s)).expect("the folder").map(|entry| entry.expect("an entry").path());
    let mut files = entries.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(job)));
    let file = files.next();
    assert!(files.next().is_none(), "one job, one file");
    file
}

#[tokio::test]
async fn the_file_is_for_who_started_the_export() {
    let mut s = open().await;
    let job = done(&mut s).await;
    let path = format!("/exports/{job}/download");
    for (caller, status) in [(&String::new(), 401), (&s.carol, 404), (&s.bob, 404), (&s.root, 404)] {
        assert_eq!(s.client.get(&path, caller).await.status, status);
    }
    let answer = s.client.get(&path, &s.alice).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8");
    assert_eq!(answer.headers["content-length"], answer.body.len().to_string());
    assert_eq!(answer.headers["cache-control"], "private, no-store");
    let disposition = answer.headers["content-disposition"].to_str().expect("text");
    assert!(disposition.starts_with("attachment; filename=\"usage-report-"), "{disposition}");
    let text = String::from_utf8(answer.body).expect("text");
    assert!(text.starts_with("org,day,feature,users,minutes\r\nacme,D-150,search,"));
    assert!(text.contains("acme,D-1,"), "to the last day");
    assert!(!text.contains("globex"));
}

#[tokio::test]
async fn a_file_is_not_there_before_the_end() {
    let s =
        crate::open_idle(fanfare_producer::testing::Harness::open(fanfare_export::SERVICE).await, crate::settings());
    let s = s.await;
    let job = s.start(&s.alice, "usage-report").await;
    assert_eq!(s.client.get(&format!("/exports/{job}/download"), &s.alice).await.status, 409);
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_closed_to_other_users_of_the_machine() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut s = open().await;
    let job = done(&mut s).await;
    let mode = file(&s, &job).expect("a file").metadata().expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn old_jobs_go_with_their_files_and_so_do_files_without_a_job() {
    let mut s = open().await;
    let (old, new) = (done(&mut s).await, done(&mut s).await);
    let stray = folder(&s).join("0190a2b4-0000-7000-8000-000000000000.x.csv");
    let late = folder(&s).join(format!("{new}.late.csv"));
    std::fs::write(&late, "by a worker that lost the job").expect("written");
    std::fs::write(&stray, "left over").expect("written");
    let mut change = s.harness.producer.begin().await.expect("change");
    let age = sqlx::query("UPDATE jobs SET finished_at = finished_at - 90000000 WHERE job_id = $1").bind(&old);
    age.execute(change.connection()).await.expect("updated");
    change.commit().await.expect("commit");
    cleanup::round(&s.app).await.expect("cleanup");
    assert!(file(&s, &old).is_none() && !stray.exists() && !late.exists());
    assert!(file(&s, &new).is_some());
    assert_eq!(s.client.get(&format!("/exports/{old}"), &s.alice).await.status, 404);
    assert_eq!(s.status(&s.alice, &new).await["status"], "completed");
}

#[tokio::test]
async fn a_removed_file_is_reported_as_removed() {
    let mut s = open().await;
    let job = done(&mut s).await;
    std::fs::remove_file(file(&s, &job).expect("a file")).expect("removed");
    let answer = s.client.get(&format!("/exports/{job}/download"), &s.alice).await;
    assert_eq!(answer.status, 404);
    assert!(answer.error().contains("not kept"), "{}", answer.error());
}
