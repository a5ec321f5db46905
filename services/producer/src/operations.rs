//! What whoever runs the service asks it: is it alive, is it ready, what does it count.

use crate::Producer;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use fanfare_telemetry::metrics;
use serde_json::json;

/// `/healthz`, `/readyz` and `/metrics`.
pub(crate) fn routes(producer: Producer) -> Router {
    Router::new()
        .route("/healthz", get(async || Json(json!({ "status": "alive" }))))
        .route("/readyz", get(readyz))
        .route("/metrics", get(exposition))
        .with_state(producer)
}

/// Ready means that changes can be committed. The fan-out need not be there: the outbox waits for it.
async fn readyz(State(producer): State<Producer>) -> Response {
    match producer.database().now().await {
        Ok(_) => Json(json!({ "status": "ready" })).into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready: the database does not answer");
            let body = Json(json!({ "status": "not ready", "error": "the database does not answer" }));
            (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
        }
    }
}

async fn exposition(State(producer): State<Producer>) -> Response {
    let text = metrics::encode(producer.registry());
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response()
}
