//! `GET /users/{user}` on the operator's port: since when a user's tokens are refused.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use fanfare_event::Timestamp;
use http::Uri;

use super::connections::{Refused, id, query};
use super::state::App;
use crate::operator::state::{UserLogout, UserState};
use crate::route::InRealm;

/// How many logouts of one user are listed.
const TOLD: usize = 50;

/// Which of a user's tokens are refused. Every node reads the same log, so any of them may say it.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path(user): Path<String>,
    uri: Uri,
) -> Result<Json<UserState>, Refused> {
    query::none(&uri)?;
    let user = id("the user", user)?;
    let (logouts, everyone) = app.groups.read(|known| {
        let revocations = known.revocations();
        (revocations.of(&user, TOLD), revocations.of_everyone())
    });
    let time = |seconds: i64| Timestamp(seconds.saturating_mul(1000)).to_rfc3339();
    let logouts = logouts.into_iter().map(|logout| UserLogout {
        at: time(logout.at),
        session: logout.session.map(|session| session.to_string()),
        realm: match logout.realm {
            InRealm::One(realm) => realm.map(|realm| realm.to_string()),
            InRealm::Every => None,
        },
    });
    Ok(Json(UserState { user: user.to_string(), logouts: logouts.collect(), everyone: everyone.map(time) }))
}
