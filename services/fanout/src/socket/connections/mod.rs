//! `/connections` on the operator's port: lists the connections of all nodes, and closes them through the log.

mod all_nodes;
mod ask;
pub(super) mod query;
pub(super) mod round_trips;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use fanfare_broker::PublishError;
use fanfare_event::Id;
use http::{StatusCode, Uri};
use serde_json::json;
use thiserror::Error;

pub use all_nodes::Listings;
use query::{Asked, BadQuestion};

use super::state::App;
use crate::clock::unix_millis;
use crate::connection::ConnectionId;
use crate::operator::connections::{Closing as Answer, Listed, NodesPage};
use crate::pipeline::IngestError;
use crate::projection::Closing;

/// How long the log may take to say that connections are closed.
const DEADLINE: Duration = Duration::from_secs(10);

/// Why the operator is not answered.
#[derive(Debug, Error)]
pub(super) enum Refused {
    #[error(transparent)]
    Question(#[from] BadQuestion),
    #[error("{0:?} is not the id of a connection; `GET /connections` tells which there are")]
    Connection(String),
    #[error("{what} {value:?}: {reason}")]
    Id { what: &'static str, value: String, reason: String },
    #[error("the node has too many such questions to answer, or a shard that does not answer; try again")]
    Busy,
    #[error("the event could not be stored in the log: {0}")]
    Log(#[from] IngestError),
    #[error("the log gave no answer in time; it is safe to send the request again")]
    Late,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Question(_) | Self::Connection(_) | Self::Id { .. } => StatusCode::BAD_REQUEST,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Late | Self::Log(IngestError::Broker(PublishError::Unknown(_))) => StatusCode::GATEWAY_TIMEOUT,
            Self::Log(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, Json(json!({ "error": self.to_string() }))).into_response()
    }
}

/// The open connections of all nodes.
pub(super) async fn list(State(app): State<Arc<App>>, uri: Uri) -> Result<Json<Listed>, Refused> {
    let asked = Asked::of(&uri)?;
    Ok(Json(all_nodes::of_all(&app, asked).await?))
}

/// Those of this node, for another that asks.
pub(super) async fn list_own(State(app): State<Arc<App>>, uri: Uri) -> Result<Json<NodesPage>, Refused> {
    let asked = Asked::of(&uri)?;
    Ok(Json(ask::own(&app, &asked).await?))
}

/// Closes one connection, wherever it is.
pub(super) async fn close_one(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, Refused> {
    query::none(&uri)?;
    let known = ConnectionId::parse(&id).ok_or(Refused::Connection(id))?;
    let closing = Closing { connection: Some(known.to_string()), user: None, session: None, realm: None };
    close(&app, closing).await
}

/// Closes all connections of a user.
pub(super) async fn close_user(
    State(app): State<Arc<App>>,
    Path(user): Path<String>,
    uri: Uri,
) -> Result<Response, Refused> {
    let [realm] = query::only(&uri, ["realm"])?;
    close(&app, Closing { connection: None, user: Some(id("the user", user)?), session: None, realm }).await
}

/// Closes all connections of a session; the query may name its user.
pub(super) async fn close_session(
    State(app): State<Arc<App>>,
    Path(session): Path<String>,
    uri: Uri,
) -> Result<Response, Refused> {
    let [realm, user] = query::only(&uri, ["realm", "user"])?;
    let user = user.map(|user| id("the user", user)).transpose()?;
    close(&app, Closing { connection: None, user, session: Some(id("the session", session)?), realm }).await
}

pub(super) fn id(what: &'static str, value: String) -> Result<Id, Refused> {
    Id::parse(&value).map_err(|error| Refused::Id { what, value, reason: error.to_string() })
}

async fn close(app: &Arc<App>, closing: Closing) -> Result<Response, Refused> {
    // In a task of its own: an operator who disconnects must not leave it half done.
    let ingest = app.ingest.clone();
    let said = closing.clone();
    let closed =
        tokio::spawn(
            async move { tokio::time::timeout(DEADLINE, ingest.close_connections(&said, unix_millis())).await },
        );
    let event = closed.await.map_err(|_| Refused::Late)?.map_err(|_| Refused::Late)??;
    let Closing { connection, user, session, realm } = &closing;
    tracing::info!(
        connection,
        user = user.as_ref().map(Id::as_str),
        session = session.as_ref().map(Id::as_str),
        realm,
        event,
        "an operator closes connections"
    );
    Ok((StatusCode::ACCEPTED, Json(Answer { id: event })).into_response())
}
