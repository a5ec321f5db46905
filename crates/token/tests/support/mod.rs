//! Shared by the tests: keys, tokens, and an issuer that publishes its keys over HTTP.

// Each test file uses its own part of this, and a failing helper should end the test.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fanfare_token::{Audience, Claims, IssuerConfig, Jwks, Keys, SigningKey, TokenError, Verifier, VerifierOptions};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

pub const ISSUER: &str = "https://auth.example";
pub const AUDIENCE: &str = "fanfare";
pub const PRODUCERS: &str = "fanfare-producers";
pub const NOW: i64 = 1_800_000_000;

/// Keys created once, because creating one is slow.
pub fn key(index: usize) -> &'static SigningKey {
    static KEYS: [OnceLock<SigningKey>; 2] = [OnceLock::new(), OnceLock::new()];
    KEYS[index].get_or_init(|| SigningKey::generate().unwrap())
}

pub fn jwks(indices: &[usize]) -> String {
    serde_json::to_string(&Jwks { keys: indices.iter().map(|index| key(*index).jwk()).collect() }).unwrap()
}

/// The claims of a good token, for a test to change.
pub fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "org": "acme", "roles": ["user", "admin"], "sid": "s-1",
        "iat": NOW - 60, "exp": NOW + 840,
    })
}

/// The good claims with this one replaced, or removed if it is null.
pub fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    claims
}

pub fn token(claims: &Value) -> String {
    key(0).sign(claims).unwrap()
}

/// A token with this header and these claims, with a signature that fits neither.
pub fn forged(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode([7; 256]))
}

pub fn config(keys: Keys) -> IssuerConfig {
    IssuerConfig::new(ISSUER, AUDIENCE, PRODUCERS, keys)
}

pub fn fixed_keys() -> Keys {
    Keys::Static(vec![key(0).jwk()])
}

pub fn verifier() -> Verifier {
    Verifier::new(vec![config(fixed_keys())], VerifierOptions::default()).unwrap()
}

/// Verifies a user's token with a fixed key.
pub async fn verify(token: &str) -> Result<Arc<Claims>, TokenError> {
    verifier().verify_at(token, Audience::User, NOW).await
}

/// An issuer's HTTP server, whose answers can be changed while it runs.
#[derive(Clone)]
pub struct Server {
    pub address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    answers: HashMap<String, (String, String)>,
    delay: Duration,
    requests: Vec<String>,
}

impl Server {
    pub async fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub fn on(listener: TcpListener) -> Self {
        let server = Self { address: format!("http://{}", listener.local_addr().unwrap()), state: Arc::default() };
        let state = Arc::clone(&server.state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&state)));
            }
        });
        server
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    pub fn answer(&self, path: &str, status: &str, body: impl Into<String>) {
        self.state.lock().unwrap().answers.insert(path.into(), (status.into(), body.into()));
    }

    pub fn serve_keys(&self, indices: &[usize]) {
        self.answer("/jwks", "200 OK", jwks(indices));
    }

    pub fn fail(&self) {
        self.answer("/jwks", "500 Internal Server Error", "");
    }

    pub fn delay(&self, delay: Duration) {
        self.state.lock().unwrap().delay = delay;
    }

    pub fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }

    pub fn verifier(&self, options: VerifierOptions) -> Verifier {
        Verifier::new(vec![config(Keys::Jwks(self.url("/jwks")))], options).unwrap()
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if !matches!(stream.read_buf(&mut head).await, Ok(1..)) {
                return;
            }
        }
        let path = String::from_utf8_lossy(&head).split(' ').nth(1).unwrap().to_owned();
        let (answer, delay) = {
            let mut state = state.lock().unwrap();
            state.requests.push(path.clone());
            (state.answers.get(&path).cloned().unwrap_or(("404 Not Found".into(), String::new())), state.delay)
        };
        sleep(delay).await;
        let (status, body) = answer;
        let response = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nlocation: /moved\r\n\r\n{body}", body.len());
        if stream.write_all(response.as_bytes()).await.is_err() {
            return;
        }
    }
}

pub async fn until<F: Future<Output = bool>>(what: &str, mut reached: impl FnMut() -> F) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !reached().await {
        assert!(Instant::now() < deadline, "waited too long for {what}");
        sleep(Duration::from_millis(5)).await;
    }
}
