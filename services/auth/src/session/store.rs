//! The table of sessions. Ended sessions are deleted.

use crate::user::roles::Roles;
use fanfare_event::{Id, Timestamp};
use fanfare_producer::{Change, Error};
use sqlx::{AnyPool, Executor as _, Row as _};

pub(crate) async fn create_table(pool: &AnyPool) -> Result<(), Error> {
    pool.execute(
        "CREATE TABLE IF NOT EXISTS sessions (
            session_id TEXT NOT NULL PRIMARY KEY,
            user_id TEXT NOT NULL REFERENCES users (user_id),
            expires_at BIGINT NOT NULL
        )",
    )
    .await?;
    pool.execute("CREATE INDEX IF NOT EXISTS sessions_by_user ON sessions (user_id)").await?;
    pool.execute("CREATE INDEX IF NOT EXISTS sessions_by_end ON sessions (expires_at)").await?;
    Ok(())
}

pub(crate) async fn insert(change: &mut Change, session: &Id, user: &Id, expires_at: i64) -> Result<(), Error> {
    sqlx::query("INSERT INTO sessions (session_id, user_id, expires_at) VALUES ($1, $2, $3)")
        .bind(session.as_str())
        .bind(user.as_str())
        .bind(expires_at)
        .execute(change.connection())
        .await?;
    Ok(())
}

pub(crate) async fn count(change: &mut Change, user: &Id) -> Result<i64, Error> {
    Ok(sqlx::query_scalar("SELECT COUNT(*) FROM sessions WHERE user_id = $1")
        .bind(user.as_str())
        .fetch_one(change.connection())
        .await?)
}

/// Ends the session, and returns whether it was still open.
pub(crate) async fn end(change: &mut Change, session: &Id, user: &Id) -> Result<bool, Error> {
    let result = sqlx::query("DELETE FROM sessions WHERE session_id = $1 AND user_id = $2")
        .bind(session.as_str())
        .bind(user.as_str())
        .execute(change.connection())
        .await?;
    Ok(result.rows_affected() > 0)
}

pub(crate) async fn end_all(change: &mut Change, user: &Id) -> Result<(), Error> {
    sqlx::query("DELETE FROM sessions WHERE user_id = $1").bind(user.as_str()).execute(change.connection()).await?;
    Ok(())
}

/// Deletes sessions whose tokens have expired.
pub(crate) async fn forget_expired(change: &mut Change) -> Result<(), Error> {
    let Timestamp(now) = change.now();
    sqlx::query("DELETE FROM sessions WHERE expires_at < $1").bind(now / 1000).execute(change.connection()).await?;
    Ok(())
}

/// The current standing of a user, whatever a token contains.
pub(crate) struct Current {
    pub(crate) org: Id,
    pub(crate) roles: Roles,
    pub(crate) signed_out_at: i64,
    /// Whether the requested session is still open.
    pub(crate) session_lasts: bool,
}

/// The current standing of a session's user, if the session is still open.
pub(crate) async fn current(pool: &AnyPool, session: &Id, user: &Id) -> Result<Option<Current>, Error> {
    Ok(standing(pool, user, Some(session)).await?.filter(|current| current.session_lasts))
}

/// The current standing of a user, and whether the session is open; a token without a session has none.
pub(crate) async fn standing(pool: &AnyPool, user: &Id, session: Option<&Id>) -> Result<Option<Current>, Error> {
    let row = sqlx::query(
        "SELECT users.org, users.roles, users.signed_out_at,
            (SELECT COUNT(*) FROM sessions WHERE session_id = $1 AND sessions.user_id = users.user_id)
         FROM users WHERE users.user_id = $2",
    )
    .bind(session.map_or("", Id::as_str))
    .bind(user.as_str())
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    Ok(Some(Current {
        org: Id::parse(&row.try_get::<String, _>(0)?).map_err(Error::internal)?,
        roles: serde_json::from_str(&row.try_get::<String, _>(1)?).map_err(Error::internal)?,
        signed_out_at: row.try_get(2)?,
        session_lasts: row.try_get::<i64, _>(3)? > 0,
    }))
}
