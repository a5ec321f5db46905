//! The operator's endpoints: liveness, readiness and metrics.

use crate::{Authenticator, Producer};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use fanfare_telemetry::metrics::{self, Exposition};
use serde_json::json;

#[derive(Clone)]
struct Operated {
    producer: Producer,
    authenticator: Authenticator,
}

/// `/healthz`, `/readyz` and `/metrics`.
pub(crate) fn routes(producer: Producer, authenticator: Authenticator) -> Router {
    Router::new()
        .route("/healthz", get(async || Json(json!({ "status": "alive" }))))
        .route("/readyz", get(readyz))
        .route("/metrics", get(exposition))
        .with_state(Operated { producer, authenticator })
}

/// Ready means that callers can be authenticated and changes can be committed. The fan-out need not be available: the
/// outbox waits for it.
async fn readyz(State(operated): State<Operated>) -> Response {
    if let Err(error) = operated.producer.database().now().await {
        tracing::warn!(%error, "not ready: the database does not answer");
        return not_ready("the database does not answer");
    }
    if !operated.authenticator.is_ready() {
        return not_ready("the keys that users' tokens are signed with are not known yet");
    }
    Json(json!({ "status": "ready" })).into_response()
}

fn not_ready(reason: &str) -> Response {
    let body = Json(json!({ "status": "not ready", "error": reason }));
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}

async fn exposition(State(operated): State<Operated>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let Exposition { content_type, text } = metrics::expose(operated.producer.registry(), accept);
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}
