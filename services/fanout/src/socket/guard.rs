//! Who may use the operator's port: operators, and the other nodes.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use super::client::KnownClient;
use super::header::one;
use super::state::App;
use crate::clock::unix_seconds;
use crate::operator::{self, Rights, Role};
use crate::tls::Server;

/// The answer to read-only tokens for everything else.
const READ_ONLY: &str = "this bearer may look and change nothing; `fanfare token --config FILE --operator` without \
                         --read-only prints one that may";

/// The answer without a certificate where one is needed.
const NO_CERTIFICATE: &str =
    "this port needs a client certificate that client_ca_file of [node.operator_tls] vouches for";

/// Paths that need no certificate: probes have none.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];

/// Admits clients with a valid certificate, if one is required.
pub(super) async fn known_clients(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let asks = app.edge.operator.tls().is_some_and(Server::asks_clients);
    let is_known = request.extensions().get::<KnownClient>().is_some();
    if !asks || is_known || PROBES.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    if app.edge.may_say("no client certificate") {
        tracing::warn!(path = request.uri().path(), "operator refused: no client certificate");
    }
    refuse(StatusCode::FORBIDDEN, NO_CERTIFICATE)
}

/// Lets operators pass, and nobody else.
pub(super) async fn operators(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    pass(&app, Role::Operator, request, next).await
}

/// Lets nodes of the same secret pass, and nobody else.
pub(super) async fn nodes(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    pass(&app, Role::Node, request, next).await
}

async fn pass(app: &App, role: Role, mut request: Request, next: Next) -> Response {
    // Only the header: a query ends up in somebody's log.
    let value = match one(request.headers(), header::AUTHORIZATION) {
        Ok(value) => value,
        Err(refused) => return refuse(StatusCode::BAD_REQUEST, &refused.to_string()),
    };
    let bearer =
        value.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    match operator::check(&app.seal, role, bearer.map(|(_, token)| token.trim()), unix_seconds()) {
        Ok(pass) if pass.rights == Rights::Read && !request.method().is_safe() => {
            refuse(StatusCode::FORBIDDEN, READ_ONLY)
        }
        Ok(pass) => {
            request.extensions_mut().insert(pass);
            next.run(request).await
        }
        Err(reason) => {
            if app.edge.may_say("operator refused") {
                tracing::warn!(path = request.uri().path(), %reason, "operator refused");
            }
            let mut response = refuse(StatusCode::UNAUTHORIZED, &reason.to_string());
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            response
        }
    }
}

fn refuse(status: StatusCode, reason: &str) -> Response {
    (status, Json(json!({ "error": reason }))).into_response()
}
