//! Asks the platform's authorizers over HTTP, bounded in time, number and memory.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use fanfare_broker::Position;
use fanfare_token::{OtherClaims, claim_texts};
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response, StatusCode, Url};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::config::{AuthorizerConfig, Secret};
use crate::limit::OldestFirst;
use crate::method::Answer;
use crate::method::declared::Asking;

/// How long an answer may take, waiting for a turn included.
const DEADLINE: Duration = Duration::from_secs(2);

/// How many questions to one authorizer are under way at a time.
const AT_ONCE: usize = 256;

/// How many answers of one authorizer are remembered; the oldest gives way.
const REMEMBERED: usize = 10_000;

/// The largest answer that is read.
const MAX_BODY: usize = 64 * 1024;

/// The most claims of an answer.
const MAX_CLAIMS: usize = 64;

/// The authorizers of a node, by name; shared by all clones, and replaced for all of them.
#[derive(Debug, Clone, Default)]
pub struct Authorizers(Arc<RwLock<ByName>>);

type ByName = HashMap<Arc<str>, Arc<Authorizer>>;

/// An authorizer that no HTTP client can be made for.
#[derive(Debug, thiserror::Error)]
#[error("the authorizer `{name}` cannot be asked: {}", cause(.source))]
pub struct CannotAsk {
    name: Arc<str>,
    source: reqwest::Error,
}

/// The innermost reason: the outer ones say that a client could not be made.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// Authorizers that are ready to take the place of those that a node asks.
#[derive(Debug)]
pub struct OtherAuthorizers(ByName);

impl Authorizers {
    /// The configured ones; their requests run on the runtime that calls this.
    ///
    /// # Errors
    /// An HTTP client cannot be made.
    pub fn new(configured: &[AuthorizerConfig]) -> Result<Self, CannotAsk> {
        Ok(Self(Arc::new(RwLock::new(by_name(configured)?))))
    }

    /// Others, with clients of their own; nothing has changed yet.
    ///
    /// # Errors
    /// An HTTP client cannot be made.
    pub fn others(configured: &[AuthorizerConfig]) -> Result<OtherAuthorizers, CannotAsk> {
        by_name(configured).map(OtherAuthorizers)
    }

    /// Asks those from now on; what the ones before have answered is not used again.
    pub fn replace(&self, others: OtherAuthorizers) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = others.0;
    }

    /// Asks an authorizer; `now` is the position of the log before the question.
    ///
    /// An earlier answer is used again only if it is `still_good` as of its own position.
    pub async fn ask(&self, asking: &Arc<Asking>, now: Position, still_good: impl FnOnce(&Position) -> bool) -> Answer {
        let authorizer = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&asking.authorizer).cloned();
        match authorizer {
            Some(authorizer) => match authorizer.remembered(asking).filter(|(made_at, _)| still_good(made_at)) {
                Some((made_at, claims)) => Answer::Allowed(made_at, claims),
                None => authorizer.ask(asking, now).await,
            },
            None => Answer::Unknown,
        }
    }
}

fn by_name(configured: &[AuthorizerConfig]) -> Result<ByName, CannotAsk> {
    let one = |config: &AuthorizerConfig| {
        let name = Arc::clone(&config.form.authorizer);
        match Authorizer::new(config) {
            Ok(authorizer) => Ok((name, Arc::new(authorizer))),
            Err(source) => Err(CannotAsk { name, source }),
        }
    };
    configured.iter().map(one).collect()
}

/// One service that is asked.
struct Authorizer {
    name: Arc<str>,
    client: Client,
    token: Option<Secret>,
    turns: Arc<Semaphore>,
    cache: Option<Mutex<Cache>>,
    runtime: Handle,
}

impl fmt::Debug for Authorizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorizer").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Authorizer {
    fn new(config: &AuthorizerConfig) -> Result<Self, reqwest::Error> {
        let mut client = Client::builder().redirect(Policy::none()).timeout(DEADLINE).connect_timeout(DEADLINE);
        if let Some(pem) = &config.ca {
            client = Certificate::from_pem_bundle(pem)?.into_iter().fold(client, |c, ca| c.add_root_certificate(ca));
        }
        if is_loopback(&config.form.origin) {
            // A proxy named in the environment is never meant for this machine.
            client = client.no_proxy();
        }
        Ok(Self {
            name: Arc::clone(&config.form.authorizer),
            client: client.build()?,
            token: config.token.clone(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            cache: (!config.cache.is_zero()).then(|| Mutex::new(Cache::new(config.cache))),
            runtime: Handle::current(),
        })
    }

    async fn ask(&self, asking: &Arc<Asking>, now: Position) -> Answer {
        // On the node's own runtime: a TLS handshake must not hold up the sockets of a shard.
        let (client, token, turns) = (self.client.clone(), self.token.clone(), Arc::clone(&self.turns));
        let asked = self.runtime.spawn(request(client, Arc::clone(asking), token, turns));
        let given_up = asked.abort_handle();
        let (status, said) = match tokio::time::timeout(DEADLINE, asked).await {
            Ok(Ok(Ok(answer))) => answer,
            Ok(Ok(Err(reason))) => return self.unknown(&reason),
            Ok(Err(_)) => return self.unknown("the node stops"),
            Err(_) => {
                given_up.abort();
                return self.unknown("no answer in time");
            }
        };
        match status {
            StatusCode::OK | StatusCode::NO_CONTENT => {
                self.remember(asking, &now, &said);
                Answer::Allowed(now, said)
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => Answer::Refused,
            other => self.unknown(&format!("status {}", other.as_u16())),
        }
    }

    fn unknown(&self, reason: &str) -> Answer {
        tracing::warn!(authorizer = %self.name, reason, "an authorizer gave no valid answer");
        Answer::Unknown
    }

    fn remembered(&self, asking: &Asking) -> Option<Allowed> {
        let cache = self.cache.as_ref()?;
        cache.lock().unwrap_or_else(PoisonError::into_inner).get(asking, Instant::now())
    }

    fn remember(&self, asking: &Arc<Asking>, made_at: &Position, said: &OtherClaims) {
        if let Some(cache) = &self.cache {
            let said = (made_at.clone(), said.clone());
            cache.lock().unwrap_or_else(PoisonError::into_inner).put(asking, said, Instant::now());
        }
    }
}

async fn request(
    client: Client,
    asking: Arc<Asking>,
    token: Option<Secret>,
    turns: Arc<Semaphore>,
) -> Result<(StatusCode, OtherClaims), String> {
    let Ok(_turn) = turns.acquire().await else { return Err("the node stops".to_owned()) };
    let url = Url::parse(&asking.url).map_err(|error| error.to_string())?;
    let mut request = if asking.post { client.post(url) } else { client.get(url) };
    if let Some(body) = &asking.body {
        request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
    }
    if let Some(token) = token {
        request = request.bearer_auth(String::from_utf8_lossy(token.as_bytes()));
    }
    if let Some(traceparent) = fanfare_telemetry::traceparent() {
        request = request.header("traceparent", traceparent);
    }
    // Without the URL: it holds ids of users and whatever a client sent.
    let told = |error: reqwest::Error| error.without_url().to_string();
    let answer = request.send().await.map_err(told)?;
    let status = answer.status();
    let said = if status == StatusCode::OK { claims(answer).await.map_err(told)? } else { OtherClaims::default() };
    Ok((status, said))
}

/// The claims in a JSON answer; none if the body is too large or another kind of answer.
async fn claims(mut answer: Response) -> Result<OtherClaims, reqwest::Error> {
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(|kind| kind.to_ascii_lowercase().contains("json")) {
        return Ok(OtherClaims::default());
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > MAX_BODY {
            return Ok(OtherClaims::default());
        }
        body.extend_from_slice(&chunk);
    }
    let said: Option<Value> = serde_json::from_slice(&body).ok();
    let claims = said.as_ref().and_then(|said| said.get("claims")?.as_object());
    let read = claims.into_iter().flatten().take(MAX_CLAIMS);
    Ok(read.map(|(name, value)| (Arc::from(name.as_str()), claim_texts(value))).collect())
}

fn is_loopback(origin: &str) -> bool {
    let host = Url::parse(origin).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    host == "localhost" || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// An answer that allowed: as of which position, and its claims.
type Allowed = (Position, OtherClaims);

/// Answers that allowed, each with the position of the log at which it was made.
#[derive(Debug)]
struct Cache {
    age: Duration,
    answers: OldestFirst<Arc<Asking>, (Instant, Allowed)>,
}

impl Cache {
    fn new(age: Duration) -> Self {
        Self { age, answers: OldestFirst::new(REMEMBERED) }
    }

    fn get(&mut self, asking: &Asking, now: Instant) -> Option<Allowed> {
        let is_over = self.is_over(now);
        self.answers.forget_while(&is_over);
        // One that was asked for again is younger than its place.
        self.answers.get(asking).filter(|answer| !is_over(answer)).map(|(_, said)| said.clone())
    }

    fn put(&mut self, asking: &Arc<Asking>, said: Allowed, now: Instant) {
        self.answers.forget_while(self.is_over(now));
        self.answers.insert(Arc::clone(asking), (now, said));
    }

    fn is_over(&self, now: Instant) -> impl Fn(&(Instant, Allowed)) -> bool + use<> {
        let age = self.age;
        move |(at, _)| now.saturating_duration_since(*at) >= age
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(url: &str) -> Arc<Asking> {
        Arc::new(Asking { authorizer: "lists".into(), url: url.to_owned(), post: false, body: None })
    }

    #[test]
    fn answers_are_remembered_for_a_while_and_so_many() {
        let (mut cache, start) = (Cache::new(Duration::from_secs(5)), Instant::now());
        let said = (Position::start(1), OtherClaims::default());
        let at = |seconds| start + Duration::from_secs(seconds);
        cache.put(&asking("a"), said.clone(), at(0));
        cache.put(&asking("a"), said.clone(), at(3));
        assert_eq!(cache.get(&asking("a"), at(4)), Some(said.clone()));
        assert_eq!(cache.get(&asking("a"), at(7)), Some(said.clone()), "the newer answer counts");
        assert_eq!(cache.get(&asking("a"), at(8)), None);
        for number in 0..=REMEMBERED {
            cache.put(&asking(&number.to_string()), said.clone(), at(9));
        }
        assert_eq!(cache.get(&asking("0"), at(9)), None, "the oldest gave way");
    }

    #[test]
    fn this_machine_needs_no_proxy() {
        for (origin, expected) in [
            ("http://127.0.0.1:8", true),
            ("http://localhost", true),
            ("http://[::1]:8", true),
            ("https://a.example", false),
        ] {
            assert_eq!(is_loopback(origin), expected, "{origin}");
        }
    }
}
