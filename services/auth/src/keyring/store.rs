//! The table of keys. Whoever may read the database may sign, so its file is readable only by its owner.

use fanfare_event::Timestamp;
use fanfare_producer::{Change, Error};
use sqlx::{AnyPool, Executor as _, Row as _};

pub(crate) async fn create_tables(pool: &AnyPool) -> Result<(), Error> {
    pool.execute(
        "CREATE TABLE IF NOT EXISTS signing_keys (
            kid TEXT NOT NULL PRIMARY KEY,
            pem TEXT NOT NULL,
            created_at BIGINT NOT NULL,
            signs_from BIGINT,
            retired_at BIGINT
        )",
    )
    .await?;
    pool.execute(
        "CREATE TABLE IF NOT EXISTS signing_key_lock (
            id BIGINT NOT NULL PRIMARY KEY,
            rotations BIGINT NOT NULL
        )",
    )
    .await?;
    Ok(())
}

/// A key with its times.
pub(crate) struct Stored {
    pub(crate) kid: String,
    pub(crate) pem: String,
    pub(crate) signs_from: Option<Timestamp>,
    pub(crate) retired_at: Option<Timestamp>,
}

impl Stored {
    pub(crate) fn is_signing(&self) -> bool {
        self.signs_from.is_some() && self.retired_at.is_none()
    }

    pub(crate) fn is_next(&self) -> bool {
        self.signs_from.is_none()
    }
}

/// Locks all keys, so that rotations of several processes run one after another.
pub(crate) async fn lock(change: &mut Change) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO signing_key_lock (id, rotations) VALUES (1, 1)
         ON CONFLICT (id) DO UPDATE SET rotations = signing_key_lock.rotations + 1",
    )
    .execute(change.connection())
    .await?;
    Ok(())
}

pub(crate) async fn all(change: &mut Change) -> Result<Vec<Stored>, Error> {
    let rows = sqlx::query("SELECT kid, pem, signs_from, retired_at FROM signing_keys ORDER BY created_at, kid")
        .fetch_all(change.connection())
        .await?;
    let stored = |row: &sqlx::any::AnyRow| -> Result<Stored, sqlx::Error> {
        Ok(Stored {
            kid: row.try_get(0)?,
            pem: row.try_get(1)?,
            signs_from: row.try_get::<Option<i64>, _>(2)?.map(Timestamp),
            retired_at: row.try_get::<Option<i64>, _>(3)?.map(Timestamp),
        })
    };
    Ok(rows.iter().map(stored).collect::<Result<_, _>>()?)
}

pub(crate) async fn insert(change: &mut Change, kid: &str, pem: &str) -> Result<(), Error> {
    let Timestamp(now) = change.now();
    sqlx::query("INSERT INTO signing_keys (kid, pem, created_at) VALUES ($1, $2, $3)")
        .bind(kid)
        .bind(pem)
        .bind(now)
        .execute(change.connection())
        .await?;
    Ok(())
}

/// Makes the key sign from now on, in place of the current one.
pub(crate) async fn promote(change: &mut Change, kid: &str) -> Result<(), Error> {
    let Timestamp(now) = change.now();
    sqlx::query("UPDATE signing_keys SET retired_at = $1 WHERE signs_from IS NOT NULL AND retired_at IS NULL")
        .bind(now)
        .execute(change.connection())
        .await?;
    sqlx::query("UPDATE signing_keys SET signs_from = $1 WHERE kid = $2")
        .bind(now)
        .bind(kid)
        .execute(change.connection())
        .await?;
    Ok(())
}

pub(crate) async fn forget_retired_before(change: &mut Change, time: i64) -> Result<(), Error> {
    sqlx::query("DELETE FROM signing_keys WHERE retired_at < $1").bind(time).execute(change.connection()).await?;
    Ok(())
}
