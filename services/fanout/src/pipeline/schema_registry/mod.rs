//! Schemas of a schema registry, for bodies in the Confluent wire format.
//!
//! Our own client, on `reqwest`, since all that it needs of the registry is a GET. `schema_registry_converter` 6 fits
//! our versions of `reqwest` and `apache-avro`, but its caches and answers are unbounded, unknown ids stay unknown
//! until somebody clears them, and its errors treat 401, 429, 500 and 504 as final without telling the status: events
//! with a valid schema would become dead letters.

mod cache;
mod fetch;
mod pace;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fanfare_broker::Record;
use fanfare_event::confluent::split;
use fanfare_telemetry::metrics::FanoutMetrics;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::{Status, Written};
use crate::config::SchemaRegistryConfig;
use cache::Cache;
use fanfare_failure::{Backoff, jittered};
use fetch::{Fetcher, Found};
use pace::Pace;

/// How many schemas are asked for at a time.
const AT_ONCE: usize = 4;

/// The pauses after questions for one schema that had no answer.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(200), longest: Duration::from_secs(5) };

/// How long a caller waits for a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asker {
    /// The stream, and with it all that comes after the record.
    Stream,
    /// A caller that wants to know now, and continues without it otherwise.
    Other,
}

impl Asker {
    fn name(self) -> &'static str {
        match self {
            Self::Stream => "the stream",
            Self::Other => "a reader of the past",
        }
    }
}

/// The stream waits for the registry for as long as this lives.
struct Halted<'a>(&'a Status);

impl<'a> Halted<'a> {
    fn at(status: &'a Status) -> Self {
        status.set_schemas_away(true);
        Self(status)
    }
}

impl Drop for Halted<'_> {
    fn drop(&mut self) {
        self.0.set_schemas_away(false);
    }
}

/// Finds the schemas that bodies name; cheap to clone.
#[derive(Clone, Default)]
pub struct Schemas(Option<Arc<Inner>>);

struct Inner {
    fetcher: Fetcher,
    cache: Mutex<Cache>,
    pace: Mutex<Pace>,
    turns: Arc<Semaphore>,
    status: Arc<Status>,
    metrics: Arc<FanoutMetrics>,
    runtime: Handle,
}

impl Schemas {
    /// The schemas of the configured registry, if there is one; its requests run on the runtime that calls this.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn new(
        config: Option<&SchemaRegistryConfig>,
        status: &Arc<Status>,
        metrics: &Arc<FanoutMetrics>,
    ) -> Result<Self, reqwest::Error> {
        let Some(config) = config else { return Ok(Self::default()) };
        Ok(Self(Some(Arc::new(Inner {
            fetcher: Fetcher::new(config)?,
            cache: Mutex::new(Cache::default()),
            pace: Mutex::new(Pace::new(Instant::now())),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            status: Arc::clone(status),
            metrics: Arc::clone(metrics),
            runtime: Handle::current(),
        }))))
    }

    /// By which schema a record of the stream was written. Waits for as long as the registry is away: its id may be
    /// valid, and the event must not be lost.
    pub async fn of(&self, record: &Record) -> Written {
        self.find(record, Asker::Stream).await
    }

    /// The same for others than the stream, or nothing if the registry does not answer in time.
    pub async fn within(&self, record: &Record, patience: Duration) -> Option<Written> {
        tokio::time::timeout(patience, self.find(record, Asker::Other)).await.ok()
    }

    async fn find(&self, record: &Record, asker: Asker) -> Written {
        let body = &record.message.body;
        // Of the records that name a schema, one in a million is the first to name it.
        match (&self.0, split(body)) {
            (_, None) => Written::Own,
            (None, Some(_)) => Written::without_registry(body),
            (Some(inner), Some((id, _))) => inner.get(id, asker).await,
        }
    }
}

impl fmt::Debug for Schemas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schemas").field("configured", &self.0.is_some()).finish()
    }
}

impl Inner {
    async fn get(self: &Arc<Self>, id: u32, asker: Asker) -> Written {
        if let Some(known) = self.cached(id) {
            return known;
        }
        // One request for all callers who wait for the same schema.
        let flight = self.cache().flight(id);
        let _asking = flight.lock().await;
        let (mut failures, mut halted) = (0, None);
        loop {
            if let Some(known) = self.cached(id) {
                return known;
            }
            match self.ask(id).await {
                Ok(found) => {
                    self.metrics.schema_asked(found.label());
                    self.cache().put(id, found, Instant::now());
                }
                Err(reason) => {
                    // Other callers may give up at any time, and nobody would report that the registry is back.
                    if asker == Asker::Stream && halted.is_none() {
                        halted = Some(Halted::at(&self.status));
                    }
                    self.metrics.schema_asked("away");
                    failures += 1;
                    let pause = BACKOFF.nominal(failures);
                    let pause_ms = pause.as_millis() as u64;
                    tracing::warn!(
                        schema = id,
                        reason,
                        pause_ms,
                        "the schema registry gives no answer: {} waits",
                        asker.name()
                    );
                    tokio::time::sleep(jittered(pause)).await;
                }
            }
        }
    }

    fn cached(&self, id: u32) -> Option<Written> {
        self.cache().get(id, Instant::now())
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the registry once, when it is this question's turn.
    async fn ask(self: &Arc<Self>, id: u32) -> Result<Found, String> {
        let wait = self.pace.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
        tokio::time::sleep(wait).await;
        let inner = Arc::clone(self);
        // On the node's own runtime: its connections outlive a shard's question.
        let asked = self.runtime.spawn(async move {
            let Ok(_turn) = inner.turns.acquire().await else { return Err("the node stops".to_owned()) };
            inner.fetcher.fetch(id).await
        });
        asked.await.unwrap_or_else(|_| Err("the node stops".to_owned()))
    }
}
