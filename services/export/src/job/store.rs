//! The table of jobs.
//!
//! A worker holds its job by a lease: a job whose worker died becomes free when the lease expires, and a worker that
//! was only slow notices that it has lost the job.

use super::{Job, JobId, Kind, Status};
use crate::report::Written;
use fanfare_event::{Id, Timestamp};
use fanfare_producer::{Change, Error};
use sqlx::any::AnyRow;
use sqlx::{AnyPool, Executor as _, Row as _};
use std::time::Duration;

pub(crate) async fn create_table(pool: &AnyPool) -> Result<(), Error> {
    pool.execute(
        "CREATE TABLE IF NOT EXISTS jobs (
            job_id TEXT NOT NULL PRIMARY KEY,
            org TEXT NOT NULL,
            user_id TEXT NOT NULL,
            kind TEXT NOT NULL,
            status TEXT NOT NULL,
            percent BIGINT NOT NULL,
            stage TEXT NOT NULL,
            reason TEXT,
            steps_done BIGINT NOT NULL,
            file TEXT,
            size_bytes BIGINT NOT NULL,
            created_at BIGINT NOT NULL,
            finished_at BIGINT,
            worker TEXT,
            held_until BIGINT NOT NULL,
            attempts BIGINT NOT NULL
        )",
    )
    .await?;
    pool.execute("CREATE INDEX IF NOT EXISTS jobs_by_user ON jobs (user_id)").await?;
    pool.execute("CREATE INDEX IF NOT EXISTS jobs_to_do ON jobs (job_id) WHERE finished_at IS NULL").await?;
    Ok(())
}

pub(crate) async fn insert(change: &mut Change, job: &Job) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO jobs (job_id, org, user_id, kind, status, percent, stage, steps_done, size_bytes,
                           created_at, held_until, attempts)
         VALUES ($1, $2, $3, $4, $5, 0, $6, 0, 0, $7, 0, 0)",
    )
    .bind(job.id.as_str())
    .bind(job.org.as_str())
    .bind(job.user.as_str())
    .bind(job.kind.name())
    .bind(job.status.name())
    .bind(job.stage.as_str())
    .bind(job.created_at.0)
    .execute(change.connection())
    .await?;
    Ok(())
}

pub(crate) async fn find(pool: &AnyPool, id: &JobId) -> Result<Option<Job>, Error> {
    let row = sqlx::query(
        "SELECT job_id, org, user_id, kind, status, percent, stage, reason, steps_done, file, size_bytes, created_at
         FROM jobs WHERE job_id = $1",
    )
    .bind(id.as_str())
    .fetch_optional(pool)
    .await?;
    row.as_ref().map(job).transpose()
}

/// Unfinished jobs.
pub(crate) struct Unfinished {
    pub(crate) of_user: i64,
    pub(crate) of_all: i64,
}

pub(crate) async fn unfinished(change: &mut Change, user: &Id) -> Result<Unfinished, Error> {
    let row = sqlx::query(
        "SELECT COALESCE(SUM(CASE WHEN user_id = $1 THEN 1 ELSE 0 END), 0), COUNT(*)
         FROM jobs WHERE finished_at IS NULL",
    )
    .bind(user.as_str())
    .fetch_one(change.connection())
    .await?;
    Ok(Unfinished { of_user: row.try_get(0)?, of_all: row.try_get(1)? })
}

/// A job that this process runs.
pub(crate) struct Held {
    pub(crate) job: Job,
    /// The id of this attempt.
    pub(crate) worker: String,
    /// The number of this attempt, from 1.
    pub(crate) attempt: i64,
    /// How long the lease lasts without a renewal.
    lease: Duration,
}

/// Takes the oldest job without a worker.
pub(crate) async fn take(change: &mut Change, worker: String, lease: Duration) -> Result<Option<Held>, Error> {
    let Timestamp(now) = change.now();
    // The condition is repeated: of two processes that found the same job, the later one finds it taken.
    let row = sqlx::query(
        "UPDATE jobs SET status = 'running', worker = $1, held_until = $2, attempts = attempts + 1
         WHERE finished_at IS NULL AND held_until <= $3 AND job_id = (
             SELECT job_id FROM jobs WHERE finished_at IS NULL AND held_until <= $3 ORDER BY job_id LIMIT 1
         )
         RETURNING job_id, org, user_id, kind, status, percent, stage, reason, steps_done, file,
                   size_bytes, created_at, attempts",
    )
    .bind(worker.as_str())
    .bind(now.saturating_add(milliseconds(lease)))
    .bind(now)
    .fetch_optional(change.connection())
    .await?;
    row.map(|row| Ok(Held { job: job(&row)?, worker, attempt: row.try_get(12)?, lease })).transpose()
}

/// Stores the job's progress and renews the lease; false if another worker holds the job now.
pub(crate) async fn advance(change: &mut Change, held: &Held) -> Result<bool, Error> {
    let Timestamp(now) = change.now();
    let Job { id, percent, stage, steps_done, written, .. } = &held.job;
    let result = sqlx::query(
        "UPDATE jobs SET percent = $1, stage = $2, steps_done = $3, file = $4, size_bytes = $5, held_until = $6
         WHERE job_id = $7 AND worker = $8 AND finished_at IS NULL",
    )
    .bind(i64::from(*percent))
    .bind(stage.as_str())
    .bind(i64::try_from(*steps_done).map_err(Error::internal)?)
    .bind(written.as_ref().map(|written| written.file.as_str()))
    .bind(i64::try_from(held.job.size_bytes()).map_err(Error::internal)?)
    .bind(now.saturating_add(milliseconds(held.lease)))
    .bind(id.as_str())
    .bind(held.worker.as_str())
    .execute(change.connection())
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Ends the job; false if another worker holds it now.
pub(crate) async fn finish(
    change: &mut Change,
    held: &Held,
    status: Status,
    reason: Option<&str>,
) -> Result<bool, Error> {
    let Timestamp(now) = change.now();
    let result = sqlx::query(
        "UPDATE jobs SET status = $1, reason = $2, finished_at = $3
         WHERE job_id = $4 AND worker = $5 AND finished_at IS NULL",
    )
    .bind(status.name())
    .bind(reason)
    .bind(now)
    .bind(held.job.id.as_str())
    .bind(held.worker.as_str())
    .execute(change.connection())
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Releases the job, so that the next worker need not wait for the lease.
pub(crate) async fn give_back(change: &mut Change, held: &Held) -> Result<(), Error> {
    sqlx::query("UPDATE jobs SET held_until = 0, attempts = attempts - 1 WHERE job_id = $1 AND worker = $2")
        .bind(held.job.id.as_str())
        .bind(held.worker.as_str())
        .execute(change.connection())
        .await?;
    Ok(())
}

/// Deletes jobs that ended before the time, and the oldest of users who have more than `most`.
pub(crate) async fn forget(change: &mut Change, before: Timestamp, most: i64) -> Result<(), Error> {
    sqlx::query(
        "DELETE FROM jobs WHERE finished_at IS NOT NULL AND (finished_at < $1 OR $2 <= (
             SELECT COUNT(*) FROM jobs AS newer WHERE newer.user_id = jobs.user_id AND newer.job_id > jobs.job_id
         ))",
    )
    .bind(before.0)
    .bind(most)
    .execute(change.connection())
    .await?;
    Ok(())
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn job(row: &AnyRow) -> Result<Job, Error> {
    let unknown = |column: &str| Error::internal(format!("a job has an unknown {column}"));
    let id =
        |index: usize| -> Result<Id, Error> { Id::parse(&row.try_get::<String, _>(index)?).map_err(Error::internal) };
    Ok(Job {
        id: JobId::try_from(row.try_get::<String, _>(0)?).map_err(Error::internal)?,
        org: id(1)?,
        user: id(2)?,
        kind: Kind::parse(&row.try_get::<String, _>(3)?).ok_or_else(|| unknown("kind"))?,
        status: Status::parse(&row.try_get::<String, _>(4)?).ok_or_else(|| unknown("status"))?,
        percent: i32::try_from(row.try_get::<i64, _>(5)?).map_err(Error::internal)?,
        stage: row.try_get(6)?,
        reason: row.try_get(7)?,
        steps_done: usize::try_from(row.try_get::<i64, _>(8)?).map_err(Error::internal)?,
        written: written(row)?,
        created_at: Timestamp(row.try_get(11)?),
    })
}

fn written(row: &AnyRow) -> Result<Option<Written>, Error> {
    let Some(file) = row.try_get(9)? else {
        return Ok(None);
    };
    let size = u64::try_from(row.try_get::<i64, _>(10)?).map_err(Error::internal)?;
    Ok(Some(Written { file, size }))
}
