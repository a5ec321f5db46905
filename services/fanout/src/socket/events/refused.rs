//! The one table of refusals of `POST /events`: fault, status and text.

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use fanfare_broker::PublishError;
use fanfare_event::{AttributesError, BadJson, CloudEventError};
use fanfare_token::TokenError;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use thiserror::Error;

use super::super::body::BodyError;
use crate::pipeline::{BatchError, IngestError, MOST_IN_BATCH};

/// When it is worth trying again, in seconds.
const RETRY_AFTER: &str = "1";
const TAKEN: &str = "application/json or application/avro with the attributes as ce- headers, \
                     application/cloudevents+json or application/cloudevents-batch+json";

/// Why an event was refused.
#[derive(Debug, Error)]
pub(super) enum Refused {
    #[error("a bearer token is needed, in one Authorization header")]
    NoToken,
    #[error("{0}")]
    Token(TokenError),
    #[error(
        "the token does not allow publishing: it needs the role `producer` and a claim `publish`, a list of type \
         patterns such as [\"license.*\"]"
    )]
    NotProducer,
    #[error("there is no content type: expected {TAKEN}")]
    NoContentType,
    #[error("the content type `{0}` is not taken: expected {TAKEN}")]
    ContentType(String),
    #[error("the content encoding `{0}` is not taken: expected gzip or none")]
    ContentCoding(String),
    #[error("the character encoding `{0}` is not taken: JSON here is UTF-8")]
    Charset(String),
    #[error("the header {0} is given more than once, or holds more than visible ASCII")]
    Header(HeaderName),
    #[error("header {name}: {reason}")]
    Attribute { name: String, reason: String },
    #[error("{0}")]
    Attributes(#[from] AttributesError),
    #[error("{0}")]
    CloudEvent(#[from] CloudEventError),
    #[error("a batch is a JSON array of events")]
    NoBatch,
    #[error("the batch has {0} events, at most {MOST_IN_BATCH} are taken")]
    LongBatch(usize),
    #[error("the body cannot be taken: {0}")]
    Json(BadJson),
    #[error("the body is not gzip: {0}")]
    Gzip(String),
    #[error("the body has more than {0} bytes")]
    TooLarge(usize),
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error("too many tokens from this address were refused")]
    TooManyTokens(Duration),
    #[error(transparent)]
    Ingest(#[from] IngestError),
    #[error("event {at} of the batch: {refused}")]
    InBatch { at: usize, refused: Box<Refused> },
    #[error("{stored} of {of} events of the batch are stored, then: {reason}; send all of it again, with the same ids")]
    Interrupted { stored: usize, of: usize, reason: PublishError },
}

impl Refused {
    /// The same, of one event of a batch.
    pub(super) fn in_batch(self, at: usize) -> Self {
        Self::InBatch { at, refused: Box::new(self) }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Body(error) => error.status(),
            Self::TooManyTokens(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::NoToken => StatusCode::UNAUTHORIZED,
            Self::Token(error) if error.is_server_fault() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Token(_) => StatusCode::UNAUTHORIZED,
            Self::NotProducer | Self::Ingest(IngestError::Forbidden(_)) => StatusCode::FORBIDDEN,
            Self::NoContentType | Self::ContentType(_) | Self::ContentCoding(_) | Self::Charset(_) => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            Self::TooLarge(_) | Self::LongBatch(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Ingest(IngestError::Conflict) => StatusCode::CONFLICT,
            Self::Ingest(IngestError::Broker(error)) => of_broker(error),
            // Stored events stay stored; the caller does not know about the rest.
            Self::Interrupted { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::InBatch { refused, .. } => refused.status(),
            Self::Header(_)
            | Self::Attribute { .. }
            | Self::Attributes(_)
            | Self::CloudEvent(_)
            | Self::NoBatch
            | Self::Json(_)
            | Self::Gzip(_)
            | Self::Ingest(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// The machine-readable part besides the text: the field at fault and what it should hold.
    fn detail(&self, body: &mut Value) {
        match self {
            Self::Ingest(IngestError::Mismatch(mismatch)) => {
                body["field"] = json!(mismatch.field);
                body["expected"] = json!(mismatch.expected);
                body["version"] = json!(mismatch.version);
            }
            Self::Ingest(IngestError::InvalidId { field, reason }) => {
                body["field"] = json!(field);
                body["expected"] = json!(format!("an id: {reason}"));
            }
            Self::Attribute { name, .. } => body["field"] = json!(name),
            Self::Attributes(error) => {
                body["field"] = json!(error.attribute());
                body["expected"] = json!(error.expected());
            }
            Self::CloudEvent(error) => {
                body["field"] = json!(error.member());
                body["expected"] = json!(error.expected());
            }
            Self::Json(BadJson::Twice { key }) => {
                body["field"] = json!(key);
                body["expected"] = json!("each key once");
            }
            Self::InBatch { at, refused } => {
                body["index"] = json!(at);
                refused.detail(body);
            }
            Self::Interrupted { stored, .. } => body["stored"] = json!(stored),
            _ => {}
        }
    }
}

fn of_broker(error: &PublishError) -> StatusCode {
    match error {
        PublishError::NotStored(_) | PublishError::Refused(_) => StatusCode::SERVICE_UNAVAILABLE,
        PublishError::Unknown(_) => StatusCode::GATEWAY_TIMEOUT,
        PublishError::Invalid(_) => StatusCode::BAD_REQUEST,
        PublishError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
    }
}

impl From<BatchError> for Refused {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::Event { at, error } => Self::from(error).in_batch(at),
            BatchError::Interrupted { stored, of, reason } => Self::Interrupted { stored, of, reason },
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut body = json!({ "error": self.to_string() });
        self.detail(&mut body);
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
            }
            StatusCode::UNSUPPORTED_MEDIA_TYPE if matches!(self, Self::ContentCoding(_)) => {
                headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
            }
            _ => {}
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_the_broker_refuses_is_not_stored_and_the_missing_right_is_named() {
        let reason = "no right to write to the topic events.system";
        let refused = Refused::from(IngestError::from(PublishError::Refused(reason.to_owned())));
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(refused.to_string().contains(reason), "{refused}");
    }

    #[test]
    fn retryable_refusals_say_when() {
        let answer = |refused: Refused| refused.into_response();
        let away = || PublishError::NotStored("the broker is away".to_owned());
        let response = answer(IngestError::from(away()).into());
        assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &"1".parse().unwrap()));
        let response = answer(BatchError::Interrupted { stored: 2, of: 3, reason: away() }.into());
        assert_eq!((response.status().as_u16(), response.headers().contains_key("retry-after")), (504, true));
        let response = answer(BatchError::Event { at: 1, error: IngestError::Conflict }.into());
        assert_eq!((response.status().as_u16(), response.headers().contains_key("retry-after")), (409, false));
    }
}
