//! The demo page, carried by the binary.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, header};
use include_dir::{Dir, include_dir};

/// The built page, or nothing if the binary was built without it.
static PAGE: Dir<'_> = include_dir!("$OUT_DIR/page");

/// What is served at `/` by a binary that was built without the page.
const NOT_BUILT: &str = "This binary was built without the demo page. To build it: make run, or \
                         `npm ci && npm run build` in web/ and then `cargo build` again.\n";

/// No scripts, styles or fonts but the page's own; it talks to its own host on any port.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     font-src 'self'; connect-src 'self' http: https: ws: wss:; base-uri 'none'; form-action 'self'; \
     frame-ancestors 'none'";

/// The page itself.
pub(super) async fn index() -> Response {
    if PAGE.get_file("index.html").is_none() {
        return (StatusCode::OK, NOT_BUILT).into_response();
    }
    file(&Method::GET, "/index.html")
}

/// A file of the page.
pub(super) fn file(method: &Method, path: &str) -> Response {
    let Some(file) = PAGE.get_file(path.trim_start_matches('/')) else {
        return (StatusCode::NOT_FOUND, "not found\n").into_response();
    };
    if !matches!(*method, Method::GET | Method::HEAD) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let media_type = mime_guess::from_path(path).first_or_octet_stream();
    let mut response = file.contents().into_response();
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(media_type.as_ref()) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    // The names of built assets carry a hash of their content.
    let caching = if path.contains("/assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
