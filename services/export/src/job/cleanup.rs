//! Deletes old jobs and their files.

use super::{Job, Status, store};
use crate::App;
use fanfare_event::Timestamp;
use fanfare_producer::Error;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(300);
/// Jobs that are kept per user.
const MOST_PER_USER: i64 = 100;

/// Cleans up periodically, until `shutdown`.
pub async fn run(app: App, shutdown: CancellationToken) {
    loop {
        if let Err(error) = round(&app).await {
            tracing::warn!(error = error.with_causes(), "old exports could not be removed");
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Deletes jobs that are too old or too many, then every file without a job.
///
/// # Errors
/// If the database or the disk fails.
pub async fn round(app: &App) -> Result<(), Error> {
    let mut change = app.producer.begin().await?;
    let keep = i64::try_from(app.settings.keep.as_millis()).unwrap_or(i64::MAX);
    let before = Timestamp(change.now().0.saturating_sub(keep));
    store::forget(&mut change, before, MOST_PER_USER).await?;
    change.commit().await?;
    // Starts from the files on disk, so that a file whose removal was interrupted is found as well.
    for (id, file) in app.files.list().await.map_err(Error::internal)? {
        let job = store::find(app.producer.database().reader(), &id).await?;
        if !job.is_some_and(|job| may_need(&job, &file)) {
            app.files.remove(&file).await;
        }
    }
    Ok(())
}

/// The worker of an unfinished job may have created a file that is not committed yet.
fn may_need(job: &Job, file: &str) -> bool {
    match job.status {
        Status::Queued | Status::Running => true,
        Status::Completed => job.written.as_ref().is_some_and(|written| written.file == file),
        Status::Failed => false,
    }
}
