//! Reads the log again for a connection that resumes.

pub(crate) mod filter;
pub(crate) mod state;

use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::{Broker, BrokerError, Position, Reader, Record};
use fanfare_event::Id;
use thiserror::Error;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::follower::reached;
use super::reader::Window;
use super::recent::RecentRecords;
use super::{EventBytes, Schemas};
use crate::projection::Bounds;
use crate::route::Routes;
use filter::{Extent, Replayed};
use state::{Needed, Next, ReplayState, extent, further, is_ahead, is_beyond, needed};

/// How long a resume waits for its turn and for each batch.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a resume gives nothing; the text is the client's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ResumeError {
    /// Too many others resume at the same time.
    #[error("Too many resumes at once. Try again in a few seconds.")]
    Busy,
    /// The log cannot be read now.
    #[error("The event log cannot be read now. Try again in a few seconds.")]
    Unavailable,
}

impl From<BrokerError> for ResumeError {
    fn from(error: BrokerError) -> Self {
        tracing::warn!(%error, "a resume could not read the log");
        Self::Unavailable
    }
}

/// How far back replays go, and what they cost.
#[derive(Debug, Clone)]
pub struct ReplayOptions {
    /// The replay window.
    pub window: Window,
    /// The memory of a replay.
    pub bounds: Bounds,
    /// How many replays read the broker at the same time.
    pub reads_at_once: usize,
    /// How long the start of the window is taken as found: thousands of tabs return at once, and each would ask the
    /// broker.
    pub start_is_fresh: Duration,
}

/// Opens replays; shared by all shards of a node.
#[derive(Clone)]
pub struct Replay {
    broker: Arc<dyn Broker>,
    schemas: Schemas,
    routes: Routes,
    window: Window,
    bounds: Bounds,
    event_bytes: EventBytes,
    recent: Arc<RecentRecords>,
    permits: Arc<Semaphore>,
    start_is_fresh: Duration,
    /// When starts of the window were last asked for, by the greatest number of records, and what they were.
    starts: Arc<Mutex<Vec<Start>>>,
    /// The end of the log, with when it was asked for.
    head: Arc<Mutex<Option<(Instant, Position)>>>,
}

/// A start of the window as it was a moment ago.
struct Start {
    window: Window,
    /// When the broker answered last, or did not.
    asked: Option<Instant>,
    /// None as long as it has not.
    position: Option<Position>,
}

impl Replay {
    /// A reader of the past.
    #[must_use]
    pub fn new(broker: Arc<dyn Broker>, routes: Routes, recent: Arc<RecentRecords>, options: ReplayOptions) -> Self {
        let ReplayOptions { window, bounds, reads_at_once, start_is_fresh } = options;
        let (permits, event_bytes) = (Arc::new(Semaphore::new(reads_at_once)), bounds.event_bytes.into());
        let (schemas, starts, head) = (Schemas::default(), Arc::default(), Arc::default());
        Self { broker, schemas, routes, window, bounds, event_bytes, recent, permits, start_is_fresh, starts, head }
    }

    /// The same with the schemas of a schema registry.
    #[must_use]
    pub fn with_schemas(mut self, schemas: Schemas) -> Self {
        self.schemas = schemas;
        self
    }

    /// The same with a bound of events that changes.
    #[must_use]
    pub fn with_event_bytes(mut self, event_bytes: EventBytes) -> Self {
        self.event_bytes = event_bytes;
        self
    }

    /// Opens a replay of what is after `after`, up to `until`, for a connection of these orgs.
    ///
    /// # Errors
    /// [`ResumeError`] if the log cannot be read now.
    pub async fn open(&self, after: &Position, until: Position, orgs: Vec<Id>) -> Result<Replaying, ResumeError> {
        let window = tokio::time::timeout(PATIENCE, self.extent(after));
        let window = window.await.map_err(|_| ResumeError::Unavailable)??;
        let is_beyond = self.is_beyond_the_log(after, &until).await;
        let bounds = Bounds { event_bytes: self.event_bytes.get(), ..self.bounds.clone() };
        let state = ReplayState::open((after, until), orgs, window, is_beyond, &bounds, &self.recent);
        Ok(Replaying { replay: self.clone(), state, reader: None })
    }

    /// The window, as far as this cursor needs to know it.
    async fn extent(&self, after: &Position) -> Result<Extent, ResumeError> {
        match needed(after, self.start(self.window).await?) {
            Needed::Enough(extent) => Ok(extent),
            Needed::Further(oldest) => {
                let [by_age, recent, stored] = further(self.window.age);
                let starts = [self.start(by_age).await?, self.start(recent).await?, self.start(stored).await?];
                Ok(extent(oldest, starts))
            }
        }
    }

    /// Whether a position is one that the log does not have any more, because it lost its end.
    async fn is_beyond_the_log(&self, after: &Position, until: &Position) -> bool {
        if !is_ahead(after, until) {
            return false;
        }
        let began = Instant::now();
        let mut known = self.head.lock().await;
        // A head that was asked for before may be older than the cursor. Thousands of tabs return at once, so one that
        // was asked for since counts for all that wait.
        let of_now = known.as_ref().filter(|(asked, head)| *asked >= began || reached(head, after));
        if of_now.is_none() {
            let asked = Instant::now();
            match tokio::time::timeout(PATIENCE, self.broker.head()).await {
                Ok(Ok(head)) => *known = Some((asked, head)),
                // While the broker is away this is unknown, and there is nothing to read.
                _ => return false,
            }
        }
        known.as_ref().is_some_and(|(_, head)| is_beyond(after, head))
    }

    /// A start of the window that is recent enough. While the broker is away the last one is used: records in memory
    /// can still be sent.
    ///
    /// One asks for all that wait, and what came of it counts for all of them, a failure too: asked in turn, a broker
    /// that gives no answer would make the last of them wait as often as there are others.
    async fn start(&self, window: Window) -> Result<Position, ResumeError> {
        let mut starts = self.starts.lock().await;
        let known = starts.iter().position(|start| start.window == window);
        let at = known.unwrap_or_else(|| {
            starts.push(Start { window, asked: None, position: None });
            starts.len() - 1
        });
        let is_fresh = starts[at].asked.is_some_and(|asked| asked.elapsed() < self.start_is_fresh);
        if !is_fresh {
            let told = self.broker.window(window.age, window.records).await;
            starts[at].asked = Some(Instant::now());
            match told {
                Ok(position) => starts[at].position = Some(position),
                Err(error) if starts[at].position.is_none() => return Err(error.into()),
                Err(_) => {}
            }
        }
        starts[at].position.clone().ok_or(ResumeError::Unavailable)
    }
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replay").field("window", &self.window).finish_non_exhaustive()
    }
}

/// A replay under way; reads only as it is asked for more.
pub struct Replaying {
    replay: Replay,
    state: ReplayState,
    /// What reads the broker, while it does; few may at the same time.
    reader: Option<(Box<dyn Reader>, OwnedSemaphorePermit)>,
}

impl Replaying {
    /// How many records were looked at since this was asked last: the cost for the caller.
    pub fn take_cost(&mut self) -> usize {
        self.state.take_cost()
    }

    /// Whether everything after the cursor was still in the window, as far as the replay has come.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.state.is_complete()
    }

    /// Lets others read the broker while the connection does not take what it is sent.
    pub fn pause(&mut self) {
        self.reader = None;
    }

    /// The next events, or nothing at the end.
    ///
    /// # Errors
    /// [`ResumeError`] if the log cannot be read on.
    pub async fn next(&mut self) -> Result<Option<Vec<Replayed>>, ResumeError> {
        match self.state.next(&self.replay.recent) {
            Next::Nothing => Ok(None),
            Next::Records(records) => self.take(records.iter().map(|record| &**record)).await.map(Some),
            Next::Log(from) => self.read_log(from).await.map(Some),
        }
    }

    async fn take<'a>(&mut self, records: impl Iterator<Item = &'a Record>) -> Result<Vec<Replayed>, ResumeError> {
        let Replay { schemas, routes, .. } = &self.replay;
        let (routes, mut found) = (routes.now(), Vec::new());
        for record in records {
            let Some(written) = schemas.within(record, PATIENCE).await else { return Err(ResumeError::Unavailable) };
            found.extend(self.state.take(&routes, record, &written));
        }
        Ok(found)
    }

    /// The next batch from the broker, after a position.
    async fn read_log(&mut self, from: Position) -> Result<Vec<Replayed>, ResumeError> {
        let (mut reader, permit) = match self.reader.take() {
            Some(open) => open,
            None => {
                let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.replay.permits).acquire_owned());
                let Ok(Ok(permit)) = turn.await else { return Err(ResumeError::Busy) };
                (self.open_reader(from).await?, permit)
            }
        };
        let batch = match tokio::time::timeout(PATIENCE, reader.next()).await {
            Ok(batch) => batch?,
            Err(_) => return Err(ResumeError::Unavailable),
        };
        let found = self.take(batch.iter()).await?;
        self.state.pass(reader.position());
        self.reader = Some((reader, permit));
        Ok(found)
    }

    /// A reader after a position, or where the log goes on from it. A fault of that place is an error too.
    async fn open_reader(&mut self, from: Position) -> Result<Box<dyn Reader>, ResumeError> {
        match self.replay.broker.read(&from).await {
            Err(BrokerError::Trimmed { oldest }) => self.state.trimmed(&oldest),
            Err(BrokerError::OtherIncarnation { .. }) => self.state.other_log(),
            opened => return Ok(opened?),
        }
        match self.state.next(&self.replay.recent) {
            Next::Log(from) => Ok(self.replay.broker.read(&from).await?),
            Next::Records(_) | Next::Nothing => Err(ResumeError::Unavailable),
        }
    }
}

#[cfg(test)]
mod tests;
