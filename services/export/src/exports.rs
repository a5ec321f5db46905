//! Starting an export and reading its progress.

use crate::App;
use crate::job::{Job, JobId, Kind, Status, store};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use fanfare_producer::{Caller, CurrentCaller, Error, PathIds, StrictJson};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

/// Unfinished jobs per user.
const MOST_PER_USER: i64 = 8;
/// Unfinished jobs of all users.
const MOST: i64 = 1_000;

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/exports", post(start)).route("/exports/{id}", get(show))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewExport {
    kind: Kind,
}

async fn start(
    State(app): State<App>,
    CurrentCaller(caller): CurrentCaller,
    StrictJson(NewExport { kind }): StrictJson<NewExport>,
) -> Result<(StatusCode, Json<Value>), Error> {
    let mut change = app.producer.begin().await?;
    let job = Job::new(caller.org()?.clone(), caller.user().clone(), kind, change.now());
    let unfinished = store::unfinished(&mut change, &job.user).await?;
    if unfinished.of_user >= MOST_PER_USER {
        let message = format!("{MOST_PER_USER} of your exports are not done yet");
        return Err(Error::TooMany { message, retry_after: Duration::from_secs(2) });
    }
    if unfinished.of_all >= MOST {
        return Err(Error::Unavailable("too many exports are waiting, try again".into()));
    }
    store::insert(&mut change, &job).await?;
    change.publish(job.about(), &job.progress()).await?;
    change.commit().await?;
    app.job_added.notify_one();
    Ok((StatusCode::ACCEPTED, Json(json!({ "job_id": job.id }))))
}

/// A job as the API shows it.
#[derive(Serialize)]
struct Shown {
    job_id: JobId,
    kind: Kind,
    status: Status,
    percent: i32,
    stage: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    download_url: Option<String>,
}

async fn show(State(app): State<App>, caller: Caller, PathIds(id): PathIds<JobId>) -> Result<Json<Shown>, Error> {
    let job = store::find(app.producer.database().reader(), &id).await?;
    let visible = |job: &Job| job.user == *caller.user() || caller.administers(&job.org);
    let Some(job) = job.filter(visible) else {
        return Err(Error::NotFound(format!("there is no export {id}")));
    };
    let done = job.status == Status::Completed;
    Ok(Json(Shown {
        file_name: done.then(|| job.file_name()),
        size_bytes: done.then(|| job.size_bytes()),
        download_url: done.then(|| job.download_url(app.settings.public_url.as_ref())),
        job_id: job.id,
        kind: job.kind,
        status: job.status,
        percent: job.percent,
        stage: job.stage,
        reason: job.reason,
    }))
}
