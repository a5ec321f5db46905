//! Runs jobs, a bounded number concurrently.

use super::steps::{Outcome, next_step};
use super::store::{self, Held};
use crate::App;
use fanfare_producer::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How often it looks for jobs whose worker has died.
const POLL: Duration = Duration::from_secs(1);
/// How long a job's lease lasts without a renewal, beyond the duration of a step.
const LEASE: Duration = Duration::from_secs(4);

/// Takes jobs as they arrive and runs them, until `shutdown`; unfinished jobs are then released.
pub async fn run(app: App, shutdown: CancellationToken) {
    let slots = Arc::new(Semaphore::new(usize::from(app.settings.jobs)));
    loop {
        let slot = tokio::select! {
            () = shutdown.cancelled() => return,
            slot = Arc::clone(&slots).acquire_owned() => slot,
        };
        // The semaphore is never closed.
        let Ok(slot) = slot else { return };
        match take(&app).await {
            Ok(Some(held)) => {
                app.producer.tasks().spawn(work(app.clone(), held, slot, shutdown.clone()));
                continue;
            }
            Ok(None) => {}
            Err(error) => report(&error, "no job could be taken"),
        }
        drop(slot);
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = app.job_added.notified() => {}
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

async fn take(app: &App) -> Result<Option<Held>, Error> {
    let mut change = app.producer.begin().await?;
    let held = store::take(&mut change, Uuid::now_v7().to_string(), LEASE + app.settings.step).await?;
    if held.is_some() {
        change.commit().await?;
    }
    Ok(held)
}

async fn work(app: App, mut held: Held, slot: OwnedSemaphorePermit, shutdown: CancellationToken) {
    tracing::info!(job = %held.job.id, attempt = held.attempt, "a job is being done");
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break give_back(&app, &held).await,
            () = tokio::time::sleep(app.settings.step) => {}
        }
        match next_step(&app, &mut held).await {
            Ok(Outcome::Continue) => {}
            Ok(Outcome::End) => break,
            // Nothing of the step is committed: the lease expires, and the job is continued from the last commit.
            Err(error) => break report(&error, "a job stopped and will be taken up again"),
        }
    }
    drop(slot);
}

async fn give_back(app: &App, held: &Held) {
    let given = async {
        let mut change = app.producer.begin().await?;
        store::give_back(&mut change, held).await?;
        change.commit().await
    };
    if let Err(error) = given.await {
        report(&error, "a job could not be given back; its lease runs out");
    }
}

fn report(error: &Error, message: &str) {
    tracing::warn!(error = error.with_causes(), "{message}");
}
