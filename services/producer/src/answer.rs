//! Answers that the services share.

use crate::EventId;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// 202: the request is carried out, or will be.
///
/// The body has the id of the published event; it is an empty object if nothing changed and nothing was published.
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
