//! Redirects: in the answer to a negotiation, and by HTTP.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri, header};
use serde_json::json;

/// The number of negotiations redirected so far.
#[derive(Debug, Default)]
pub(super) struct Redirects(AtomicU64);

impl Redirects {
    /// Redirects a negotiation to the test hub, with their count in the URL.
    pub(super) fn to_the_hub(&self, uri: &Uri) -> Response {
        let query = uri.query().unwrap_or_default();
        let base = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key.eq_ignore_ascii_case("baseUrl"));
        let base = base.map(|(_, value)| value).unwrap_or_default();
        let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        // In this case, though the hub's path has another: paths match in any case.
        Json(json!({ "url": format!("{base}/testHub?numRedirects={number}") })).into_response()
    }
}

/// Redirects a request to the raw connection, with its method.
pub(super) fn to_echo(uri: &Uri) -> Response {
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let location = format!("{}{query}", uri.path().replacen("echoredirect", "echo", 1));
    (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response()
}
