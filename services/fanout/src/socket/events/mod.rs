//! `POST /events`: CloudEvents over HTTP from producers, in binary, structured and batch mode.

mod form;
mod refused;
mod request;

use std::sync::Arc;

use axum::Json;
use axum::body::Body as HttpBody;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use fanfare_token::{Audience, Publish, TokenError};
use http::StatusCode;
use http::request::Parts;
use serde::Serialize;
use tracing::Instrument as _;

use self::form::{Form, Mode};
use self::refused::Refused;
use super::bearer;
use super::state::App;
use crate::clock::unix_millis;
use crate::pipeline::{Draft, Taken};

/// Checks, stores and answers 202 once the broker has it.
pub(super) async fn publish(State(app): State<Arc<App>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let response = match take(&app, &parts, body).await {
        Ok(answer) => (StatusCode::ACCEPTED, Json(answer)).into_response(),
        Err(refused) => refused.into_response(),
    };
    app.metrics.publish_answered(response.status().as_u16());
    response
}

/// The answer when everything is stored.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Answer {
    One(Taken),
    All { events: Vec<Taken> },
}

/// First who asks, then what they may do, and only then what is wrong with the event.
async fn take(app: &App, parts: &Parts, body: HttpBody) -> Result<Answer, Refused> {
    let (producer, permission) = authorize(app, parts).await?;
    let span = tracing::info_span!("publish");
    // Of nobody in particular, a trace would be whatever a stranger wants it to be.
    let traceparent = parts.headers.get("traceparent").and_then(|value| value.to_str().ok());
    if let Some(traceparent) = traceparent {
        fanfare_telemetry::follow(&span, traceparent);
    }
    taken(app, parts, body, (&producer, &permission)).instrument(span).await
}

async fn taken(
    app: &App,
    parts: &Parts,
    body: HttpBody,
    (producer, permission): (&str, &Publish),
) -> Result<Answer, Refused> {
    let form = Form::of(&parts.headers)?;
    let received = unix_millis();
    match form.mode {
        Mode::Binary(media) => {
            let attributes = request::attributes(&parts.headers, received)?;
            // What can be refused without the body is refused before it is sent.
            app.ingest.permit(&attributes, permission)?;
            let body = form.data(media, read(app, body, producer).await?, app.event_bytes.get())?;
            Ok(Answer::One(app.ingest.publish(Draft { attributes, body }, permission).await?))
        }
        Mode::Structured => {
            let json = form.json(read(app, body, producer).await?, app.event_bytes.get())?;
            let draft = request::structured(json, received)?;
            Ok(Answer::One(app.ingest.publish(draft, permission).await?))
        }
        Mode::Batch => {
            let json = form.json(read(app, body, producer).await?, app.event_bytes.get())?;
            let drafts = request::batch(json, received)?;
            let events = app.ingest.publish_all(drafts, permission).await?;
            Ok(Answer::All { events })
        }
    }
}

/// The producer, and its rights.
async fn authorize(app: &App, parts: &Parts) -> Result<(String, Publish), Refused> {
    // From the header only: a query is in the logs of every proxy on the way.
    let token = bearer::of_header(&parts.headers).ok_or(Refused::NoToken)?;
    bearer::check_address(app, parts).map_err(Refused::TooManyTokens)?;
    // Without an issuer no token can be valid.
    let verifier = app.verifier.as_ref().ok_or(Refused::Token(TokenError::UnknownIssuer))?;
    let claims = match verifier.verify(token, Audience::Producer).await {
        Ok(claims) => claims,
        // A user's own token is a good one, but not for this: 403, not 401.
        Err(TokenError::WrongAudience) => {
            app.metrics.token_refused("wrong_audience");
            verifier.verify(token, Audience::User).await.map_err(Refused::Token)?;
            return Err(Refused::NotProducer);
        }
        Err(error) => {
            bearer::note_refused(app, parts, &error);
            return Err(Refused::Token(error));
        }
    };
    let permission = claims.publish.clone().ok_or(Refused::NotProducer)?;
    Ok((format!("{}/{}", claims.issuer, claims.user), permission))
}

/// The body as it came, at most as large as an event may be.
async fn read(app: &App, body: HttpBody, producer: &str) -> Result<Vec<u8>, Refused> {
    let read = app.edge.bodies.read(body, app.event_bytes.get(), ("producer", producer), None).await;
    let read = read.inspect_err(|error| app.metrics.http_refused(error.label()))?;
    Ok(read.bytes.to_vec())
}
