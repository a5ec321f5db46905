//! Reading the log again for a tab that returns.

use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::{Broker, BrokerError, Position, Reader, Record};
use fanfare_event::{Id, Registry};
use thiserror::Error;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::Schemas;
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
        let (schemas, starts) = (Schemas::default(), Arc::default());
        Self { broker, registry, schemas, routes, window, bounds, recent, permits, start_is_fresh, starts }
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
        let (from, complete) = begin(after, &window);
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
mod tests {
    use fanfare_broker::embedded::{Embedded, Options};
    use tempfile::TempDir;

    use super::*;
    use crate::scene::{BOUNDS, Scene};

    const WINDOW: Window = Window { age: Duration::from_secs(600), records: 1_000 };

    /// What a tab is told that comes back after three of ten events, by a node with so much memory for them.
    async fn told(memory: usize) -> (Vec<u64>, bool) {
        let folder = TempDir::new().expect("a folder");
        let broker: Arc<dyn Broker> = Arc::new(Embedded::open(folder.path(), Options::default()).expect("opens"));
        let (mut scene, recent) = (Scene::demo(), Arc::new(Recent::new(memory)));
        let start = Position::start(broker.head().await.expect("a head").incarnation());
        recent.begin(&start);
        for n in 0..10 {
            let json = format!(r#"{{"org": "acme", "severity": "info", "title": "{n}", "message": "m"}}"#);
            broker.publish(scene.event("system.Alert", &json).message).await.expect("published");
        }
        let mut reader = broker.read(&start).await.expect("a reader");
        let (mut after, mut until) = (start.clone(), start);
        while until != broker.head().await.expect("a head") {
            for record in reader.next().await.expect("a batch") {
                until.advance(&record);
                if record.offset <= 3 {
                    after.advance(&record);
                }
                recent.push(Arc::new(record));
            }
        }
        let (registry, routes) = (Arc::clone(&scene.registry), Arc::clone(&scene.routes));
        let options = ReplayOptions { window: WINDOW, bounds: BOUNDS, reads_at_once: 1, start_is_fresh: PATIENCE };
        let replay = Replay::new(broker, registry, routes, recent, options);
        let acme = Id::parse("acme").expect("an org");
        let mut replaying = replay.open(&after, until, vec![acme]).await.expect("opens");
        let from_memory = matches!(replaying.source, Source::Memory(_));
        let mut found = Vec::new();
        while let Some(batch) = replaying.next().await.expect("is read") {
            found.extend(batch.into_iter().map(|replayed| replayed.place.offset));
        }
        assert!(replaying.is_complete());
        (found, from_memory)
    }

    #[tokio::test]
    async fn memory_tells_what_the_log_tells() {
        let ((from_log, log), (from_memory, memory)) = (told(0).await, told(1 << 20).await);
        assert!(memory && !log, "one reads the broker, the other does not");
        assert_eq!(from_log, [4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(from_log, from_memory);
    }
}
