//! CORS: pages of other origins that are configured may use the hubs, with credentials.

use http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::origin::Allowed;
use crate::config::{CorsConfig, CorsHeaders};

/// Headers of the client, headers that the node reads, and those that common tracing libraries add.
const HEADERS: [&str; 30] = [
    "x-requested-with",
    "x-signalr-connection-token",
    "x-signalr-user-agent",
    "x-organization-id",
    "traceparent",
    "tracestate",
    "baggage",
    "request-id",
    "request-context",
    "correlation-context",
    "x-request-id",
    "x-correlation-id",
    "sentry-trace",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-flags",
    "x-datadog-trace-id",
    "x-datadog-parent-id",
    "x-datadog-origin",
    "x-datadog-sampling-priority",
    "x-datadog-tags",
    "newrelic",
    "elastic-apm-traceparent",
    "x-amzn-trace-id",
    "x-cloud-trace-context",
    "uber-trace-id",
    "x-ot-span-context",
];

/// The layer for the configured origins; it also answers preflights, which carry no token.
pub(super) fn layer(cors: &CorsConfig, origins: &Allowed) -> CorsLayer {
    let origins = origins.clone();
    let allowed = move |origin: &HeaderValue, _: &http::request::Parts| {
        origin.to_str().is_ok_and(|origin| origins.contains(origin))
    };
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(allowed))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers(headers(&cors.headers))
        .max_age(std::time::Duration::from_secs(600))
}

/// With credentials a `*` does not count, so the names are listed, or those of the request are repeated.
fn headers(more: &CorsHeaders) -> AllowHeaders {
    let CorsHeaders::Listed(more) = more else { return AllowHeaders::mirror_request() };
    let usual = HEADERS.into_iter().map(HeaderName::from_static);
    AllowHeaders::list(
        [header::AUTHORIZATION, header::CONTENT_TYPE].into_iter().chain(usual).chain(more.iter().cloned()),
    )
}
