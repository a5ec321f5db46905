//! The HTTP edge: negotiation, WebSockets, publishing, the page, and the operator's port.

mod admin;
mod answer;
mod bearer;
mod cookie;
mod cors;
mod event_stream;
mod events;
mod hub;
mod letters;
mod listen;
mod long_polling;
mod negotiate;
mod opening;
mod page;
mod query;
pub mod shard;
#[cfg(test)]
mod stale_tests;
mod state;
mod web_socket;

pub use listen::{BindError, bind, serve};
pub use state::{App, Hubs};

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::{Router, middleware};

/// What the public port answers.
pub fn public(app: Arc<App>) -> Router {
    let cors = cors::layer(&app.cors);
    Router::new()
        .route("/events", post(events::publish))
        .route("/", get(page::index))
        // Hubs are found whatever the case of their path, which no router does; files come after them.
        .fallback(hub::dispatch)
        .layer(cors)
        .with_state(app)
}

/// What the operator's port answers.
pub fn operator(app: Arc<App>) -> Router {
    let letters = Router::new()
        .route("/deadletters", get(letters::list))
        .route("/deadletters/replay", post(letters::replay))
        .route("/deadletters/{id}", get(letters::show))
        .layer(DefaultBodyLimit::max(letters::REQUEST_BYTES))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&app), letters::guard));
    Router::new()
        .merge(letters)
        .route("/healthz", get(admin::healthz))
        .route("/readyz", get(admin::readyz))
        .route("/metrics", get(admin::metrics))
        .with_state(app)
}
