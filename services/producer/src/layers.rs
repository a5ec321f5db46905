//! Layers around every request's handler.

use crate::settings::Origin;
use crate::{Error, body};
use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, Response, header};
use axum::middleware::{self, Next};
use axum::response::IntoResponse;
use fanfare_telemetry::fields;
use fanfare_telemetry::metrics::ProducerMetrics;
use std::time::Duration;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::trace::TraceLayer;
use tracing::Span;
use tracing::field::Empty;

/// How long a request may take until its answer starts, including its body's upload.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a browser may cache a preflight answer.
const PREFLIGHT_AGE: Duration = Duration::from_secs(600);

/// Limits, counts and traces the requests to the routes, and allows calls from pages of the origins.
pub(crate) fn around(routes: Router, origins: &[Origin], metrics: ProducerMetrics) -> Router {
    routes
        .fallback(async || Error::NotFound("there is nothing at this path".into()))
        .method_not_allowed_fallback(async || Error::MethodNotAllowed)
        .layer(DefaultBodyLimit::max(body::LIMIT))
        .layer(middleware::from_fn(in_time))
        .layer(cors(origins))
        .layer(middleware::from_fn_with_state(metrics, count))
        .layer(TraceLayer::new_for_http().make_span_with(span).on_request(()).on_response(answered).on_failure(()))
}

async fn in_time(request: Request, next: Next) -> axum::response::Response {
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Error::Unavailable("the request took too long".into()).into_response(),
    }
}

async fn count(
    State(metrics): State<ProducerMetrics>,
    matched: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> axum::response::Response {
    let response = next.run(request).await;
    let route = matched.as_ref().map_or("unmatched", MatchedPath::as_str);
    metrics.request_answered(route, response.status().as_u16());
    response
}

fn cors(origins: &[Origin]) -> CorsLayer {
    // An origin consists of characters that are valid in a header.
    let origins = origins.iter().filter_map(|origin| HeaderValue::from_str(origin.as_str()).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            HeaderName::from_static(crate::caller::ORG_HEADER),
        ])
        .expose_headers([header::WWW_AUTHENTICATE, header::RETRY_AFTER, header::CONTENT_DISPOSITION])
        .max_age(PREFLIGHT_AGE)
}

/// The span of a request. It has the path and never the query, which may contain a token.
fn span<B>(request: &axum::http::Request<B>) -> Span {
    let span = tracing::info_span!(
        "request",
        { fields::HTTP_METHOD } = %request.method(),
        { fields::HTTP_PATH } = request.uri().path(),
        { fields::HTTP_STATUS } = Empty,
    );
    let parent = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
    if let Some(parent) = parent {
        fanfare_telemetry::follow(&span, parent);
    }
    span
}

fn answered<B>(response: &Response<B>, latency: Duration, span: &Span) {
    span.record(fields::HTTP_STATUS, response.status().as_u16());
    let duration = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
    tracing::info!({ fields::DURATION_MS } = duration, "answered");
}
