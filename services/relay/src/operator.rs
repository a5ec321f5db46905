//! The operator's endpoints: liveness, readiness and metrics.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use fanfare_outbox::Outbox;
use fanfare_telemetry::metrics::{self, Exposition, Registry};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

struct Operated {
    outbox: Outbox,
    registry: Arc<Registry>,
}

/// Serves `/healthz`, `/readyz` and `/metrics` until `shutdown`.
///
/// # Errors
/// If the address cannot be bound.
pub async fn serve(
    address: SocketAddr,
    outbox: Outbox,
    registry: Arc<Registry>,
    shutdown: CancellationToken,
) -> std::io::Result<tokio::task::JoinHandle<()>> {
    let listener = TcpListener::bind(address).await?;
    let router = Router::new()
        .route("/healthz", get(async || Json(serde_json::json!({ "status": "alive" }))))
        .route("/readyz", get(readyz))
        .route("/metrics", get(exposition))
        .with_state(Arc::new(Operated { outbox, registry }));
    Ok(tokio::spawn(fanfare_producer::serve::serve(listener, router, shutdown)))
}

/// Ready means that the table can be read. The broker need not be reachable: the table waits for it.
async fn readyz(State(operated): State<Arc<Operated>>) -> Response {
    match operated.outbox.pending().await {
        Ok(pending) => Json(serde_json::json!({ "status": "ready", "pending": pending })).into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready: the table cannot be read");
            let body = Json(serde_json::json!({ "status": "not ready", "error": "the table cannot be read" }));
            (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
        }
    }
}

async fn exposition(State(operated): State<Arc<Operated>>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let Exposition { content_type, text } = metrics::expose(&operated.registry, accept);
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}
