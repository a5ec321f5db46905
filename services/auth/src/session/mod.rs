//! Sessions: a login starts one, a logout ends one or all of a user's.

mod login;
mod logout;
mod standing;
pub(crate) mod store;
mod tokens;

pub use tokens::SessionTokens;

use crate::App;
use axum::Router;
use axum::routing::{get, post};

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/login", post(login::login))
        .route("/logout", post(logout::logout))
        .route("/standing/{user}", get(standing::standing))
}
