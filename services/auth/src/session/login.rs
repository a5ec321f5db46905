//! A login: checks the password and returns a token for a new session.

use super::store as sessions;
use crate::App;
use crate::user::store::{self as users, LockedUser};
use axum::Json;
use axum::extract::State;
use fanfare_event::vocabulary::auth::UserLoggedIn;
use fanfare_event::{Id, Timestamp};
use fanfare_producer::identity::USER_AUDIENCE;
use fanfare_producer::{About, Error, StrictJson};
use fanfare_token::NewToken;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How far ahead of the clock a token may be dated; verifiers allow clocks to differ by more.
const MOST_AHEAD: i64 = 10;
/// Sessions that one user may have.
const MOST_SESSIONS: i64 = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Credentials {
    user: String,
    password: String,
}

#[derive(Serialize)]
pub(super) struct Issued {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
}

pub(super) async fn login(
    State(app): State<App>,
    StrictJson(credentials): StrictJson<Credentials>,
) -> Result<Json<Issued>, Error> {
    let user = authenticate(&app, credentials).await?;
    let mut change = app.producer.begin().await?;
    let user = users::lock(&mut change, &user).await?.ok_or(Error::WrongCredentials)?;
    if sessions::count(&mut change, &user.user).await? >= MOST_SESSIONS {
        let message = format!("a user has {MOST_SESSIONS} sessions at most");
        return Err(Error::TooMany { message, retry_after: Duration::from_secs(60) });
    }
    let issued_at = issued_at(change.now(), &user)?;
    let lifetime = u32::try_from(app.token_lifetime.as_secs()).map_err(Error::internal)?;
    let session = Id::parse(&Uuid::now_v7().to_string()).map_err(Error::internal)?;
    sessions::insert(&mut change, &session, &user.user, issued_at + i64::from(lifetime)).await?;
    users::set_last_issued_at(&mut change, &user.user, issued_at.max(user.last_issued_at)).await?;
    let event = UserLoggedIn { user: user.user.clone(), org: user.org.clone(), session: session.clone() };
    change.publish(About::org(&user.org, user.user.as_str()), &event).await?;
    let claims = NewToken::user(&app.issuer, USER_AUDIENCE, &user.user, issued_at, lifetime)
        .org(&user.org)
        .roles(user.roles.names())
        .session(&session);
    let access_token = app.keyring.sign(&claims)?;
    change.commit().await?;
    Ok(Json(Issued { access_token, token_type: "Bearer", expires_in: u64::from(lifetime) }))
}

/// The user of the credentials. Neither the answer nor its timing reveals what is wrong with them.
async fn authenticate(app: &App, credentials: Credentials) -> Result<Id, Error> {
    let Credentials { user, password } = credentials;
    let Ok(user) = Id::parse(&user) else {
        app.passwords.matches(password, None).await?;
        return Err(Error::WrongCredentials);
    };
    if let Some(retry_after) = app.throttle.wait(&user, Instant::now()) {
        let message = "too many failed logins, try again later".to_owned();
        return Err(Error::TooMany { message, retry_after });
    }
    let hash = users::password_hash(app.producer.database().reader(), &user).await?;
    // The input may be an address or even the password: only the name of a real user is logged.
    let known = hash.is_some();
    if app.passwords.matches(password, hash).await? {
        app.throttle.succeeded(&user);
        Ok(user)
    } else {
        app.throttle.failed(&user, Instant::now());
        if known {
            tracing::info!(%user, "a login failed");
        } else {
            tracing::info!("a login failed: there is no such user");
        }
        Err(Error::WrongCredentials)
    }
}

/// `iat` of a new token: now, but after the second of the last logout, which refuses that whole second.
fn issued_at(now: Timestamp, user: &LockedUser) -> Result<i64, Error> {
    let now = now.0 / 1000;
    let issued_at = now.max(user.signed_out_at / 1000 + 1);
    if issued_at > now + MOST_AHEAD {
        let message = "too many logins and logouts within a second".to_owned();
        let ahead = u64::try_from(issued_at - now - MOST_AHEAD).unwrap_or(1);
        return Err(Error::TooMany { message, retry_after: Duration::from_secs(ahead) });
    }
    Ok(issued_at)
}
