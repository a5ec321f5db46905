//! Publishing over HTTP, to the fan-out's `POST /events`.

use std::time::Duration;

use async_trait::async_trait;
use fanfare_event::{Attributes, Encoded};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};

use crate::publisher::{PublishError, Publisher};

const TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The largest part of a refusal that is read, in bytes.
const MAX_REASON: usize = 1000;
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The source of the producer's token; called before each request, so it should cache the token while it is valid.
#[async_trait]
pub trait TokenSource: Send + Sync + 'static {
    /// The token, or why there is none.
    async fn token(&self) -> Result<String, String>;
}

#[async_trait]
impl<F: Fn() -> Result<String, String> + Send + Sync + 'static> TokenSource for F {
    async fn token(&self) -> Result<String, String> {
        self()
    }
}

/// Why an [`HttpPublisher`] cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum HttpPublisherError {
    /// The address is invalid.
    #[error("{address:?} is not an http or https address such as http://127.0.0.1:8080")]
    BadAddress {
        /// The given address.
        address: String,
    },
    /// The HTTP client cannot be created.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(#[from] reqwest::Error),
}

/// Publishes to a fan-out's `POST /events` as CloudEvents in binary mode.
pub struct HttpPublisher {
    client: Client,
    events: Url,
    timeout: Duration,
    tokens: Box<dyn TokenSource>,
}

impl HttpPublisher {
    /// A publisher for the fan-out at this address, such as `http://127.0.0.1:8080`.
    pub fn new(fanout: &str, tokens: impl TokenSource) -> Result<Self, HttpPublisherError> {
        let bad = || HttpPublisherError::BadAddress { address: fanout.to_owned() };
        let mut events = Url::parse(fanout).map_err(|_| bad())?;
        if !matches!(events.scheme(), "http" | "https") || events.query().is_some() || events.fragment().is_some() {
            return Err(bad());
        }
        let path = format!("{}/events", events.path().trim_end_matches('/'));
        events.set_path(&path);
        let client = Client::builder()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            // The fan-out is a neighbour: a proxy for the Internet is not on the way to it.
            .no_proxy()
            .build()?;
        Ok(Self { client, events, timeout: TIMEOUT, tokens: Box::new(tokens) })
    }

    /// Waits this long for an answer instead of 5 seconds.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

#[async_trait]
impl Publisher for HttpPublisher {
    async fn publish(&self, event: &Encoded) -> Result<(), PublishError> {
        let token =
            self.tokens.token().await.map_err(|error| PublishError::Unreachable(format!("no token: {error}")))?;
        let request = self
            .client
            .post(self.events.clone())
            .timeout(self.timeout)
            .bearer_auth(token)
            .headers(headers(&event.attributes)?)
            .header(CONTENT_TYPE, "application/avro")
            .body(event.body.clone());
        let response = request.send().await.map_err(|error| failure(&error))?;
        match response.status() {
            StatusCode::ACCEPTED => Ok(()),
            // The answer does not confirm that the event is stored, and whatever server this is answers every event
            // like that.
            status if status.is_success() => Err(PublishError::Unreachable(format!(
                "expected 202 (is the address a fan-out's?), but {}",
                reason(response).await
            ))),
            StatusCode::BAD_REQUEST | StatusCode::CONFLICT | StatusCode::PAYLOAD_TOO_LARGE => {
                Err(PublishError::Rejected(reason(response).await))
            }
            // The fan-out or its broker is unreachable, or asks for less load: other events would fail as well.
            StatusCode::TOO_MANY_REQUESTS | StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE => {
                Err(PublishError::Unreachable(reason(response).await))
            }
            _ => Err(PublishError::Retry(reason(response).await)),
        }
    }
}

/// The event's attributes, with the trace of the current span instead of the stored one if there is one.
fn headers(attributes: &Attributes) -> Result<HeaderMap, PublishError> {
    let mut headers = HeaderMap::new();
    for (name, value) in attributes.to_headers() {
        let unfit = || PublishError::Rejected(format!("attribute {name} does not fit into an HTTP header"));
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit())?;
        headers.insert(header, HeaderValue::from_str(&value).map_err(|_| unfit())?);
    }
    if let Some(current) = fanfare_telemetry::traceparent().and_then(|current| HeaderValue::from_str(&current).ok()) {
        headers.insert(TRACEPARENT, current);
    }
    Ok(headers)
}

fn failure(error: &reqwest::Error) -> PublishError {
    let text = fanfare_failure::with_causes(error);
    if error.is_connect() {
        PublishError::Unreachable(text)
    } else {
        // It may have been stored; the same id again is safe.
        PublishError::Retry(text)
    }
}

/// The text of the answer, if it is short.
async fn reason(mut response: Response) -> String {
    let status = response.status();
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk[..chunk.len().min(MAX_REASON - body.len())]);
        if body.len() >= MAX_REASON {
            break;
        }
    }
    match String::from_utf8_lossy(&body).trim() {
        "" => format!("the fan-out answered {status}"),
        text => format!("the fan-out answered {status}: {text}"),
    }
}
