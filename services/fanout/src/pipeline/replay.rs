//! Reading the log again for a tab that returns.

use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::{Broker, BrokerError, Position, Reader, Record};
use fanfare_event::{Id, Registry};
use thiserror::Error;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::Schemas;
use super::follower::reached;
use super::past::{Ages, Extent, Past, Replayed, SLACK, begin, lacks};
use super::reader::Window;
use super::recent::{Recent, Step, Walk};
use crate::projection::Bounds;
use crate::route::RouteTable;

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

/// How far replays go back, and at what cost.
#[derive(Debug, Clone)]
pub struct ReplayOptions {
    /// The replay window.
    pub window: Window,
    /// What a replay remembers on its way.
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
    registry: Arc<Registry>,
    schemas: Schemas,
    routes: Arc<RouteTable>,
    window: Window,
    bounds: Bounds,
    recent: Arc<Recent>,
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
    pub fn new(
        broker: Arc<dyn Broker>,
        registry: Arc<Registry>,
        routes: Arc<RouteTable>,
        recent: Arc<Recent>,
        options: ReplayOptions,
    ) -> Self {
        let ReplayOptions { window, bounds, reads_at_once, start_is_fresh } = options;
        let permits = Arc::new(Semaphore::new(reads_at_once));
        let (schemas, starts, head) = (Schemas::default(), Arc::default(), Arc::default());
        Self { broker, registry, schemas, routes, window, bounds, recent, permits, start_is_fresh, starts, head }
    }

    /// The same with the schemas of a schema registry.
    #[must_use]
    pub fn with_schemas(mut self, schemas: Schemas) -> Self {
        self.schemas = schemas;
        self
    }

    /// Opens a replay of what lies behind `after`, up to `until`, for a connection of these orgs.
    ///
    /// # Errors
    /// [`ResumeError`] if the log cannot be read now.
    pub async fn open(&self, after: &Position, until: Position, orgs: Vec<Id>) -> Result<Replaying, ResumeError> {
        let extent = tokio::time::timeout(PATIENCE, self.extent(after));
        let window = extent.await.map_err(|_| ResumeError::Unavailable)??;
        // What lies beyond the log was heard of one that has lost its end since: it says nothing of this one.
        let is_beyond = self.is_beyond_the_log(after, &until).await;
        let after = if is_beyond { &window.oldest } else { after };
        let (from, complete) = begin(after, &window);
        let complete = complete && !is_beyond;
        let past = Past::new(after, &from, until.clone(), orgs, &self.bounds);
        let is_over = past.is_over();
        let (oldest, replay) = (window.oldest, self.clone());
        let mut replaying = Replaying { replay, source: Source::Nothing, past, oldest, complete, cost: 0 };
        if !is_over {
            match self.recent.walk(&from, &until) {
                Some(walk) => replaying.source = Source::Memory(walk),
                None => replaying.read_log(from).await?,
            }
        }
        Ok(replaying)
    }

    /// The window, as far as this cursor needs to know it.
    async fn extent(&self, after: &Position) -> Result<Extent, ResumeError> {
        let age = self.window.age;
        let oldest = self.start(self.window).await?;
        if !lacks(after, &oldest) {
            return Ok(Extent { oldest, ages: None });
        }
        let since = async |age| self.start(Window { age, records: u64::MAX }).await;
        let ages = Ages {
            by_age: since(age).await?,
            recent: since(age.saturating_sub(SLACK)).await?,
            stored: since(Duration::MAX).await?,
        };
        Ok(Extent { oldest, ages: Some(ages) })
    }

    /// Whether a position is one that the log does not have any more, because it lost its end. A node may also be behind
    /// the one that gave a cursor; then the broker has what this node has not read.
    async fn is_beyond_the_log(&self, after: &Position, until: &Position) -> bool {
        if after.incarnation() != until.incarnation() || reached(until, after) {
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
                // While the broker is away nobody can tell, and there is nothing to read.
                _ => return false,
            }
        }
        known.as_ref().is_some_and(|(_, head)| head.incarnation() == after.incarnation() && !reached(head, after))
    }

    /// A start of the window that is fresh enough. While the broker is away the last one stands: what is in memory can
    /// still be told.
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

/// Where the records of a replay come from.
enum Source {
    /// The tab has missed nothing.
    Nothing,
    /// The newest records, kept by this node.
    Memory(Walk),
    /// The broker; few may read it at the same time.
    Log { reader: Box<dyn Reader>, _permit: OwnedSemaphorePermit },
    /// The broker once more, as soon as the tab has taken what was read.
    Paused,
}

/// A replay under way; reads only as it is asked for more.
pub struct Replaying {
    replay: Replay,
    source: Source,
    past: Past,
    /// Where the window begins.
    oldest: Position,
    complete: bool,
    /// How many records were looked at since that was asked last.
    cost: usize,
}

impl Replaying {
    /// How many records were looked at since this was asked last: what the replay costs whoever asked for it.
    pub fn take_cost(&mut self) -> usize {
        std::mem::take(&mut self.cost)
    }

    /// Whether everything behind the cursor was still in the window, as far as the replay has come.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Lets others read the broker while the tab does not take what it is sent.
    pub fn pause(&mut self) {
        if matches!(self.source, Source::Log { .. }) {
            self.source = Source::Paused;
        }
    }

    /// The next events, or nothing at the end.
    ///
    /// # Errors
    /// [`ResumeError`] if the log cannot be read on.
    pub async fn next(&mut self) -> Result<Option<Vec<Replayed>>, ResumeError> {
        if self.past.is_over() {
            return Ok(None);
        }
        if let Source::Memory(walk) = &mut self.source {
            let before = walk.looked_at();
            let step = self.replay.recent.step(walk);
            self.cost += walk.looked_at().saturating_sub(before);
            match step {
                Step::Records(records) => {
                    return self.take(records.iter().map(|record| &**record)).await.map(Some);
                }
                Step::End => {
                    self.past.finish();
                    return Ok(None);
                }
                Step::Gone => {
                    let read = self.past.position().clone();
                    self.read_log(read).await?;
                }
            }
        }
        if matches!(self.source, Source::Paused) {
            let read = self.past.position().clone();
            self.read_log(read).await?;
        }
        let Source::Log { reader, .. } = &mut self.source else { return Ok(None) };
        let batch = match tokio::time::timeout(PATIENCE, reader.next()).await {
            Ok(batch) => batch?,
            Err(_) => return Err(ResumeError::Unavailable),
        };
        let read = reader.position().clone();
        let found = self.take(batch.iter()).await?;
        self.past.pass(&read);
        Ok(Some(found))
    }

    async fn take<'a>(&mut self, records: impl Iterator<Item = &'a Record>) -> Result<Vec<Replayed>, ResumeError> {
        let Replay { registry, schemas, routes, .. } = &self.replay;
        let mut found = Vec::new();
        for record in records {
            let Some(written) = schemas.within(record, PATIENCE).await else { return Err(ResumeError::Unavailable) };
            self.cost += 1;
            found.extend(self.past.take(registry, routes, record, &written));
        }
        Ok(found)
    }

    /// Goes on with what the broker has behind a position.
    async fn read_log(&mut self, mut from: Position) -> Result<(), ResumeError> {
        let replay = &self.replay;
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&replay.permits).acquire_owned());
        let Ok(Ok(permit)) = turn.await else { return Err(ResumeError::Busy) };
        let reader = match replay.broker.read(&from).await {
            Err(BrokerError::Trimmed { oldest }) => {
                self.complete = false;
                from.merge(&oldest);
                self.past.pass(&from);
                replay.broker.read(&from).await?
            }
            // The cursor fits the stream's name and not what is in it.
            Err(BrokerError::OtherIncarnation { .. }) => {
                self.complete = false;
                self.past.restart(&self.oldest);
                replay.broker.read(&self.oldest).await?
            }
            opened => opened?,
        };
        self.source = Source::Log { reader, _permit: permit };
        Ok(())
    }
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
