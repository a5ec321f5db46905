//! Reading the log again for a tab that returns.

use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::{Broker, BrokerError, Position, Reader};
use fanfare_event::Registry;
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Schemas;
use super::past::{Extent, Past, Replayed, SLACK, begin, lacks};
use super::reader::Window;
use crate::projection::Bounds;
use crate::route::RouteTable;
use crate::seal::Seal;

/// How long a resume waits for its turn and for each batch.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a resume gives nothing; the text is the client's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ResumeError {
    /// The cursor is not one of this server's.
    #[error("The cursor was not issued by this server.")]
    UnknownCursor,
    /// Too many others resume at the same time.
    #[error("Too many resumes at once. Try again in a few seconds.")]
    Busy,
    /// The log cannot be read now.
    #[error("The event log cannot be read now. Try again in a few seconds.")]
    Unavailable,
    /// The tab does not take what it is sent.
    #[error("The connection does not take what it is sent.")]
    TooSlow,
    /// The connection ended meanwhile.
    #[error("The connection has ended.")]
    Gone,
}

impl From<BrokerError> for ResumeError {
    fn from(error: BrokerError) -> Self {
        tracing::warn!(%error, "a resume could not read the log");
        Self::Unavailable
    }
}

/// Opens replays; shared by all shards of a node.
#[derive(Clone)]
pub struct Replay {
    broker: Arc<dyn Broker>,
    registry: Arc<Registry>,
    schemas: Schemas,
    routes: Arc<RouteTable>,
    seal: Seal,
    window: Window,
    bounds: Bounds,
    permits: Arc<Semaphore>,
}

impl Replay {
    /// A reader of the past.
    #[must_use]
    pub fn new(
        broker: Arc<dyn Broker>,
        registry: Arc<Registry>,
        routes: Arc<RouteTable>,
        seal: Seal,
        window: Window,
        bounds: Bounds,
        reads_at_once: usize,
    ) -> Self {
        let permits = Arc::new(Semaphore::new(reads_at_once));
        Self { broker, registry, schemas: Schemas::default(), routes, seal, window, bounds, permits }
    }

    /// The same with the schemas of a schema registry.
    #[must_use]
    pub fn with_schemas(mut self, schemas: Schemas) -> Self {
        self.schemas = schemas;
        self
    }

    /// Opens a replay of what lies behind `after`, up to `until`.
    ///
    /// # Errors
    /// [`ResumeError`] if the log cannot be read now.
    pub async fn open(&self, after: &Position, until: Position) -> Result<Replaying, ResumeError> {
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.permits).acquire_owned());
        let Ok(Ok(permit)) = turn.await else { return Err(ResumeError::Busy) };
        let window = self.extent(after).await?;
        let (mut from, mut complete) = begin(after, &window);
        let reader = if Past::new(from.clone(), until.clone(), &self.bounds).is_over() {
            None
        } else {
            match self.broker.read(&from).await {
                Err(BrokerError::Trimmed { oldest }) => {
                    complete = false;
                    from.merge(&oldest);
                    Some(self.broker.read(&from).await?)
                }
                // The cursor fits the stream's name and not what is in it.
                Err(BrokerError::OtherIncarnation { .. }) => {
                    complete = false;
                    from = window.oldest;
                    Some(self.broker.read(&from).await?)
                }
                opened => Some(opened?),
            }
        };
        let past = Past::new(from, until, &self.bounds);
        Ok(Replaying { replay: self.clone(), reader, past, complete, _permit: permit })
    }

    /// The window, as far as this cursor needs to know it.
    async fn extent(&self, after: &Position) -> Result<Extent, BrokerError> {
        let Window { age, records } = self.window;
        let oldest = self.broker.window(age, records).await?;
        if !lacks(after, &oldest) {
            return Ok(Extent { oldest, by_age: None });
        }
        let by_age = self.broker.window(age, u64::MAX).await?;
        let recent = self.broker.window(age.saturating_sub(SLACK), u64::MAX).await?;
        Ok(Extent { oldest, by_age: Some((by_age, recent)) })
    }
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replay").field("window", &self.window).finish_non_exhaustive()
    }
}

/// A replay under way; reads the log only as it is asked for more.
pub struct Replaying {
    replay: Replay,
    reader: Option<Box<dyn Reader>>,
    past: Past,
    complete: bool,
    _permit: OwnedSemaphorePermit,
}

impl Replaying {
    /// Whether everything behind the cursor is still in the window.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The next events, or nothing at the end.
    ///
    /// # Errors
    /// [`ResumeError`] if the log cannot be read on.
    pub async fn next(&mut self) -> Result<Option<Vec<Replayed>>, ResumeError> {
        if self.past.is_over() {
            return Ok(None);
        }
        let Some(reader) = &mut self.reader else { return Ok(None) };
        let batch = match tokio::time::timeout(PATIENCE, reader.next()).await {
            Ok(batch) => batch?,
            Err(_) => return Err(ResumeError::Unavailable),
        };
        let Replay { registry, schemas, routes, seal, .. } = &self.replay;
        let mut found = Vec::new();
        for record in &batch {
            let Some(written) = schemas.within(record, PATIENCE).await else { return Err(ResumeError::Unavailable) };
            found.extend(self.past.take(registry, routes, seal, record, &written));
        }
        self.past.pass(reader.position());
        Ok(Some(found))
    }
}
