//! Calls the operator's port of a node.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;

use super::check::report;
use super::{Exit, asking, fail, secret};
use crate::clock::unix_seconds;
use crate::config::Config;
use crate::operator::connections::{Closing, Filter, Listed as Connections, RoundTrips};
use crate::operator::events::EventPaths;
use crate::operator::{self, Role};
use crate::pipeline::letters::{LetterId, Listed, ReplayRequest, Replays, Shown};
use crate::seal::Seal;

/// How long the node may take to answer: a replay may have to look through all state.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Why a command does not go on.
#[derive(Debug)]
pub(super) struct Trouble {
    /// Who is at fault.
    pub(super) exit: Exit,
    /// One sentence.
    pub(super) message: String,
}

impl Trouble {
    pub(super) fn wrong(message: impl Into<String>) -> Self {
        Self { exit: Exit::Wrong, message: message.into() }
    }

    fn unreachable(message: impl Into<String>) -> Self {
        Self { exit: Exit::Unreachable, message: message.into() }
    }
}

/// Asks the node of a configuration.
pub(super) fn ask(config: &Path, act: impl AsyncFnOnce(Client) -> Result<Exit, Trouble>) -> Exit {
    let (config, seal) = match sealed(config) {
        Ok(sealed) => sealed,
        Err(exit) => return exit,
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(Exit::Wrong, format_args!("no runtime: {error}")),
    };
    match runtime.block_on(async { act(Client::new(&config, seal)?).await }) {
        Ok(exit) => exit,
        Err(Trouble { exit, message }) => fail(exit, message),
    }
}

/// A configuration, and the seal of the node that has run with it.
pub(super) fn sealed(config: &Path) -> Result<(Config, Seal), Exit> {
    let config = Config::load(config).map_err(|faults| {
        report(&faults);
        Exit::Wrong
    })?;
    match secret::of_known_node(&config) {
        Ok(seal) => Ok((config, seal)),
        Err(error) => {
            let path = secret::path(&config);
            let message = format_args!(
                "the node secret {} cannot be read: {error}; a node makes it when it first runs, or configure \
                 [node] secret_file",
                path.display()
            );
            Err(fail(Exit::Wrong, message))
        }
    }
}

/// Asks one node as its operator.
pub(super) struct Client {
    http: reqwest::Client,
    seal: Seal,
    origin: String,
}

impl Client {
    /// The way to the node of a configuration.
    pub(super) fn new(config: &Config, seal: Seal) -> Result<Self, Trouble> {
        let asking = asking::client(config, config.node.tls.operator.as_ref(), TIMEOUT);
        let (http, scheme) = asking.map_err(|error| Trouble::wrong(format!("no HTTP client: {error}")))?;
        Ok(Self { http, seal, origin: format!("{scheme}://{}", reachable(config.node.admin_listen)) })
    }

    /// The newest letters.
    pub(super) async fn newest(&self, limit: usize) -> Result<Listed, Trouble> {
        self.send(self.request(Method::GET, &format!("/deadletters?limit={limit}"))).await
    }

    /// A page of letters by their ids, the last id first.
    pub(super) async fn page(&self, before: Option<LetterId>, limit: usize) -> Result<Listed, Trouble> {
        let before = before.map(|id| format!("&before={id}")).unwrap_or_default();
        self.send(self.request(Method::GET, &format!("/deadletters?order=id&limit={limit}{before}"))).await
    }

    /// One letter.
    pub(super) async fn show(&self, id: LetterId) -> Result<Shown, Trouble> {
        self.send(self.request(Method::GET, &format!("/deadletters/{id}"))).await
    }

    /// Publishes letters again.
    pub(super) async fn replay(&self, request: &ReplayRequest) -> Result<Replays, Trouble> {
        self.send(self.request(Method::POST, "/deadletters/replay").json(request)).await
    }

    /// A page of open connections.
    pub(super) async fn connections(
        &self,
        filter: &Filter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Connections, Trouble> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(filter.pairs()).append_pair("limit", &limit.to_string());
        if let Some(after) = after {
            query.append_pair("continue", after);
        }
        self.send(self.request(Method::GET, &format!("/connections?{}", query.finish()))).await
    }

    /// How long the clients of these connections take to answer, as far as they do.
    pub(super) async fn round_trips(&self, ids: &[&str]) -> Result<RoundTrips, Trouble> {
        self.send(self.request(Method::GET, &format!("/connections/round-trips?ids={}", ids.join(",")))).await
    }

    /// What became of an event.
    pub(super) async fn event(&self, id: &str) -> Result<EventPaths, Trouble> {
        let id = utf8_percent_encode(id, NON_ALPHANUMERIC);
        self.send(self.request(Method::GET, &format!("/events/{id}"))).await
    }

    /// Closes the connections under this path that match the query.
    pub(super) async fn close(&self, path: [&str; 2], query: &[(&str, &str)]) -> Result<Closing, Trouble> {
        let mut url = reqwest::Url::parse(&self.origin).map_err(|error| Trouble::wrong(error.to_string()))?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(path);
            if path[0] != "connections" {
                segments.push("connections");
            }
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let bearer = operator::bearer(&self.seal, Role::Operator, unix_seconds());
        self.send(self.http.request(Method::DELETE, url).bearer_auth(bearer)).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        // Sealed for each request: a long replay outlives one bearer.
        let bearer = operator::bearer(&self.seal, Role::Operator, unix_seconds());
        self.http.request(method, format!("{}{path}", self.origin)).bearer_auth(bearer)
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Trouble> {
        let origin = &self.origin;
        let away = |error: reqwest::Error| {
            Trouble::unreachable(format!("no node answers at {origin}: {}", fanfare_failure::root_cause(&error)))
        };
        let response = request.send().await.map_err(away)?;
        let status = response.status();
        let body = response.bytes().await.map_err(away)?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| {
                Trouble::wrong(format!("{origin} gives no answer of a fanfare node of this version: {error}"))
            });
        }
        let told: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
        let told = told.as_ref().and_then(|body| body["error"].as_str()).unwrap_or("no reason given");
        let message = match status {
            StatusCode::UNAUTHORIZED => format!("the node at {origin} does not let us in: {told}"),
            _ => format!("the node at {origin} answers {status}: {told}"),
        };
        Err(if status.is_server_error() { Trouble::unreachable(message) } else { Trouble::wrong(message) })
    }
}

/// The address to connect to for one that is listened on: every interface includes the loopback.
pub(super) fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
