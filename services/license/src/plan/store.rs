//! The table of licenses.

use super::terms::{End, PlanName, Seats, Terms};
use fanfare_event::{Id, Timestamp};
use fanfare_producer::{Change, Error};
use sqlx::any::AnyRow;
use sqlx::{AnyPool, Executor as _, Row as _};

pub(crate) async fn create_table(pool: &AnyPool) -> Result<(), Error> {
    pool.execute(
        "CREATE TABLE IF NOT EXISTS licenses (
            org TEXT NOT NULL PRIMARY KEY,
            plan TEXT NOT NULL,
            seats BIGINT NOT NULL,
            expires_at BIGINT,
            expired BIGINT NOT NULL
        )",
    )
    .await?;
    pool.execute("CREATE INDEX IF NOT EXISTS licenses_by_end ON licenses (expired, expires_at)").await?;
    Ok(())
}

/// The current license of an org.
pub(crate) struct License {
    pub(crate) terms: Terms,
    /// Whether its end has passed and was published.
    pub(crate) expired: bool,
}

pub(crate) async fn find(pool: &AnyPool, org: &Id) -> Result<Option<License>, Error> {
    let row = sqlx::query("SELECT plan, seats, expires_at, expired FROM licenses WHERE org = $1")
        .bind(org.as_str())
        .fetch_optional(pool)
        .await?;
    row.map(|row| Ok(License { terms: terms(&row)?, expired: row.try_get::<i64, _>(3)? != 0 })).transpose()
}

/// Locks the org's row, creating it if necessary. A new row has no plan, which no license has.
pub(crate) async fn lock(change: &mut Change, org: &Id) -> Result<Option<Terms>, Error> {
    let row = sqlx::query(
        "INSERT INTO licenses (org, plan, seats, expires_at, expired) VALUES ($1, '', 0, NULL, 0)
         ON CONFLICT (org) DO UPDATE SET plan = licenses.plan
         RETURNING plan, seats, expires_at",
    )
    .bind(org.as_str())
    .fetch_one(change.connection())
    .await?;
    match row.try_get::<String, _>(0)?.is_empty() {
        true => Ok(None),
        false => terms(&row).map(Some),
    }
}

/// Writes the terms of a locked license. Only a new end can pass again.
pub(crate) async fn set(change: &mut Change, org: &Id, terms: &Terms, same_end: bool) -> Result<(), Error> {
    sqlx::query("UPDATE licenses SET plan = $1, seats = $2, expires_at = $3, expired = expired * $4 WHERE org = $5")
        .bind(terms.plan.as_str())
        .bind(i64::from(terms.seats.count()))
        .bind(terms.expires_at.map(|end| end.0.0))
        .bind(i64::from(same_end))
        .bind(org.as_str())
        .execute(change.connection())
        .await?;
    Ok(())
}

/// Orgs whose license has ended and whose end was not published.
pub(crate) async fn ended(pool: &AnyPool, now: Timestamp, most: i64) -> Result<Vec<String>, Error> {
    Ok(sqlx::query_scalar(
        "SELECT org FROM licenses WHERE expired = 0 AND expires_at <= $1 ORDER BY expires_at LIMIT $2",
    )
    .bind(now.0)
    .bind(most)
    .fetch_all(pool)
    .await?)
}

/// When the next license ends.
pub(crate) async fn next_end(pool: &AnyPool) -> Result<Option<Timestamp>, Error> {
    let next: Option<i64> =
        sqlx::query_scalar("SELECT MIN(expires_at) FROM licenses WHERE expired = 0").fetch_one(pool).await?;
    Ok(next.map(Timestamp))
}

/// Marks the license as ended, if it has ended and is not marked; returns its plan and end.
pub(crate) async fn mark_ended(change: &mut Change, org: &str) -> Result<Option<(String, Timestamp)>, Error> {
    let now = change.now();
    let row = sqlx::query(
        "UPDATE licenses SET expired = 1 WHERE org = $1 AND expired = 0 AND expires_at <= $2
         RETURNING plan, expires_at",
    )
    .bind(org)
    .bind(now.0)
    .fetch_optional(change.connection())
    .await?;
    row.map(|row| Ok((row.try_get(0)?, Timestamp(row.try_get(1)?)))).transpose()
}

fn terms(row: &AnyRow) -> Result<Terms, Error> {
    Ok(Terms {
        plan: PlanName::try_from(row.try_get::<String, _>(0)?).map_err(Error::internal)?,
        seats: Seats::try_from(row.try_get::<i64, _>(1)?).map_err(Error::internal)?,
        expires_at: row.try_get::<Option<i64>, _>(2)?.map(|end| End(Timestamp(end))),
    })
}
