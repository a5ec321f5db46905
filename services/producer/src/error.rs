//! The one table from errors to HTTP answers.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::time::Duration;

/// Why a request failed.
///
/// | variant | status | whose fault |
/// |---|---|---|
/// | `BadRequest` | 400 | the client's: the message says what is wrong and where |
/// | `Unauthorized` | 401 | the client's: no valid token; the answer does not say why |
/// | `WrongCredentials` | 401 | the client's: a login; the answer does not say which part is wrong |
/// | `Forbidden` | 403 | the client's: a valid token without the right |
/// | `NotFound` | 404 | the client's |
/// | `MethodNotAllowed` | 405 | the client's |
/// | `Conflict` | 409 | nobody's: the state does not allow it (now) |
/// | `TooLarge` | 413 | the client's |
/// | `TooMany` | 429 | the client's: it may try again later |
/// | `Internal` | 500 | ours: the cause is logged and not sent to the client |
/// | `Unavailable` | 503 | nobody's: overload or a dependency, try again |
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request itself is wrong.
    #[error("{0}")]
    BadRequest(String),
    /// The credentials are missing or not valid.
    #[error("a valid token is required")]
    Unauthorized,
    /// A login with a wrong user or password.
    #[error("the user or the password is wrong")]
    WrongCredentials,
    /// The caller is known but lacks the right.
    #[error("{0}")]
    Forbidden(String),
    /// The resource does not exist, or the caller may not see it.
    #[error("{0}")]
    NotFound(String),
    /// The path exists, the method does not.
    #[error("this path does not know that method")]
    MethodNotAllowed,
    /// The state of the resource does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// The body is larger than [`crate::body::LIMIT`].
    #[error("the body is larger than {} bytes", crate::body::LIMIT)]
    TooLarge,
    /// A limit of the caller is reached.
    #[error("{message}")]
    TooMany {
        /// The limit.
        message: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// A dependency of this service is unavailable or overloaded.
    #[error("{0}")]
    Unavailable(String),
    /// A fault of this service.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// A fault of this service, with its cause for the log.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }

    /// The message with its causes: for the log, not for the client.
    pub fn with_causes(&self) -> String {
        fanfare_failure::with_causes(self)
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized | Self::WrongCredentials => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooMany { retry_after, .. } => Some(*retry_after),
            Self::Unavailable(_) => Some(Duration::from_secs(1)),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
                tracing::warn!(%error, "no database connection was free in time");
                Self::Unavailable("the database is busy, try again".into())
            }
            other => Self::internal(other),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        if matches!(self, Self::Internal(_)) {
            tracing::error!(error = self.with_causes(), "a request failed");
        }
        let mut response = (self.status(), Json(json!({ "error": self.to_string() }))).into_response();
        let headers = response.headers_mut();
        if matches!(self, Self::Unauthorized | Self::WrongCredentials) {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(wait) = self.retry_after() {
            let seconds = wait.as_millis().div_ceil(1000).max(1) as u64;
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_never_sent_to_the_client() {
        let error = Error::internal("password of the database is hunter2");
        assert_eq!(error.to_string(), "internal error");
        assert!(error.with_causes().ends_with("hunter2"));
        assert_eq!(error.into_response().status(), 500);
    }

    #[test]
    fn a_401_names_its_scheme_and_a_429_its_time() {
        let response = Error::Unauthorized.into_response();
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        let retry_after = Duration::from_millis(1500);
        let message = "slow down".to_owned();
        let response = Error::TooMany { message, retry_after }.into_response();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "2");
    }
}
