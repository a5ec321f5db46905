//! Asks the monitoring ports of NATS servers how often files are synced to disk, which clients are not told.

use std::fmt;
use std::time::Duration;

use reqwest::{Client, Url, redirect::Policy};
use serde::Deserialize;

/// How long a server may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most bytes of an answer that are read.
const MOST: usize = 1024 * 1024;

/// How often a server syncs what it has acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Sync {
    /// Before each acknowledgement.
    Always,
    /// Once in a while.
    Every(Duration),
    /// Unknown, and why.
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

/// `/jsz`, as far as it is needed.
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

/// One line for each server.
pub(in crate::command) fn lines(servers: &[Url]) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let asked = |url: &Url| match &runtime {
        Ok(runtime) => runtime.block_on(ask(url)).unwrap_or_else(Sync::Unknown),
        Err(error) => Sync::Unknown(format!("no runtime: {error}")),
    };
    servers.iter().map(|url| format!("NATS server at {url}: {}", asked(url))).collect()
}

async fn ask(server: &Url) -> Result<Sync, String> {
    let client = Client::builder().redirect(Policy::none()).timeout(PATIENCE).no_proxy().build();
    let client = client.map_err(|error| error.to_string())?;
    let url = server.join("jsz").map_err(|error| error.to_string())?;
    let mut response = client.get(url).send().await.map_err(|error| cause(&error))?;
    if !response.status().is_success() {
        return Err(format!("it answers {}", response.status()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| cause(&error))? {
        body.extend_from_slice(&chunk);
        if body.len() > MOST {
            return Err("its answer has no end".to_owned());
        }
    }
    told(&body)
}

/// The value in an answer.
fn told(body: &[u8]) -> Result<Sync, String> {
    let read: Result<JetStream, _> = serde_json::from_slice(body);
    let settings = read.map_err(|_| "its answer is none of a NATS server".to_owned())?.config;
    let settings = settings.ok_or_else(|| "it has no JetStream".to_owned())?;
    match settings.sync_interval {
        _ if settings.sync_always => Ok(Sync::Always),
        Some(interval) => Ok(Sync::Every(Duration::from_nanos(interval))),
        None => Err("it does not say so, as those before 2.10 do not".to_owned()),
    }
}

/// The innermost reason: the outer ones say that a request failed.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_told_and_what_it_does_not_say_is_unknown() {
        let told = |body: &str| told(body.as_bytes()).unwrap_or_else(Sync::Unknown).to_string();
        for (body, expected) in [
            (r#"{"config": {"sync_interval": 120000000000}}"#, "every 120 s (sync_interval)"),
            (r#"{"config": {"sync_interval": 500000000, "sync_always": false}}"#, "every 0.5 s"),
            (r#"{"config": {"sync_interval": 120000000000, "sync_always": true}}"#, "before an event is acknowledged"),
            (r#"{"config": {"max_memory": 1}}"#, "not known: it does not say so"),
            (r#"{"server_id": "x"}"#, "not known: it has no JetStream"),
            ("<html>", "not known: its answer is none of a NATS server"),
        ] {
            assert!(told(body).contains(expected), "{body}: {}", told(body));
        }
    }
}
