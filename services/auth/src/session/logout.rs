//! A logout: of one session, or of the user everywhere.

use super::store as sessions;
use crate::App;
use crate::user::store::{self as users, LockedUser};
use axum::extract::State;
use fanfare_event::Timestamp;
use fanfare_event::vocabulary::auth::UserLoggedOut;
use fanfare_producer::body::StrictJsonOrEmpty;
use fanfare_producer::{About, Accepted, Caller, Error};
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Logout {
    #[serde(default)]
    scope: Scope,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Scope {
    #[default]
    Everywhere,
    Session,
}

pub(super) async fn logout(
    State(app): State<App>,
    caller: Caller,
    StrictJsonOrEmpty(Logout { scope }): StrictJsonOrEmpty<Logout>,
) -> Result<Accepted, Error> {
    let session = caller.session().ok_or(Error::Unauthorized)?;
    let mut change = app.producer.begin().await?;
    let user = users::lock(&mut change, caller.user()).await?.ok_or(Error::Unauthorized)?;
    // Another logout may have been faster since the token was checked.
    if !sessions::end(&mut change, session, &user.user).await? {
        return Err(Error::Unauthorized);
    }
    let (session, at) = match scope {
        Scope::Session => (Some(session.clone()), change.now()),
        Scope::Everywhere => {
            let at = signed_out_at(change.now(), &user);
            sessions::end_all(&mut change, &user.user).await?;
            users::set_signed_out_at(&mut change, &user.user, at.0).await?;
            (None, at)
        }
    };
    let event = UserLoggedOut {
        user: user.user.clone(),
        org: user.org.clone(),
        session,
        reason: "signed out".to_owned(),
        revision: Some(at.0),
    };
    let about = About { time: Some(at), ..About::org(&user.org, user.user.as_str()) };
    let id = change.publish(about, &event).await?;
    change.commit().await?;
    Ok(Accepted(Some(id)))
}

/// The time of a logout everywhere: now, but not before the second of any issued token.
///
/// A login right after a logout is dated a second ahead; a logout right after that must still refuse its token. The
/// time is also the revision, so it rises with each logout.
fn signed_out_at(now: Timestamp, user: &LockedUser) -> Timestamp {
    Timestamp(now.0.max(user.last_issued_at * 1000).max(user.signed_out_at + 1))
}
