//! Asks the monitoring ports of NATS servers how often files are synced to disk, which clients cannot find out.

use std::fmt;
use std::time::Duration;

use fanfare_failure::root_cause;
use futures_util::future::join_all;
pub use reqwest::Url;
use reqwest::{Client, redirect::Policy};
use serde::Deserialize;

use super::durability::{HORIZON, horizon_of};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The largest part of an answer that is read, in bytes.
const MOST: usize = 1024 * 1024;

/// How often a server syncs acknowledged messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sync {
    /// Before each acknowledgement.
    Always,
    /// At this interval.
    Every(Duration),
    /// Unknown, with the reason.
    Unknown(String),
}

impl fmt::Display for Sync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("files reach the disk before an event is acknowledged (sync_interval: always)"),
            Self::Every(interval) => write!(
                f,
                "files reach the disk every {} s (sync_interval), and a power failure may lose what was acknowledged \
                 since; see docs/brokers.md",
                interval.as_secs_f64()
            ),
            Self::Unknown(why) => write!(f, "how often files reach the disk is not known: {why}"),
        }
    }
}

/// The needed part of `/jsz`.
#[derive(Deserialize)]
struct JetStream {
    config: Option<Settings>,
}

#[derive(Deserialize)]
struct Settings {
    /// In nanoseconds.
    sync_interval: Option<u64>,
    #[serde(default)]
    sync_always: bool,
}

/// Not the URL of a monitoring port; the error does not repeat it, because it may contain a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`monitor` is not an http or https URL without a login")]
pub struct NotMonitor;

/// Parses the URL of a monitoring port.
///
/// # Errors
/// [`NotMonitor`].
pub fn url(text: &str) -> Result<Url, NotMonitor> {
    let url = Url::parse(text).map_err(|_| NotMonitor)?;
    let is_sound = matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
    if is_sound { Ok(url) } else { Err(NotMonitor) }
}

/// Asks all servers concurrently; the answers are in their order.
pub async fn ask_all(servers: &[Url]) -> Vec<Sync> {
    join_all(servers.iter().map(async |url| ask(url).await.unwrap_or_else(Sync::Unknown))).await
}

/// How long servers with these answers may still lose acknowledged messages. An unknown one counts as having NATS's
/// default.
#[must_use]
pub fn horizon(servers: &[Sync]) -> Duration {
    let of = |server: &Sync| match server {
        Sync::Always => horizon_of(Duration::ZERO),
        Sync::Every(interval) => horizon_of(*interval),
        Sync::Unknown(_) => HORIZON,
    };
    servers.iter().map(of).max().unwrap_or(HORIZON)
}

async fn ask(server: &Url) -> Result<Sync, String> {
    let client = Client::builder().redirect(Policy::none()).timeout(PATIENCE).no_proxy().build();
    let client = client.map_err(|error| error.to_string())?;
    let url = server.join("jsz").map_err(|error| error.to_string())?;
    let mut response = client.get(url).send().await.map_err(|error| root_cause(&error))?;
    if !response.status().is_success() {
        return Err(format!("it answers {}", response.status()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| root_cause(&error))? {
        body.extend_from_slice(&chunk);
        if body.len() > MOST {
            return Err("its answer has no end".to_owned());
        }
    }
    told(&body)
}

/// Reads the value in an answer.
fn told(body: &[u8]) -> Result<Sync, String> {
    let read: Result<JetStream, _> = serde_json::from_slice(body);
    let settings = read.map_err(|_| "its answer is not from a NATS server".to_owned())?.config;
    let settings = settings.ok_or_else(|| "it has no JetStream".to_owned())?;
    match settings.sync_interval {
        _ if settings.sync_always => Ok(Sync::Always),
        Some(interval) => Ok(Sync::Every(Duration::from_nanos(interval))),
        None => Err("it does not report the interval, as servers before 2.10 do not".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_server_counts_and_an_unknown_one_counts_as_the_default() {
        let every = |seconds| Sync::Every(Duration::from_secs(seconds));
        let unknown = || Sync::Unknown("away".to_owned());
        for (servers, seconds) in [
            (vec![], 300),
            (vec![every(120)], 300),
            (vec![every(10), every(600)], 1260),
            (vec![every(10)], 80),
            (vec![Sync::Always], 60),
            (vec![Sync::Always, unknown()], 300),
            (vec![every(86_400 * 365 * 1_000_000)], 86_400 * 30),
        ] {
            assert_eq!(horizon(&servers), Duration::from_secs(seconds), "{servers:?}");
        }
    }

    #[test]
    fn a_bad_monitoring_url_is_refused_and_not_repeated() {
        for text in ["nats-0:8222", "http://me:secret@a:8222", "ftp://a", ""] {
            assert_eq!(url(text), Err(NotMonitor), "{text}");
        }
        assert!(url("http://nats-0.nats:8222").is_ok());
    }

    #[test]
    fn a_servers_answer_is_reported_and_a_missing_value_is_unknown() {
        let told = |body: &str| told(body.as_bytes()).unwrap_or_else(Sync::Unknown).to_string();
        for (body, expected) in [
            (r#"{"config": {"sync_interval": 120000000000}}"#, "every 120 s (sync_interval)"),
            (r#"{"config": {"sync_interval": 500000000, "sync_always": false}}"#, "every 0.5 s"),
            (r#"{"config": {"sync_interval": 120000000000, "sync_always": true}}"#, "before an event is acknowledged"),
            (r#"{"config": {"max_memory": 1}}"#, "not known: it does not report the interval"),
            (r#"{"server_id": "x"}"#, "not known: it has no JetStream"),
            ("<html>", "not known: its answer is not from a NATS server"),
        ] {
            assert!(told(body).contains(expected), "{body}: {}", told(body));
        }
    }
}
