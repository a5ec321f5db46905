//! The table of flags.
//!
//! A removed flag keeps its row, without a value: its revision must keep rising if it is set again, or the fan-out
//! would take the old value for the newer one.

use super::name::FlagName;
use fanfare_event::Id;
use fanfare_producer::{Change, Error};
use serde::Serialize;
use sqlx::{AnyPool, Executor as _, Row as _};

/// The largest number of names that one org may ever use.
const MOST_PER_ORG: i64 = 10_000;

pub(crate) async fn create_table(pool: &AnyPool) -> Result<(), Error> {
    pool.execute(
        "CREATE TABLE IF NOT EXISTS flags (
            org TEXT NOT NULL,
            flag TEXT NOT NULL,
            enabled BIGINT,
            revision BIGINT NOT NULL,
            PRIMARY KEY (org, flag)
        )",
    )
    .await?;
    Ok(())
}

/// A flag in a list.
#[derive(Debug, Serialize)]
pub(crate) struct Listed {
    flag: String,
    enabled: bool,
    revision: i64,
}

pub(crate) async fn list(pool: &AnyPool, org: &Id) -> Result<Vec<Listed>, Error> {
    let rows =
        sqlx::query("SELECT flag, enabled, revision FROM flags WHERE org = $1 AND enabled IS NOT NULL ORDER BY flag")
            .bind(org.as_str())
            .fetch_all(pool)
            .await?;
    let listed = |row: &sqlx::any::AnyRow| -> Result<Listed, sqlx::Error> {
        Ok(Listed { flag: row.try_get(0)?, enabled: row.try_get::<i64, _>(1)? != 0, revision: row.try_get(2)? })
    };
    Ok(rows.iter().map(listed).collect::<Result<_, _>>()?)
}

/// A flag before the change; without a value if it did not exist.
pub(crate) struct Before {
    pub(crate) enabled: Option<bool>,
    pub(crate) revision: i64,
}

/// Locks the flag's row, creating it if necessary, so that revisions are assigned in the order of the commits.
pub(crate) async fn lock(change: &mut Change, org: &Id, flag: &FlagName) -> Result<Before, Error> {
    let row = sqlx::query(
        "INSERT INTO flags (org, flag, enabled, revision) VALUES ($1, $2, NULL, 0)
         ON CONFLICT (org, flag) DO UPDATE SET revision = flags.revision
         RETURNING enabled, revision",
    )
    .bind(org.as_str())
    .bind(flag.as_str())
    .fetch_one(change.connection())
    .await?;
    let before =
        Before { enabled: row.try_get::<Option<i64>, _>(0)?.map(|enabled| enabled != 0), revision: row.try_get(1)? };
    if before.revision == 0 {
        refuse_too_many(change, org).await?;
    }
    Ok(before)
}

async fn refuse_too_many(change: &mut Change, org: &Id) -> Result<(), Error> {
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM flags WHERE org = $1")
        .bind(org.as_str())
        .fetch_one(change.connection())
        .await?;
    match count > MOST_PER_ORG {
        true => Err(Error::Conflict(format!("an org may use {MOST_PER_ORG} names for flags, and these are used up"))),
        false => Ok(()),
    }
}

/// Locks the row of a flag that has a value, and returns its revision.
pub(crate) async fn lock_existing(change: &mut Change, org: &Id, flag: &FlagName) -> Result<Option<i64>, Error> {
    Ok(sqlx::query_scalar(
        "UPDATE flags SET revision = revision
         WHERE org = $1 AND flag = $2 AND enabled IS NOT NULL RETURNING revision",
    )
    .bind(org.as_str())
    .bind(flag.as_str())
    .fetch_optional(change.connection())
    .await?)
}

/// Sets or removes the value of a locked flag.
pub(crate) async fn set(
    change: &mut Change,
    org: &Id,
    flag: &FlagName,
    enabled: Option<bool>,
    revision: i64,
) -> Result<(), Error> {
    sqlx::query("UPDATE flags SET enabled = $1, revision = $2 WHERE org = $3 AND flag = $4")
        .bind(enabled.map(i64::from))
        .bind(revision)
        .bind(org.as_str())
        .bind(flag.as_str())
        .execute(change.connection())
        .await?;
    Ok(())
}
