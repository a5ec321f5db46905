//! The operator's port, and what of it load balancers may see on the port of the hubs.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use fanfare_telemetry::metrics::{self, Exposition};
use http::{HeaderMap, StatusCode, header};
use serde_json::json;

use super::state::App;
use crate::limit::Pressure;
use crate::pipeline::NotReady;

/// Whether the process works at all; 200 while it answers. What is not as it should be is named.
pub(super) async fn healthz(State(app): State<Arc<App>>) -> Response {
    let connections = app.groups.connections();
    let has_many = app.health.are_many(connections, app.edge.capacity.connections);
    let mut degraded = app.status.degraded(has_many, &app.health);
    match app.pressure() {
        Pressure::None => {}
        Pressure::High => degraded.push("little memory: resumes read the broker".to_owned()),
        Pressure::Critical => degraded.push("very little memory: no further connection is taken".to_owned()),
    }
    let status = if degraded.is_empty() { "ok" } else { "degraded" };
    Json(json!({ "status": status, "degraded": degraded, "connections": connections })).into_response()
}

/// The same as [`readyz`] for a load balancer on the port of the hubs: without what only the operator should see.
pub(super) async fn health(State(app): State<Arc<App>>) -> Response {
    let reason = match app.status.not_ready() {
        _ if app.draining.load(Ordering::Acquire) => Some("draining"),
        Some(NotReady { reason, .. }) => Some(reason),
        None => (app.pressure() == Pressure::Critical).then_some("memory"),
    };
    let (status, body) = match reason {
        None => (StatusCode::OK, json!({ "status": "ready" })),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, json!({ "status": "not ready", "reason": reason })),
    };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// Whether the node should get traffic: 200, or 503 with the reason.
pub(super) async fn readyz(State(app): State<Arc<App>>) -> Response {
    let body = if app.draining.load(Ordering::Acquire) {
        json!({ "status": "not ready", "reason": "draining" })
    } else {
        let Some(NotReady { reason, fault, progress }) = app.status.not_ready() else {
            if app.pressure() == Pressure::Critical {
                let body = json!({ "status": "not ready", "reason": "memory" });
                return (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response();
            }
            return Json(json!({ "status": "ready" })).into_response();
        };
        let mut body = json!({ "status": "not ready", "reason": reason });
        if let Some(fault) = fault {
            body["error"] = fault.into();
        }
        if let Some((read, of)) = progress {
            (body["read"], body["of"]) = (read.into(), of.into());
        }
        body
    };
    (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
}

/// The metrics, in the text format that the scraper asks for.
pub(super) async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    // Asked for now, as nothing happens at the moment from which a node is too far behind.
    let draining = app.draining.load(Ordering::Acquire);
    app.metrics.set_tcp_connections(app.edge.public.open());
    let has_memory = app.pressure() < Pressure::Critical;
    app.metrics.set_ready(!draining && has_memory && app.status.not_ready().is_none());
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let Exposition { content_type, text } = metrics::expose(&app.registry, accept);
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}
