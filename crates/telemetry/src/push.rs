//! Posts metrics to a collector periodically.

use std::io::Write as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_sdk::Resource;
use prost::Message as _;
use reqwest::blocking::Client;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use crate::error::TelemetryError;
use crate::exporter;
use crate::otlp::{Span, request};
use crate::standard::{Export, Metrics};

/// How long the last post may take when the process ends.
const LAST: Duration = Duration::from_secs(5);

/// A thread that posts. A collector that does not answer delays only that thread. Counts are cumulative, so the next
/// post contains what a failed one did.
#[derive(Debug)]
pub(crate) struct Push {
    /// Ends the thread on drop.
    end: Option<Sender<()>>,
    /// Ends with the thread.
    ended: Receiver<()>,
}

impl Push {
    pub(crate) fn start(
        metrics: Metrics,
        resource: &Resource,
        read: impl Fn() -> String + Send + 'static,
    ) -> Result<Self, TelemetryError> {
        let Metrics { export, every } = metrics;
        let post = Post { client: exporter::own_client(&export)?, headers: headers(&export)?, export };
        let (end, told) = channel::<()>();
        let (ending, ended) = channel();
        let (resource, from) = (resource.clone(), now());
        let run = move || {
            let _ended = ending;
            let mut is_away = false;
            loop {
                let is_over = told.recv_timeout(every) != Err(RecvTimeoutError::Timeout);
                let body = request(&read(), &resource, Span { from, to: now() }).encode_to_vec();
                let sent = post.send(body);
                let was_away = std::mem::replace(&mut is_away, sent.is_err());
                // Logged once, and once more when it is over.
                match sent {
                    Ok(()) if was_away => tracing::info!(url = post.export.url, "metrics are posted again"),
                    Err(reason) if !was_away => {
                        tracing::warn!(url = post.export.url, reason, "metrics cannot be posted; they are tried again");
                    }
                    _ => {}
                }
                if is_over {
                    return;
                }
            }
        };
        let spawned = std::thread::Builder::new().name("metrics".to_owned()).spawn(run);
        match spawned {
            Ok(_) => Ok(Self { end: Some(end), ended }),
            Err(error) => Err(TelemetryError::Exporter { endpoint: "metrics".to_owned(), reason: error.to_string() }),
        }
    }
}

impl Drop for Push {
    fn drop(&mut self) {
        drop(self.end.take());
        // Its collector may hang, which must not keep the process alive.
        let _ = self.ended.recv_timeout(LAST);
    }
}

/// The target of a post.
struct Post {
    client: Client,
    headers: HeaderMap,
    export: Export,
}

impl Post {
    fn send(&self, body: Vec<u8>) -> Result<(), String> {
        let body = if self.export.gzip { gzip(&body).map_err(|error| error.to_string())? } else { body };
        let answer = self.client.post(&self.export.url).headers(self.headers.clone()).body(body).send();
        let answer = answer.map_err(|error| error.without_url().to_string())?;
        if answer.status().is_success() { Ok(()) } else { Err(format!("status {}", answer.status().as_u16())) }
    }
}

fn gzip(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body)?;
    encoder.finish()
}

/// The attributes of each post.
fn headers(export: &Export) -> Result<HeaderMap, TelemetryError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &export.headers {
        let wrong = |reason: String| exporter::fault(export, &format_args!("the header {name:?}: {reason}"));
        let key = HeaderName::try_from(name).map_err(|error| wrong(error.to_string()))?;
        headers.insert(key, HeaderValue::try_from(value).map_err(|error| wrong(error.to_string()))?);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    if export.gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(headers)
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
