//! Answers that the services share.

use crate::EventId;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// 202: what was asked for is so, or will be.
///
/// The body names the event that was published; it is an empty object if nothing changed and so nothing
/// was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted(pub Option<EventId>);

impl IntoResponse for Accepted {
    fn into_response(self) -> Response {
        let body = match self.0 {
            Some(EventId(id)) => json!({ "id": id }),
            None => json!({}),
        };
        (StatusCode::ACCEPTED, Json(body)).into_response()
    }
}
