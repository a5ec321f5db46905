//! Raw connections without handshake or hub: they echo everything, over all three transports.

mod connection;
mod polling;
mod web_socket;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use fanfare_signalr::negotiate::{Answer, Transport};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, header};
use uuid::Uuid;

use connection::Connection;

/// The largest number of connections; above it all are dropped.
const MOST: usize = 1024;

/// All raw connections.
#[derive(Debug, Default)]
pub(crate) struct Echo(Mutex<HashMap<String, Arc<Connection>>>);

impl Echo {
    /// Answers any request to the path.
    pub(crate) async fn answer(self: Arc<Self>, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        if parts.uri.path().to_ascii_lowercase().trim_end_matches('/').ends_with("/negotiate") {
            return self.negotiate();
        }
        if let Ok(Some(accept)) = fanfare_fanout::websocket::check_upgrade(&parts.headers) {
            return web_socket::open(parts, &accept);
        }
        let Some(id) = id_of(&parts) else {
            return (StatusCode::BAD_REQUEST, "Connection ID required").into_response();
        };
        let Some(connection) = self.find(&id) else {
            return (StatusCode::NOT_FOUND, "No Connection with that ID").into_response();
        };
        match parts.method {
            Method::GET if accepts_events(&parts.headers) => connection.events(!is_strange(&parts.headers)),
            Method::GET => connection.poll(!is_strange(&parts.headers)).await,
            Method::POST => connection.take(body).await,
            Method::DELETE => {
                connection.end();
                self.connections().remove(&id);
                StatusCode::ACCEPTED.into_response()
            }
            _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
        }
    }

    fn negotiate(&self) -> Response {
        let token = Uuid::new_v4().simple().to_string();
        let mut connections = self.connections();
        if connections.len() >= MOST {
            connections.clear();
        }
        connections.insert(token.clone(), Arc::default());
        Json(Answer::V1 {
            connection_id: Uuid::new_v4().simple().to_string(),
            connection_token: token,
            transports: Transport::ALL.to_vec(),
            use_stateful_reconnect: false,
            token_lifetime_seconds: None,
        })
        .into_response()
    }

    fn find(&self, id: &str) -> Option<Arc<Connection>> {
        self.connections().get(id).cloned()
    }

    fn connections(&self) -> MutexGuard<'_, HashMap<String, Arc<Connection>>> {
        // It is consistent after each of its calls, whatever panicked elsewhere.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn id_of(parts: &Parts) -> Option<String> {
    let query = parts.uri.query().unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(key, _)| key.eq_ignore_ascii_case("id")).map(|(_, id)| id.into_owned())
}

fn accepts_events(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/event-stream"))
}

/// A page of another origin without cookies: its connections end at once, so the clients' tests see whether cookies
/// were sent.
fn is_strange(headers: &HeaderMap) -> bool {
    let cookies = headers.get(header::COOKIE).and_then(|cookies| cookies.to_str().ok()).unwrap_or_default();
    headers.contains_key(header::ORIGIN) && !cookies.contains("testCookie=")
}
