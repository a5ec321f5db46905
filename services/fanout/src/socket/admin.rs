//! The operator's port.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use fanfare_telemetry::metrics;
use http::{StatusCode, header};
use serde_json::json;

use super::state::App;

/// Whether the process works at all; 200 while it answers.
pub(super) async fn healthz(State(app): State<Arc<App>>) -> Response {
    let status = if app.status.is_connected() && !app.status.waits_for_schemas() { "ok" } else { "degraded" };
    Json(json!({ "status": status, "connections": app.groups.connections() })).into_response()
}

/// Whether the node should get traffic: 200, or 503 with the reason.
pub(super) async fn readyz(State(app): State<Arc<App>>) -> Response {
    let reason = if app.draining.load(Ordering::Acquire) { Some("draining") } else { app.status.not_ready() };
    match reason {
        None => Json(json!({ "status": "ready" })).into_response(),
        Some(reason) => {
            let body = Json(json!({ "status": "not ready", "reason": reason }));
            (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
        }
    }
}

/// The metrics in the OpenMetrics text format.
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response {
    // Asked for now, as nothing happens at the moment from which a node is too far behind.
    let draining = app.draining.load(Ordering::Acquire);
    app.metrics.set_ready(!draining && app.status.not_ready().is_none());
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics::encode(&app.registry)).into_response()
}
