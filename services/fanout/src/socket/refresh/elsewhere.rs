//! Refreshes a connection of another node: the node that gets the new token asks the others, over their operator's
//! ports.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use http::request::Parts;
use http::{Request, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Semaphore;

use super::{CONNECTION_TOKEN, Failure, Reach, answered, replace};
use crate::config::HubConfig;
use crate::nodes::Alive;
use crate::socket::answer::Refusal;
use crate::socket::bearer;
use crate::socket::peers::Question;
use crate::socket::state::App;

/// The path at which a node accepts tokens that others pass on.
pub(in crate::socket) const PATH: &str = "/connections/refresh";

/// How many requests are passed on at a time; further clients are asked to come back.
const AT_ONCE: usize = 32;

/// The longest answer of another node, in bytes.
const MOST_BYTES: usize = 4096;

/// How much is passed on at a time.
#[derive(Debug)]
pub struct Passing(Semaphore);

impl Default for Passing {
    fn default() -> Self {
        Self(Semaphore::new(AT_ONCE))
    }
}

/// A request as it is passed on.
#[derive(Serialize, Deserialize)]
pub(in crate::socket) struct Passed {
    /// The hub.
    hub: String,
    /// The token of the connection.
    connection: String,
    /// The bearer token.
    token: String,
    /// The org that the request names.
    org: Option<String>,
}

/// Asks the other nodes which of them has the connection; the request's token was found good here.
pub(super) async fn ask(
    app: &App,
    hub: &HubConfig,
    parts: &Parts,
    connection: String,
    others: Vec<Alive>,
) -> Result<Option<u64>, Failure> {
    // A connection of nobody in particular has nothing to be renewed.
    let Some(token) = bearer::token_for(app, hub, parts)? else { return Err(Failure::Unknown) };
    let org =
        bearer::named_orgs(parts).map_err(Refusal::from)?.into_iter().flatten().next().map(|org| org.into_owned());
    let passed = Passed { hub: hub.path.to_string(), connection, token: token.into_owned(), org };
    let Ok(_permit) = app.passing.0.try_acquire() else { return Err(Failure::Elsewhere) };
    let mut answers: FuturesUnordered<_> = others.iter().map(|node| one(app, node, &passed)).collect();
    let mut is_silent = false;
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(Err(Failure::Unknown)) => {}
            Ok(outcome) => return outcome,
            Err(reason) => {
                is_silent = true;
                tracing::warn!(reason, "a node does not answer whether the connection is there");
            }
        }
    }
    Err(if is_silent { Failure::Elsewhere } else { Failure::Unknown })
}

/// The answer of one node.
async fn one(app: &App, node: &Alive, passed: &Passed) -> Result<Result<Option<u64>, Failure>, String> {
    let question = Question::Post(PATH, serde_json::to_vec(passed).map_err(|error| error.to_string())?);
    let (status, body) = app.peers.ask(&app.seal, node, question, MOST_BYTES).await?;
    let said: Value =
        serde_json::from_slice(&body).map_err(|error| format!("its answer is none of this version: {error}"))?;
    if status.is_success() {
        return Ok(Ok(said["tokenLifetimeSeconds"].as_u64()));
    }
    Ok(Err(match said["error"].as_str() {
        Some("connection_not_found") => Failure::Unknown,
        Some("permission_change_rejected") => Failure::Change,
        Some("unsupported_negotiate_version") => Failure::OldVersion,
        Some("refresh_disabled") => Failure::Disabled,
        Some("invalid_token") => Failure::Refused(Refusal::Unauthorized),
        _ => Failure::Elsewhere,
    }))
}

/// Answers another node, as a client that had asked here would be answered.
pub(in crate::socket) async fn passed(State(app): State<Arc<App>>, Json(passed): Json<Passed>) -> Response {
    let Some(hub) = app.hubs.find(&passed.hub) else { return Failure::Unknown.answer().1 };
    let org = passed.org.map(|org| form_urlencoded::Serializer::new(String::new()).append_pair("org", &org).finish());
    let request = Request::post(format!("{}/refresh?{}", hub.path, org.unwrap_or_default()))
        .header(header::AUTHORIZATION, format!("Bearer {}", passed.token))
        .header(CONNECTION_TOKEN, passed.connection)
        .body(());
    match request {
        Ok(request) => match replace(&app, &hub, &request.into_parts().0, Reach::Here).await {
            Ok(left) => answered(left),
            Err(failure) => failure.answer().1,
        },
        Err(_) => Failure::MissingToken.answer().1,
    }
}
