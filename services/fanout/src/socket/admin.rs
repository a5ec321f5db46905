//! The operator's port, and the part of it that load balancers may see on the hubs' port.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use fanfare_telemetry::metrics::{self, Exposition};
use http::{HeaderMap, StatusCode, header};
use serde_json::json;

use super::state::App;
use crate::pipeline::NotReady;

/// Whether the process works at all; 200 while it answers. The reasons for `degraded` are listed.
pub(super) async fn healthz(State(app): State<Arc<App>>) -> Response {
    let (connections, degraded) = (app.groups.connections(), app.degraded());
    let status = if degraded.is_empty() { "ok" } else { "degraded" };
    Json(json!({ "status": status, "degraded": degraded, "connections": connections })).into_response()
}

/// The same as [`readyz`] for load balancers on the hubs' port: without details for operators.
pub(super) async fn health(State(app): State<Arc<App>>) -> Response {
    let reason = app.not_ready().map(|NotReady { reason, .. }| reason);
    let (status, body) = match reason {
        None => (StatusCode::OK, json!({ "status": "ready" })),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, json!({ "status": "not ready", "reason": reason })),
    };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// Whether the node should get traffic: 200, or 503 with the reason.
pub(super) async fn readyz(State(app): State<Arc<App>>) -> Response {
    let Some(NotReady { reason, fault, progress }) = app.not_ready() else {
        return Json(json!({ "status": "ready" })).into_response();
    };
    let mut body = json!({ "status": "not ready", "reason": reason });
    if let Some(fault) = fault {
        body["error"] = fault.into();
    }
    if let Some((read, of)) = progress {
        (body["read"], body["of"]) = (read.into(), of.into());
    }
    (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
}

/// The metrics, in the text format that the scraper asks for.
pub(super) async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    app.look_at_gauges();
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let Exposition { content_type, text } = metrics::expose(&app.registry, accept);
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}
