//! A producer for tests: a database in a folder of its own, a fake fan-out, callers with tokens.

use crate::identity::USER_AUDIENCE;
use crate::settings::Settings;
use crate::{Authenticator, Producer, Service, VerifiedTokens};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use clap::Parser as _;
use fanfare_event::{Attributes, Encoded, Event, Id, Registry};
use fanfare_outbox::{PublishError, Publisher};
use fanfare_token::{Keys, NewToken, SigningKey};
use serde_json::Value;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::ServiceExt as _;

/// The issuer of the users' tokens in tests.
const ISSUER: &str = "http://127.0.0.1:8081";
/// How long a test waits for an event.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(clap::Parser)]
struct Command {
    #[command(flatten)]
    settings: Settings,
}

/// A producer whose events reach the test.
pub struct Harness {
    /// The producer.
    pub producer: Producer,
    /// Stops its tasks.
    pub shutdown: CancellationToken,
    events: mpsc::Receiver<Encoded>,
    folder: TempDir,
    _stop: DropGuard,
}

/// A published event.
#[derive(Debug)]
pub struct Published {
    /// Its attributes.
    pub attributes: Attributes,
    /// Its data.
    pub data: Value,
    /// The key of the state that it sets.
    pub key: Option<String>,
}

impl Published {
    /// The name of its type.
    pub fn event_type(&self) -> &str {
        self.attributes.event_type.as_str()
    }
}

struct FakeFanout(mpsc::Sender<Encoded>);

#[async_trait::async_trait]
impl Publisher for FakeFanout {
    async fn publish(&self, event: &Encoded) -> Result<(), PublishError> {
        self.0.send(event.clone()).await.map_err(|_| PublishError::Unreachable("the test is over".into()))
    }
}

impl Harness {
    /// Opens the service in a new folder.
    pub async fn open(service: Service) -> Self {
        Self::open_in(service, TempDir::new().expect("a folder")).await
    }

    /// Opens the service in another one's folder.
    pub async fn open_in(service: Service, folder: TempDir) -> Self {
        // Creating a key is slow; all tests may share one.
        let key_file = folder.path().join("producer-key.pem");
        std::fs::write(&key_file, signing_key().to_pkcs8_pem().expect("pem")).expect("key");
        close_to_others(&key_file);
        let settings = settings(folder.path());
        let producer = Producer::open(service, &settings).await.expect("a producer");
        let (sender, events) = mpsc::channel(1024);
        let shutdown = CancellationToken::new();
        producer.start_relay(FakeFanout(sender), shutdown.clone());
        let stop = shutdown.clone().drop_guard();
        Self { producer, shutdown, events, folder, _stop: stop }
    }

    /// Stops the tasks as a kill would, except for their memory, and returns the folder.
    pub async fn stop(self) -> TempDir {
        self.shutdown.cancel();
        self.producer.stopped().await;
        self.folder
    }

    /// Accepts the tokens from [`token`].
    pub fn authenticator(&self) -> Authenticator {
        let keys = Keys::Static(vec![signing_key().jwk()]);
        Authenticator::new(VerifiedTokens::with_keys(ISSUER, keys).expect("keys"))
    }

    /// The next published event.
    pub async fn event(&mut self) -> Published {
        let next = tokio::time::timeout(PATIENCE, self.events.recv()).await;
        let Encoded { attributes, body, key } = next.expect("an event in time").expect("the relay runs");
        let event = Event::decode(&Registry::builtin(), attributes, &body).expect("an event");
        let data = serde_json::to_value(&event.record).expect("json");
        Published { attributes: event.attributes, data, key }
    }

    /// Calls the service's routes as they are served.
    pub fn client(&self, routes: Router) -> Client {
        Client(self.producer.router(routes, self.authenticator()))
    }
}

/// Default settings, except for the folder.
pub fn settings(folder: &Path) -> Settings {
    let folder = folder.to_str().expect("a plain path");
    Command::parse_from(["test", "--data", folder]).settings
}

/// The key that signs the tokens of tests.
pub fn signing_key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate().expect("a key"))
}

/// A user's token.
pub fn token(user: &str, org: &str, roles: &[&str]) -> String {
    let id = |text: &str| Id::parse(text).expect("an id");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
    let claims = NewToken::user(ISSUER, USER_AUDIENCE, &id(user), now, 600).org(&id(org)).roles(roles.iter().copied());
    signing_key().sign(&claims).expect("a token")
}

/// Calls routes without a network.
#[derive(Clone)]
pub struct Client(Router);

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    /// The message of an error.
    pub fn error(&self) -> String {
        self.json()["error"].as_str().expect("an error").to_owned()
    }
}

impl Client {
    /// Sends a request with a JSON body (none if it is null) and a token (none if it is empty).
    pub async fn call(&self, method: Method, path: &str, token: &str, body: Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.send(request.body(Body::from(body)).expect("a request")).await
    }

    /// GET without a body.
    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.call(Method::GET, path, token, Value::Null).await
    }

    /// POST.
    pub async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call(Method::POST, path, token, body).await
    }

    /// PUT.
    pub async fn put(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call(Method::PUT, path, token, body).await
    }

    /// DELETE without a body.
    pub async fn delete(&self, path: &str, token: &str) -> Answer {
        self.call(Method::DELETE, path, token, Value::Null).await
    }

    /// Sends any request.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.0.clone().oneshot(request).await.expect("routes do not fail");
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 16 << 20).await.expect("a body").to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

fn close_to_others(file: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).expect("permissions");
    }
}
