//! The current standing of a user, for services that hold the user's token: the last logout and the roles.

use super::store;
use crate::App;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use fanfare_event::Id;
use fanfare_producer::caller::{Denied, bearer};
use fanfare_producer::{Error, PathIds, Standing};

/// The bearer of a token that was signed here may request only its own user's standing: other answers would reveal who
/// exists. The token may be void by now; the answer says so.
pub(super) async fn standing(
    State(app): State<App>,
    PathIds(user): PathIds<Id>,
    headers: HeaderMap,
) -> Result<([(header::HeaderName, HeaderValue); 1], Json<Standing>), Error> {
    let token = bearer(&headers).ok_or(Error::Unauthorized)?;
    let claims = match app.keyring.claims(token).await {
        Ok(claims) => claims,
        Err(Denied::Invalid) => return Err(Error::Unauthorized),
        Err(Denied::Unavailable(reason)) => return Err(Error::Unavailable(reason)),
    };
    if claims.user != user {
        return Err(Error::Forbidden("a token asks for the standing of its own user alone".into()));
    }
    let pool = app.producer.database().reader();
    let Some(current) = store::standing(pool, &user, claims.session.as_ref()).await? else {
        return Err(Error::Unauthorized);
    };
    let standing = Standing {
        user,
        org: current.org,
        roles: current.roles.names(),
        signed_out_at: current.signed_out_at,
        session_lasts: current.session_lasts,
    };
    Ok(([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(standing)))
}
