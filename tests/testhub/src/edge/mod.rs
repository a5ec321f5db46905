//! The HTTP side: requests before and beside the hubs.

mod cookies;
mod cors;
mod jwt;
mod library;
mod redirect;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use fanfare_fanout::embed::{Clients, EmbeddedNode};
use fanfare_signalr::{Outcome, Value};
use http::{Method, StatusCode, header};
use tower::ServiceExt as _;

use crate::echo::Echo;
use crate::settings;
use jwt::Tokens;
use library::Library;
use redirect::Redirects;

/// The most bytes of a negotiation's answer.
const MAX_ANSWER: usize = 64 * 1024;

struct Edge {
    node: Router,
    clients: Clients,
    echo: Arc<Echo>,
    tokens: Tokens,
    redirects: Redirects,
    library: Library,
}

/// The port's answers, with a node behind it; `client` is the folder of the JavaScript client's package.
pub(crate) fn router(node: &EmbeddedNode, client: PathBuf) -> Router {
    let edge = Edge {
        node: node.public(),
        clients: node.clients(),
        echo: Arc::new(Echo::default()),
        tokens: Tokens::new(),
        redirects: Redirects::default(),
        library: Library::of(client),
    };
    Router::new().fallback(answer).with_state(Arc::new(edge))
}

async fn answer(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let asked = cors::Asked::of(request.headers());
    let negotiates = request.uri().path().contains("/negotiate");
    let secure = cookies::is_secure(request.headers());
    let mut response = if request.method() == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        edge.route(request).await
    };
    if negotiates {
        cookies::set(response.headers_mut(), secure);
    }
    asked.allow(response.headers_mut());
    response
}

impl Edge {
    async fn route(&self, request: Request) -> Response {
        let path = request.uri().path().to_ascii_lowercase();
        let mut segments = path.trim_start_matches('/').split('/');
        match segments.next().unwrap_or_default() {
            "redirect" => self.redirects.to_the_hub(request.uri()),
            "echoredirect" => redirect::to_echo(request.uri()),
            "bad-negotiate" => (StatusCode::BAD_REQUEST, "Some response from server").into_response(),
            "generatejwttoken" => self.tokens.mint().into_response(),
            "clientresult" => self.client_result(request.uri().path()).await,
            "lib" => self.library.answer(&path).await,
            "echo" => Arc::clone(&self.echo).answer(request).await,
            _ if is_of(&path, settings::AUTHORIZED) && !self.tokens.allow(&request) => {
                StatusCode::UNAUTHORIZED.into_response()
            }
            _ if is_of(&path, settings::WITHOUT_WEB_SOCKETS) => self.without_web_sockets(request).await,
            _ => self.ask_node(request).await,
        }
    }

    async fn ask_node(&self, mut request: Request) -> Response {
        // Any page may use these hubs; the node would check its list of origins.
        request.headers_mut().remove(header::ORIGIN);
        self.node.clone().oneshot(request).await.into_response()
    }

    /// Asks a connection for a number.
    async fn client_result(&self, path: &str) -> Response {
        let id = path.rsplit('/').next().unwrap_or_default();
        match self.clients.ask(id, "Result", Vec::new()).await {
            Some(Outcome::Value(Value::Int(number))) => number.to_string().into_response(),
            Some(Outcome::Error(error)) => error.into_owned().into_response(),
            Some(other) => format!("The client's result is not a number: {other:?}").into_response(),
            None => format!("Connection '{id}' does not exist.").into_response(),
        }
    }

    async fn without_web_sockets(&self, request: Request) -> Response {
        if request.headers().contains_key(header::UPGRADE) {
            let text = "WebSockets transport not supported by this end point type";
            return (StatusCode::NOT_FOUND, text).into_response();
        }
        let response = self.ask_node(request).await;
        let (mut parts, body) = response.into_parts();
        let is_json = parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
        if !is_json {
            return Response::from_parts(parts, body);
        }
        match axum::body::to_bytes(body, MAX_ANSWER).await.ok().and_then(|bytes| without_first_transport(&bytes)) {
            Some(bytes) => {
                parts.headers.remove(header::CONTENT_LENGTH);
                Response::from_parts(parts, Body::from(bytes))
            }
            None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

fn is_of(path: &str, hub: &str) -> bool {
    path.strip_prefix(hub).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A negotiation's answer without WebSockets.
fn without_first_transport(json: &[u8]) -> Option<Vec<u8>> {
    let mut answer: serde_json::Value = serde_json::from_slice(json).ok()?;
    let transports = answer.get_mut("availableTransports")?.as_array_mut()?;
    transports.retain(|one| one["transport"] != "WebSockets");
    serde_json::to_vec(&answer).ok()
}
