//! Asking the platform's authorizers over HTTP: bounded in time, in number and in what is remembered.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fanfare_broker::Position;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::config::{AuthorizerConfig, Secret};
use crate::method::Answer;

/// How long an answer may take, waiting for a turn included.
const DEADLINE: Duration = Duration::from_secs(2);

/// How many questions to one authorizer are under way at a time.
const AT_ONCE: usize = 256;

/// How many answers of one authorizer are remembered; the oldest gives way.
const REMEMBERED: usize = 10_000;

/// The authorizers of a node, by name.
#[derive(Debug, Clone, Default)]
pub struct Authorizers(HashMap<Arc<str>, Arc<Authorizer>>);

impl Authorizers {
    /// The configured ones; their requests run on the runtime that calls this.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn new(configured: &[AuthorizerConfig]) -> Result<Self, reqwest::Error> {
        let each = configured.iter().map(|config| Ok((Arc::clone(&config.name), Arc::new(Authorizer::new(config)?))));
        Ok(Self(each.collect::<Result<_, _>>()?))
    }

    /// Asks an authorizer; `now` is the position of the log before the question.
    ///
    /// An earlier answer is used again only if it is `still_good` as of its own position.
    pub async fn ask(
        &self,
        name: &str,
        url: &str,
        now: Position,
        still_good: impl FnOnce(&Position) -> bool,
    ) -> Answer {
        match self.0.get(name) {
            Some(authorizer) => match authorizer.remembered(url).filter(still_good) {
                Some(made_at) => Answer::Allowed(made_at),
                None => authorizer.ask(url, now).await,
            },
            None => Answer::Unknown,
        }
    }
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
        if is_loopback(&config.origin) {
            // A proxy named in the environment is never meant for this machine.
            client = client.no_proxy();
        }
        Ok(Self {
            name: Arc::clone(&config.name),
            client: client.build()?,
            token: config.token.clone(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            cache: (!config.cache.is_zero()).then(|| Mutex::new(Cache::new(config.cache))),
            runtime: Handle::current(),
        })
    }

    async fn ask(&self, url: &str, now: Position) -> Answer {
        // On the node's own runtime: a TLS handshake must not hold up the sockets of a shard.
        let (client, token, turns) = (self.client.clone(), self.token.clone(), Arc::clone(&self.turns));
        let asked = self.runtime.spawn(request(client, url.to_owned(), token, turns));
        let given_up = asked.abort_handle();
        let status = match tokio::time::timeout(DEADLINE, asked).await {
            Ok(Ok(Ok(status))) => status,
            Ok(Ok(Err(reason))) => return self.unknown(&reason),
            Ok(Err(_)) => return self.unknown("the node stops"),
            Err(_) => {
                given_up.abort();
                return self.unknown("no answer in time");
            }
        };
        match status {
            StatusCode::OK | StatusCode::NO_CONTENT => {
                self.remember(url, &now);
                Answer::Allowed(now)
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => Answer::Refused,
            other => self.unknown(&format!("status {}", other.as_u16())),
        }
    }

    fn unknown(&self, reason: &str) -> Answer {
        tracing::warn!(authorizer = %self.name, reason, "an authorizer gave no answer that counts");
        Answer::Unknown
    }

    fn remembered(&self, url: &str) -> Option<Position> {
        let cache = self.cache.as_ref()?;
        cache.lock().unwrap_or_else(PoisonError::into_inner).get(url, Instant::now())
    }

    fn remember(&self, url: &str, made_at: &Position) {
        if let Some(cache) = &self.cache {
            cache.lock().unwrap_or_else(PoisonError::into_inner).put(url, made_at.clone(), Instant::now());
        }
    }
}

async fn request(
    client: Client,
    url: String,
    token: Option<Secret>,
    turns: Arc<Semaphore>,
) -> Result<StatusCode, String> {
    let Ok(_turn) = turns.acquire().await else { return Err("the node stops".to_owned()) };
    let url = Url::parse(&url).map_err(|error| error.to_string())?;
    let mut request = client.get(url);
    if let Some(token) = token {
        request = request.bearer_auth(String::from_utf8_lossy(token.as_bytes()));
    }
    if let Some(traceparent) = fanfare_telemetry::traceparent() {
        request = request.header("traceparent", traceparent);
    }
    // Without the URL: it holds ids of users and whatever a client sent.
    request.send().await.map(|answer| answer.status()).map_err(|error| error.without_url().to_string())
}

fn is_loopback(origin: &str) -> bool {
    let host = Url::parse(origin).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    host == "localhost" || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Answers that allowed, each with the position of the log at which it was made.
#[derive(Debug)]
struct Cache {
    age: Duration,
    answers: HashMap<Arc<str>, (Instant, Position)>,
    by_age: VecDeque<(Instant, Arc<str>)>,
}

impl Cache {
    fn new(age: Duration) -> Self {
        Self { age, answers: HashMap::new(), by_age: VecDeque::new() }
    }

    fn get(&mut self, url: &str, now: Instant) -> Option<Position> {
        self.forget(now);
        self.answers.get(url).map(|(_, position)| position.clone())
    }

    fn put(&mut self, url: &str, position: Position, now: Instant) {
        self.forget(now);
        if self.by_age.len() >= REMEMBERED {
            self.forget_oldest();
        }
        let url: Arc<str> = url.into();
        self.answers.insert(Arc::clone(&url), (now, position));
        self.by_age.push_back((now, url));
    }

    fn forget(&mut self, now: Instant) {
        while self.by_age.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) >= self.age) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((at, url)) = self.by_age.pop_front() else { return };
        // A newer answer to the same question has an entry of its own.
        if self.answers.get(&url).is_some_and(|(made, _)| *made == at) {
            self.answers.remove(&url);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_remembered_for_a_while_and_so_many() {
        let (mut cache, start) = (Cache::new(Duration::from_secs(5)), Instant::now());
        let position = Position::start(1);
        let at = |seconds| start + Duration::from_secs(seconds);
        cache.put("a", position.clone(), at(0));
        cache.put("a", position.clone(), at(3));
        assert_eq!(cache.get("a", at(4)), Some(position.clone()));
        assert_eq!(cache.get("a", at(7)), Some(position.clone()), "the newer answer counts");
        assert_eq!(cache.get("a", at(8)), None);
        for number in 0..=REMEMBERED {
            cache.put(&number.to_string(), position.clone(), at(9));
        }
        assert_eq!((cache.answers.len(), cache.by_age.len()), (REMEMBERED, REMEMBERED));
        assert_eq!(cache.get("0", at(9)), None, "the oldest gave way");
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
