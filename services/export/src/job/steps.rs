//! One job, step by step.

use super::store::{self, Held};
use super::{Kind, Status};
use crate::App;
use crate::report::{self, FAILS_AT, Files, STEPS, Step, Written};
use fanfare_producer::Error;

/// Attempts after which a job fails: it may be what crashes the process.
const MOST_ATTEMPTS: i64 = 5;

/// The result of a step.
pub(super) enum Outcome {
    /// There is more to do.
    Continue,
    /// The job has ended, or another worker holds it.
    End,
}

/// Runs the next step of the job and commits it with its event.
pub(super) async fn next_step(app: &App, held: &mut Held) -> Result<Outcome, Error> {
    if held.attempt > MOST_ATTEMPTS {
        return fail(app, held, "The export was interrupted too often.").await;
    }
    let Some(step) = STEPS.get(held.job.steps_done) else {
        return complete(app, held).await;
    };
    if held.job.kind == Kind::Broken && held.job.steps_done == FAILS_AT {
        return fail(app, held, "The usage data could not be read.").await;
    }
    let part = report::part(&held.job.org, held.job.steps_done);
    let name = Files::name(&held.job.id, &held.worker);
    match app.files.append(held.job.written.clone(), name, part).await {
        Ok(written) => progress(app, held, step, written).await,
        Err(error) => {
            tracing::error!(job = %held.job.id, %error, "the file of an export could not be written");
            fail(app, held, "The file could not be written.").await
        }
    }
}

async fn progress(app: &App, held: &mut Held, step: &Step, written: Written) -> Result<Outcome, Error> {
    held.job.written = Some(written);
    held.job.steps_done += 1;
    held.job.percent = step.percent;
    step.stage.clone_into(&mut held.job.stage);
    let mut change = app.producer.begin().await?;
    if !store::advance(&mut change, held).await? {
        return Ok(lost(held));
    }
    change.publish(held.job.about(), &held.job.progress()).await?;
    change.commit().await?;
    Ok(Outcome::Continue)
}

async fn complete(app: &App, held: &Held) -> Result<Outcome, Error> {
    let mut change = app.producer.begin().await?;
    if !store::finish(&mut change, held, Status::Completed, None).await? {
        return Ok(lost(held));
    }
    let event = held.job.completed(app.settings.public_url.as_ref());
    change.publish(held.job.about(), &event).await?;
    change.commit().await?;
    Ok(Outcome::End)
}

async fn fail(app: &App, held: &Held, reason: &str) -> Result<Outcome, Error> {
    let mut change = app.producer.begin().await?;
    if !store::finish(&mut change, held, Status::Failed, Some(reason)).await? {
        return Ok(lost(held));
    }
    change.publish(held.job.about(), &held.job.failed(reason)).await?;
    change.commit().await?;
    if let Some(written) = &held.job.written {
        app.files.remove(&written.file).await;
    }
    Ok(Outcome::End)
}

fn lost(held: &Held) -> Outcome {
    tracing::warn!(job = %held.job.id, "another worker has taken the job");
    Outcome::End
}
