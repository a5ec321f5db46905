//! The operator's console: one page at `/` of the operator's port. It contains no data; it calls the operator's API
//! with the token of its reader.

use axum::extract::Path;
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use include_dir::{Dir, include_dir};

use super::page::respond;

static CONSOLE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/console");

/// It talks only to its own node, and no data can become a script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// The page.
pub(super) async fn index() -> Result<Response, StatusCode> {
    file(Path("index.html".to_owned())).await
}

/// The files of the page.
pub(super) async fn file(Path(name): Path<String>) -> Result<Response, StatusCode> {
    let file = CONSOLE.get_file(&name).ok_or(StatusCode::NOT_FOUND)?;
    Ok(respond(Bytes::from_static(file.contents()), &name, POLICY))
}
