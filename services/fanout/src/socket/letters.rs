//! `/deadletters` on the operator's port.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri};
use serde_json::json;
use thiserror::Error;

use super::answer::Ambiguous;
use super::body::BodyError;
use super::query::Query;
use super::state::App;
use crate::pipeline::letters::{LetterId, LetterIdError, LettersError, MOST_LISTED, MOST_REPLAYED, ReplayRequest};

/// How many letters are listed by default.
const LISTED: usize = 50;

/// The largest request to replay, in bytes.
const REQUEST_BYTES: usize = 16 * 1024;

/// Why the operator gets no letters.
#[derive(Debug, Error)]
pub(super) enum Refused {
    #[error(transparent)]
    Ambiguous(#[from] Ambiguous),
    #[error("`limit` must be 1 to {MOST_LISTED}")]
    Limit,
    #[error(transparent)]
    Id(#[from] LetterIdError),
    #[error("there is no dead letter {0}; `fanfare deadletters list` tells which there are")]
    Unknown(LetterId),
    #[error(transparent)]
    Unread(#[from] BodyError),
    #[error("the body is not a request to replay dead letters: {0}")]
    Body(String),
    #[error("a request names 1 to {MOST_REPLAYED} letters")]
    Number,
    #[error(transparent)]
    Letters(#[from] LettersError),
}

/// The newest letters; with `order=id` a page of them by their ids, those before `before`.
pub(super) async fn list(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Refused> {
    let query = Query::of(&uri);
    let limit = match query.one("limit").map_err(Ambiguous::from)? {
        None => LISTED,
        Some(text) => {
            let number = text.parse().ok().filter(|number| (1..=MOST_LISTED).contains(number));
            number.ok_or(Refused::Limit)?
        }
    };
    let before = query.one("before").map_err(Ambiguous::from)?.map(|text| text.parse::<LetterId>()).transpose()?;
    let listed = match query.one("order").map_err(Ambiguous::from)?.as_deref() {
        Some("id") => app.letters.page(before, limit).await?,
        _ => app.letters.newest(limit).await?,
    };
    Ok(Json(listed).into_response())
}

/// One letter with its headers and its body.
pub(super) async fn show(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Response, Refused> {
    let id: LetterId = id.parse()?;
    let shown = app.letters.show(id).await?.ok_or(Refused::Unknown(id))?;
    Ok(Json(shown).into_response())
}

/// Publishes letters again.
pub(super) async fn replay(State(app): State<Arc<App>>, request: Request) -> Result<Response, Refused> {
    let body = app.edge.bodies.read(request.into_body(), REQUEST_BYTES, "operator", None).await?;
    let request: ReplayRequest =
        serde_json::from_slice(&body.bytes).map_err(|error| Refused::Body(error.to_string()))?;
    if !(1..=MOST_REPLAYED).contains(&request.ids.len()) {
        return Err(Refused::Number);
    }
    // In a task of its own: a client that disconnects must not interrupt it.
    let letters = app.letters.clone();
    let replays = tokio::spawn(async move { letters.replay(&request).await });
    let replays = replays.await.map_err(|_| LettersError::Busy)??;
    Ok(Json(replays).into_response())
}

impl Refused {
    fn status(&self) -> StatusCode {
        match self {
            Self::Unread(error) => error.status(),
            Self::Ambiguous(_) | Self::Limit | Self::Id(_) | Self::Body(_) | Self::Number => StatusCode::BAD_REQUEST,
            Self::Unknown(_) => StatusCode::NOT_FOUND,
            Self::Letters(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.status(), Json(json!({ "error": self.to_string() }))).into_response()
    }
}
