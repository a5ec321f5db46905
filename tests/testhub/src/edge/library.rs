//! The client for web workers, which the functional tests in browsers load from here.

use std::io::ErrorKind;
use std::path::PathBuf;

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

/// The path of its build for web workers in the client's package.
const IN_PACKAGE: &str = "dist/webworker/signalr.js";

/// The files of the client's package.
#[derive(Debug)]
pub(super) struct Library(PathBuf);

impl Library {
    /// The package in a folder.
    pub(super) fn of(package: PathBuf) -> Self {
        Self(package)
    }

    /// Answers a path below `/lib`.
    pub(super) async fn answer(&self, path: &str) -> Response {
        if path != "/lib/signalr-webworker/signalr.js" {
            return StatusCode::NOT_FOUND.into_response();
        }
        let file = self.0.join(IN_PACKAGE);
        match tokio::fs::read(&file).await {
            Ok(script) => ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], script).into_response(),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let text = format!("{} is not there: npm ci --prefix tests/clients", file.display());
                (StatusCode::NOT_FOUND, text).into_response()
            }
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{}: {error}", file.display())).into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_client_for_web_workers_is_served_if_it_is_installed() {
        let package = tempfile::tempdir().expect("a folder");
        let library = Library::of(package.path().to_owned());
        let path = "/lib/signalr-webworker/signalr.js";
        assert_eq!(library.answer(path).await.status(), StatusCode::NOT_FOUND);
        std::fs::create_dir_all(package.path().join("dist/webworker")).expect("a folder");
        std::fs::write(package.path().join(IN_PACKAGE), "signalR = {}").expect("written");
        let found = library.answer(path).await;
        assert_eq!(found.status(), StatusCode::OK);
        assert_eq!(found.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
        assert_eq!(library.answer("/lib/../dist/webworker/signalr.js").await.status(), StatusCode::NOT_FOUND);
    }
}
