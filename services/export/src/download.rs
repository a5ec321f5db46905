//! The files of finished exports.

use crate::App;
use crate::job::{Job, JobId, Status, store};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use fanfare_producer::{CurrentCaller, Error, PathIds};
use tokio_util::io::ReaderStream;

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/exports/{id}/download", get(download))
}

/// Only the user who started the export gets its file: an admin may see that it exists, not its content.
async fn download(
    State(app): State<App>,
    CurrentCaller(caller): CurrentCaller,
    PathIds(id): PathIds<JobId>,
) -> Result<Response, Error> {
    let job = store::find(app.producer.database().reader(), &id).await?;
    let Some(job) = job.filter(|job| job.user == *caller.user()) else {
        return Err(Error::NotFound(format!("there is no export {id}")));
    };
    match job.status {
        Status::Completed => {}
        Status::Failed => return Err(Error::Conflict("this export failed and has no file".into())),
        Status::Queued | Status::Running => return Err(Error::Conflict("this export is not done yet".into())),
    }
    let file = open(&app, &job).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_LENGTH, job.size_bytes().to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", job.file_name())),
        (header::CACHE_CONTROL, "private, no-store".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    Ok((headers, Body::from_stream(ReaderStream::new(file))).into_response())
}

async fn open(app: &App, job: &Job) -> Result<tokio::fs::File, Error> {
    let gone = || Error::NotFound("the file of this export is not kept any more".into());
    let written = job.written.as_ref().ok_or_else(gone)?;
    match tokio::fs::File::open(app.files.path(&written.file)).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(gone()),
        opened => opened.map_err(Error::internal),
    }
}
