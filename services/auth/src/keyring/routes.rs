//! The published keys, and a manual rotation.

use crate::App;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use fanfare_producer::identity::JWKS_PATH;
use fanfare_producer::{Caller, Error};
use fanfare_token::Jwks;
use serde_json::{Value, json};

pub(crate) fn routes() -> Router<App> {
    Router::new().route(JWKS_PATH, get(jwks)).route("/keys/rotate", post(rotate))
}

/// The keys of users' tokens, and the key with which this service signs its own tokens as a producer.
async fn jwks(State(app): State<App>) -> impl IntoResponse {
    let mut keys = app.keyring.published();
    keys.push(app.producer.identity().public_key());
    // Short, so that a manual rotation (after a leak, for instance) is known soon.
    ([(header::CACHE_CONTROL, "public, max-age=30")], Json(Jwks { keys }))
}

async fn rotate(State(app): State<App>, caller: Caller) -> Result<Json<Value>, Error> {
    if !caller.is_superadmin() {
        return Err(Error::Forbidden("only a superadmin rotates keys".into()));
    }
    let kid = app.keyring.rotate_now().await?;
    Ok(Json(json!({ "kid": kid })))
}
