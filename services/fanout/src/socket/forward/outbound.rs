//! The request to the other node, and its answer.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Request, Uri, header, uri};
use http_body_util::BodyExt as _;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;

use super::forwarded::{Forwarded, HEADER};
use super::{Forwarder, NoAnswer};
use crate::clock::unix_seconds;
use crate::connection::Home;
use crate::limit::{NoPlace, Who};
use crate::socket::answer::Refusal;
use crate::socket::client;
use crate::socket::opening::refused;
use crate::socket::shard::Denied;
use crate::socket::state::App;
use crate::vocabulary::scheme_of;

/// How long the other node may take to be reached.
const CONNECT: Duration = Duration::from_secs(2);

/// How long it may take to begin its answer: a poll waits for 90 s.
const ANSWER: Duration = Duration::from_secs(110);

/// What the kernel reads ahead of the client. With what it takes by itself, 6 MB, a tab that stops reading would look
/// healthy to its node for long.
const READ_AHEAD: usize = 64 * 1024;

/// The most TCP connections to one node that wait for a request.
const MOST_IDLE: usize = 32;

/// Headers of one TCP connection only (RFC 9110 section 7.6.1), and those that this node sets for the client itself.
const NOT_FORWARDED: [HeaderName; 8] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HEADER,
];

/// Asks nodes over TCP, or over TLS where that is spoken.
pub(super) type Asking = Client<HttpsConnector<HttpConnector>, Body>;

/// Reuses TCP connections that the other side keeps for so long.
pub(super) fn client(patience: Duration, tls: ClientConfig) -> Asking {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT));
    connector.set_recv_buffer_size(Some(READ_AHEAD));
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        // The other side must not give it up at the moment in which it is used again.
        .pool_idle_timeout(patience / 2)
        .pool_max_idle_per_host(MOST_IDLE)
        .build(
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(connector),
        )
}

impl Forwarder {
    /// Asks the node that has the connection of a request, and gives its answer back as it comes.
    ///
    /// # Errors
    /// [`Refusal`] if that node is gone or silent, or if this one forwards too much.
    pub(in crate::socket) async fn forward(
        &self,
        app: &App,
        home: &Home,
        who: Who,
        parts: &Parts,
        body: Body,
    ) -> Result<Response, Refusal> {
        if self.places.is_left_alone(home) {
            app.metrics.request_forwarded("gone");
            return Err(refused(app, Denied::Unknown));
        }
        let held = self.places.take(who).map_err(|no_place| {
            let (outcome, why) = match no_place {
                NoPlace::Node => ("no_room", NoAnswer::NoRoom),
                NoPlace::User => ("too_many", NoAnswer::TooMany),
            };
            app.metrics.request_forwarded(outcome);
            Refusal::NoAnswer(why)
        })?;
        let began = Instant::now();
        let asked = tokio::time::timeout(ANSWER, self.client.request(request(app, home, parts, body)?)).await;
        let answer = match asked {
            Ok(Ok(answer)) => answer,
            // Nothing was sent, and that process and its connections are gone.
            Ok(Err(error)) if error.is_connect() => {
                app.metrics.request_forwarded("gone");
                // A machine that answers at all costs almost nothing.
                if began.elapsed() >= CONNECT {
                    self.places.leave_alone(home);
                }
                tracing::debug!(%error, node = home.address(), "the node of a connection is gone");
                return Err(refused(app, Denied::Unknown));
            }
            failed => {
                app.metrics.request_forwarded("silent");
                if app.edge.may_say("forward") {
                    let error = failed.err().map_or_else(|| "it fell silent".to_owned(), |error| error.to_string());
                    tracing::warn!(error, node = home.address(), "a node does not answer what is forwarded to it");
                }
                return Err(Refusal::NoAnswer(NoAnswer::Silent));
            }
        };
        app.metrics.request_forwarded("answered");
        // It counts for as long as the answer lasts.
        let mut answer = answer.map(|body| {
            Body::new(body.map_frame(move |frame| {
                let _counted = &held;
                frame
            }))
        });
        keep_what_is_the_clients(answer.headers_mut());
        Ok(answer)
    }
}

/// The request as it goes to the other node.
fn request(app: &App, home: &Home, parts: &Parts, body: Body) -> Result<Request<Body>, Refusal> {
    let path = parts.uri.path_and_query().cloned().unwrap_or_else(|| uri::PathAndQuery::from_static("/"));
    let (scheme, address) = scheme_of(home.address());
    let address = Uri::builder().scheme(scheme).authority(address).path_and_query(path).build();
    let Ok(address) = address else { return Err(refused(app, Denied::Unknown)) };
    let mut request = Request::new(body);
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = address;
    *request.headers_mut() = parts.headers.clone();
    let headers = request.headers_mut();
    NOT_FORWARDED.iter().for_each(|name| drop(headers.remove(name)));
    // The body is complete by now, and its length is known.
    headers.remove(header::CONTENT_LENGTH);
    let said =
        Forwarded { client: app.edge.address(parts), by_proxy: client::is_of_trusted_proxy(&app.edge.proxies, parts) };
    headers.insert(HEADER, said.header(&app.seal, unix_seconds()));
    Ok(request)
}

/// Leaves out of an answer what is of the way between the nodes, and what this node says to pages of other origins itself.
fn keep_what_is_the_clients(headers: &mut HeaderMap) {
    NOT_FORWARDED.iter().for_each(|name| drop(headers.remove(name)));
    let of_cors = |name: &&HeaderName| name.as_str().starts_with("access-control-") || **name == header::VARY;
    let names: Vec<HeaderName> = headers.keys().filter(of_cors).cloned().collect();
    names.iter().for_each(|name| drop(headers.remove(name)));
}
