//! The table of users.

use super::roles::Roles;
use fanfare_event::Id;
use fanfare_producer::{Change, Error};
use sqlx::{AnyPool, Executor as _, Row as _};

pub(crate) async fn create_table(pool: &AnyPool) -> Result<(), Error> {
    pool.execute(
        "CREATE TABLE IF NOT EXISTS users (
            user_id TEXT NOT NULL PRIMARY KEY,
            org TEXT NOT NULL,
            password_hash TEXT NOT NULL,
            roles TEXT NOT NULL,
            roles_revision BIGINT NOT NULL,
            last_issued_at BIGINT NOT NULL,
            signed_out_at BIGINT NOT NULL
        )",
    )
    .await?;
    Ok(())
}

/// A user's row, locked until the end of the change.
pub(crate) struct LockedUser {
    pub(crate) user: Id,
    pub(crate) org: Id,
    pub(crate) roles: Roles,
    pub(crate) roles_revision: i64,
    /// `iat` of the newest token, in seconds.
    pub(crate) last_issued_at: i64,
    /// The last logout everywhere, in milliseconds.
    pub(crate) signed_out_at: i64,
}

pub(crate) async fn any(change: &mut Change) -> Result<bool, Error> {
    let first: Option<String> =
        sqlx::query_scalar("SELECT user_id FROM users LIMIT 1").fetch_optional(change.connection()).await?;
    Ok(first.is_some())
}

pub(crate) async fn insert(
    change: &mut Change,
    user: &str,
    org: &str,
    roles: &Roles,
    password_hash: &str,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO users (user_id, org, password_hash, roles, roles_revision, last_issued_at, signed_out_at)
         VALUES ($1, $2, $3, $4, 0, 0, 0)",
    )
    .bind(user)
    .bind(org)
    .bind(password_hash)
    .bind(serde_json::to_string(roles).map_err(Error::internal)?)
    .execute(change.connection())
    .await?;
    Ok(())
}

pub(crate) async fn password_hash(pool: &AnyPool, user: &Id) -> Result<Option<String>, Error> {
    Ok(sqlx::query_scalar("SELECT password_hash FROM users WHERE user_id = $1")
        .bind(user.as_str())
        .fetch_optional(pool)
        .await?)
}

/// Locks the user, so that logins, logouts and role changes of one user run one after another.
pub(crate) async fn lock(change: &mut Change, user: &Id) -> Result<Option<LockedUser>, Error> {
    let row = sqlx::query(
        "UPDATE users SET user_id = user_id WHERE user_id = $1
         RETURNING org, roles, roles_revision, last_issued_at, signed_out_at",
    )
    .bind(user.as_str())
    .fetch_optional(change.connection())
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    Ok(Some(LockedUser {
        user: user.clone(),
        org: Id::parse(&row.try_get::<String, _>(0)?).map_err(Error::internal)?,
        roles: serde_json::from_str(&row.try_get::<String, _>(1)?).map_err(Error::internal)?,
        roles_revision: row.try_get(2)?,
        last_issued_at: row.try_get(3)?,
        signed_out_at: row.try_get(4)?,
    }))
}

pub(crate) async fn set_roles(change: &mut Change, user: &Id, roles: &Roles, revision: i64) -> Result<(), Error> {
    sqlx::query("UPDATE users SET roles = $1, roles_revision = $2 WHERE user_id = $3")
        .bind(serde_json::to_string(roles).map_err(Error::internal)?)
        .bind(revision)
        .bind(user.as_str())
        .execute(change.connection())
        .await?;
    Ok(())
}

pub(crate) async fn set_last_issued_at(change: &mut Change, user: &Id, seconds: i64) -> Result<(), Error> {
    sqlx::query("UPDATE users SET last_issued_at = $1 WHERE user_id = $2")
        .bind(seconds)
        .bind(user.as_str())
        .execute(change.connection())
        .await?;
    Ok(())
}

pub(crate) async fn set_signed_out_at(change: &mut Change, user: &Id, milliseconds: i64) -> Result<(), Error> {
    sqlx::query("UPDATE users SET signed_out_at = $1 WHERE user_id = $2")
        .bind(milliseconds)
        .bind(user.as_str())
        .execute(change.connection())
        .await?;
    Ok(())
}
