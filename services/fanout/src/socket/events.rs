//! `POST /events`: CloudEvents over HTTP from producers.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body as HttpBody, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use fanfare_broker::PublishError;
use fanfare_event::{Attributes, Timestamp};
use fanfare_token::{Audience, Publish, TokenError};
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use serde_json::json;
use thiserror::Error;
use tracing::Instrument as _;

use super::bearer;
use super::query::Query;
use super::state::App;
use crate::clock::unix_millis;
use crate::pipeline::{Body, IngestError};

/// Why an event was not taken.
#[derive(Debug, Error)]
enum Refused {
    #[error("a bearer token is needed")]
    NoToken,
    #[error("{0}")]
    Token(TokenError),
    #[error("the token does not allow publishing: it needs the role `producer` and a claim `publish`")]
    NotProducer,
    #[error("the content type must be application/json or application/avro")]
    ContentType,
    #[error("{0}")]
    Attributes(String),
    #[error("the body is not JSON: {0}")]
    Json(serde_json::Error),
    #[error("the body has more than {0} bytes")]
    TooLarge(usize),
    #[error(transparent)]
    Ingest(#[from] IngestError),
}

/// Checks, stores and answers 202 with the event's id once the broker has it.
pub(super) async fn publish(State(app): State<Arc<App>>, request: Request) -> Response {
    let span = tracing::info_span!("publish");
    let traceparent = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
    if let Some(traceparent) = traceparent {
        fanfare_telemetry::follow(&span, traceparent);
    }
    let response = match take(&app, request).instrument(span).await {
        Ok(id) => (StatusCode::ACCEPTED, Json(json!({ "id": id }))).into_response(),
        Err(refused) => refused.into_response(),
    };
    app.metrics.publish_answered(response.status().as_u16());
    response
}

async fn take(app: &App, request: Request) -> Result<String, Refused> {
    let (parts, body) = request.into_parts();
    let permission = authorize(app, &parts).await?;
    let is_avro = content_type(&parts.headers)?;
    let attributes = attributes(&parts.headers)?;
    let bytes = read(body, app.event_bytes).await?;
    let body =
        if is_avro { Body::Avro(bytes) } else { Body::Json(serde_json::from_slice(&bytes).map_err(Refused::Json)?) };
    Ok(app.ingest.publish(attributes, body, &permission).await?)
}

async fn authorize(app: &App, parts: &Parts) -> Result<Publish, Refused> {
    let token = bearer::token(&parts.headers, Query::of(&parts.uri)).ok_or(Refused::NoToken)?;
    // Without an issuer there is nobody whose token could be good.
    let verifier = app.verifier.as_ref().ok_or(Refused::Token(TokenError::UnknownIssuer))?;
    let claims = match verifier.verify(&token, Audience::Producer).await {
        Ok(claims) => claims,
        // A user's own token is a good one, but not for this: 403, not 401.
        Err(TokenError::WrongAudience) => {
            app.metrics.token_refused("wrong_audience");
            verifier.verify(&token, Audience::User).await.map_err(Refused::Token)?;
            return Err(Refused::NotProducer);
        }
        Err(error) => {
            tracing::info!(reason = error.label(), claim = error.claim(), %error, "producer token refused");
            app.metrics.token_refused(error.label());
            return Err(Refused::Token(error));
        }
    };
    claims.publish.clone().ok_or(Refused::NotProducer)
}

fn content_type(headers: &HeaderMap) -> Result<bool, Refused> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = value.and_then(|value| value.split(';').next()).map(str::trim);
    match media_type {
        Some(media) if media.eq_ignore_ascii_case("application/avro") => Ok(true),
        Some(media) if media.eq_ignore_ascii_case("application/json") => Ok(false),
        _ => Err(Refused::ContentType),
    }
}

/// CloudEvents attributes from the headers; the time is now if the producer gives none.
fn attributes(headers: &HeaderMap) -> Result<Attributes, Refused> {
    let mut named = Vec::with_capacity(8);
    for (name, value) in headers {
        if name.as_str().starts_with("ce-") || name.as_str() == "traceparent" {
            let value = value
                .to_str()
                .map_err(|_| Refused::Attributes(format!("header {name}: only visible ASCII is possible")))?;
            named.push((name.as_str().to_owned(), value.to_owned()));
        }
    }
    if !headers.contains_key("ce-time") {
        named.push(("ce-time".to_owned(), Timestamp(unix_millis()).to_rfc3339()));
    }
    if let Some(current) = fanfare_telemetry::traceparent() {
        named.retain(|(name, _)| name != "traceparent");
        named.push(("traceparent".to_owned(), current));
    }
    let pairs = named.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Attributes::from_headers(pairs).map_err(|error| Refused::Attributes(error.to_string()))
}

async fn read(body: HttpBody, limit: usize) -> Result<Vec<u8>, Refused> {
    let bytes = to_bytes(body, limit).await.map_err(|_| Refused::TooLarge(limit))?;
    Ok(bytes.to_vec())
}

impl Refused {
    fn status(&self) -> StatusCode {
        match self {
            Self::NoToken => StatusCode::UNAUTHORIZED,
            Self::Token(error) if error.is_server_fault() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Token(_) => StatusCode::UNAUTHORIZED,
            Self::NotProducer | Self::Ingest(IngestError::Forbidden(_)) => StatusCode::FORBIDDEN,
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Ingest(IngestError::Broker(error)) => match error {
                PublishError::NotStored(_) | PublishError::Refused(_) => StatusCode::SERVICE_UNAVAILABLE,
                PublishError::Unknown(_) => StatusCode::GATEWAY_TIMEOUT,
                PublishError::Invalid(_) => StatusCode::BAD_REQUEST,
                PublishError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            },
            Self::Attributes(_) | Self::Json(_) | Self::Ingest(_) => StatusCode::BAD_REQUEST,
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut body = json!({ "error": self.to_string() });
        match &self {
            Self::Ingest(IngestError::Mismatch(mismatch)) => {
                body["field"] = json!(mismatch.field);
                body["expected"] = json!(mismatch.expected);
                body["version"] = json!(mismatch.version);
            }
            Self::Ingest(IngestError::InvalidId { field, .. }) => {
                body["field"] = json!(field);
                body["expected"] = json!("an id: printable text of 1 to 256 characters");
            }
            _ => {}
        }
        let mut response = (status, Json(body)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_broker_refuses_is_not_stored_and_told_with_what_is_missing() {
        let reason = "no right to write to the topic events.system";
        let refused = Refused::from(IngestError::from(PublishError::Refused(reason.to_owned())));
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(refused.to_string().contains(reason), "{refused}");
    }
}
